"""Spans as an OTLP JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.otlp import repair
from observatory_store.otlp.document import Document, group, key_values, set_fields
from observatory_store.otlp.signal import Signal
from observatory_store.otlp.traces import KINDS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from observatory_store.rows import Attributes, Event, Link, Span


def encode_traces(spans: Iterable[Span], attributes: Callable[[Span], Attributes]) -> Document:
    """Return a ``TracesData`` document.

    ``attributes`` gives all attributes of a span, also those that became columns.
    """
    return group(
        Signal.TRACES,
        spans,
        lambda span: span.resource,
        lambda members: [_span(span, attributes(span)) for span in members],
    )


def _span(span: Span, attributes: Attributes) -> Document:
    start = repair.join_time(span.start_time, span.start_nanos)
    end = start + span.duration_us * 1000 + span.duration_nanos
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        **set_fields(
            {
                "traceState": span.trace_state,
                "parentSpanId": span.parent_span_id,
                "flags": span.flags,
                "name": span.name,
                "kind": KINDS.index(span.kind),
                "startTimeUnixNano": str(start),
                "endTimeUnixNano": str(end),
                "attributes": key_values(attributes),
                "droppedAttributesCount": span.dropped_attributes_count,
                "events": [_event(event) for event in span.events],
                "droppedEventsCount": span.dropped_events_count,
                "links": [_link(link) for link in span.links],
                "droppedLinksCount": span.dropped_links_count,
                "status": set_fields(
                    {"message": span.status_message, "code": STATUSES.index(span.status)}
                ),
            }
        ),
    }


def _event(event: Event) -> Document:
    return {
        "timeUnixNano": str(event.time_unix_nano),
        **set_fields(
            {
                "name": event.name,
                "attributes": key_values(event.attributes),
                "droppedAttributesCount": event.dropped_attributes_count,
            }
        ),
    }


def _link(link: Link) -> Document:
    return set_fields(
        {
            "traceId": link.trace_id,
            "spanId": link.span_id,
            "traceState": link.trace_state,
            "attributes": key_values(link.attributes),
            "droppedAttributesCount": link.dropped_attributes_count,
            "flags": link.flags,
        }
    )
