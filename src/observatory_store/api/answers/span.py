"""Spans."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from pydantic import Field

from observatory_store import rows
from observatory_store.api.answers.base import (
    Answer,
    Money,
    NanoTime,
    RangePage,
    SpanId,
    TaggedMap,
    TraceId,
    money,
    nano_time,
    unix_nano_time,
)
from observatory_store.api.answers.resource import Resource, Resources
from observatory_store.rows.attributes import to_json
from observatory_store.rows.span import SpanKind, SpanStatus


class Event(Answer):
    """Something that happened at one moment of a span."""

    time: NanoTime
    name: str
    attributes: TaggedMap
    dropped_attributes_count: int


class Link(Answer):
    """A reference to another span. An id that was malformed is empty."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: TaggedMap
    dropped_attributes_count: int
    flags: int


class Span(Answer):
    """One span. A field is null where the sender said nothing of it."""

    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId | None
    start_time: NanoTime
    end_time: NanoTime
    duration_us: int
    """Whole microseconds; ``end_time`` has the nanoseconds."""
    name: str
    kind: SpanKind
    status: SpanStatus
    """``unset`` is the usual status of a success."""
    status_message: str
    service_name: str
    trace_state: str
    flags: int
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int
    is_inference: bool
    """Whether the span is one call of a model, so that its tokens and cost count."""
    operation: str | None
    provider: str | None
    request_model: str | None
    response_model: str | None
    response_id: str | None
    input_tokens: int | None
    """Includes the cached tokens."""
    output_tokens: int | None
    """Includes the reasoning tokens."""
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    input_audio_tokens: int | None
    output_audio_tokens: int | None
    input_image_tokens: int | None
    output_image_tokens: int | None
    web_search_requests: int | None
    service_tier: str | None
    """The provider's class of service that answered: ``default``, ``flex``, ``batch``, …"""
    cost_usd: Money | None
    """Null where no price is known."""
    price_ref: str | None
    """Which price gave ``cost_usd``."""
    sent_cost_usd: Money | None
    """What the sender says that it cost."""
    usage_conflict: str | None
    """How the numbers of tokens contradict each other, or repeat another span's; null if neither.

    Sorted, with a comma between: ``cached_over_input``, ``counted_elsewhere``,
    ``media_over_input``, ``media_over_output``, ``reasoning_over_output``, ``repeats_parent``,
    ``sources_disagree``, ``total_mismatch``, ``unusable_count``."""
    time_to_first_token_ms: float | None
    finish_reasons: list[str] | None
    streaming: bool | None
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    user_id: str | None
    session_id: str | None
    agent_name: str | None
    tool_name: str | None
    environment: str | None
    tags: list[str] | None = Field(examples=[["team=search"]])
    """Each ``key=value``."""
    api_key_id: int | None
    """The key that the span was sent with."""
    deployment: str | None
    source: str
    """``otlp`` or ``store``."""
    attributes: TaggedMap
    events: list[Event]
    links: list[Link]
    resource: Resource


class SpanPage(RangePage):
    """Spans, newest first."""

    spans: list[Span]


_DERIVED: Final = frozenset(
    {
        "start_time",
        "end_time",
        "cost_usd",
        "sent_cost_usd",
        "attributes",
        "events",
        "links",
        "resource",
    }
)
_SAME: Final = tuple(name for name in Span.model_fields if name not in _DERIVED)


def span_fields(row: rows.Span, resources: Resources) -> dict[str, Any]:
    """Return the fields of a :class:`Span`."""
    # A duration's nanoseconds are those of the end minus those of the start, plus the carry.
    carry, nanos = divmod(row.start_nanos + row.duration_nanos, 1000)
    end = row.start_time + timedelta(microseconds=row.duration_us + carry)
    return {
        **{name: getattr(row, name) for name in _SAME},
        "start_time": nano_time(row.start_time, row.start_nanos),
        "end_time": nano_time(end, nanos),
        "cost_usd": None if row.cost_usd is None else money(row.cost_usd),
        "sent_cost_usd": None if row.sent_cost_usd is None else money(row.sent_cost_usd),
        "attributes": to_json(row.attributes),
        "events": [_event(event) for event in row.events],
        "links": [_link(link) for link in row.links],
        "resource": resources.of(row.resource),
    }


def _event(row: rows.Event) -> Event:
    return Event(
        time=unix_nano_time(row.time_unix_nano),
        name=row.name,
        attributes=to_json(row.attributes),
        dropped_attributes_count=row.dropped_attributes_count,
    )


def _link(row: rows.Link) -> Link:
    return Link(
        trace_id=row.trace_id,
        span_id=row.span_id,
        trace_state=row.trace_state,
        attributes=to_json(row.attributes),
        dropped_attributes_count=row.dropped_attributes_count,
        flags=row.flags,
    )
