"""Putting back what was taken out of a span's attributes and events, and kept as it was."""

from __future__ import annotations

import msgspec

from observatory_store.llm.messages.events import kept_place
from observatory_store.rows import Attributes, Payload, Span
from observatory_store.rows.attributes import decode_map


def kept_attributes(payload: Payload | None) -> Attributes:
    """Return the attributes of the span that were kept as they were."""
    return {name: value for name, value in _kept(payload).items() if kept_place(name) is None}


def restore_events(span: Span) -> Span:
    """Return the span with what was kept of its events in them again."""
    places = [(kept_place(name), value) for name, value in _kept(span.payload).items()]
    events = list(span.events)
    for place, value in places:
        if place is not None and place[0] < len(events):
            event = events[place[0]]
            attributes = {**event.attributes, place[1]: value}
            events[place[0]] = msgspec.structs.replace(event, attributes=attributes)
    return msgspec.structs.replace(span, events=tuple(events)) if span.events else span


def _kept(payload: Payload | None) -> Attributes:
    if payload is None or payload.content_attributes is None:
        return {}
    return decode_map(payload.content_attributes)
