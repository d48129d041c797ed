"""Traces: summaries, and one as a tree."""

from __future__ import annotations

from typing import Final

from observatory_store import rows
from observatory_store.api.answers.base import (
    Answer,
    MicroTime,
    Money,
    RangePage,
    SpanId,
    TraceId,
    micro_time,
    money,
)
from observatory_store.api.answers.resource import Resources
from observatory_store.api.answers.span import Span, span_fields
from observatory_store.api.tree import depth_first
from observatory_store.repositories import Trace, TraceSummary


class TraceRow(Answer):
    """What is known of a trace without its spans."""

    trace_id: TraceId
    start_time: MicroTime
    """When the first span began."""
    end_time: MicroTime
    """When the last span ended."""
    duration_us: int
    root_span_id: SpanId
    root_name: str
    service_name: str
    """Of the root, as are the next three."""
    environment: str | None
    user_id: str | None
    session_id: str | None
    span_count: int
    error_count: int
    """Spans whose status is ``error``."""
    inference_count: int
    """Calls of models."""
    unpriced_count: int
    """Calls of models whose price is unknown: ``cost_usd`` lacks them."""
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Money
    providers: list[str]
    models: list[str]


class TracePage(RangePage):
    """Traces, newest first."""

    traces: list[TraceRow]


class SpanPayload(Answer):
    """The private texts of a span; null where there is none."""

    input_messages: str | None
    output_messages: str | None
    system_instructions: str | None
    tool_definitions: str | None
    tool_arguments: str | None
    tool_result: str | None
    content_attributes: str | None
    """JSON of a map: what the span says beside or instead of the above, as it was sent."""
    structured: list[str]
    """Which of the texts are tagged JSON, because the sender gave a structure."""


class TreeSpan(Span):
    """A span in its place in the trace."""

    depth: int
    """0 for a root, and for a span whose parent is not stored."""
    payload: SpanPayload | None


class TraceTree(Answer):
    """A whole trace."""

    summary: TraceRow
    spans: list[TreeSpan]
    """Depth first: each span after its parent, siblings in the order they began."""
    truncated: bool
    """Whether the trace has more than the 10,000 spans given here."""


_DERIVED: Final = frozenset({"start_time", "end_time", "cost_usd"})
_SAME: Final = tuple(name for name in TraceRow.model_fields if name not in _DERIVED)


def trace_row(row: TraceSummary) -> TraceRow:
    """Return a summary."""
    return TraceRow(
        **{name: getattr(row, name) for name in _SAME},
        start_time=micro_time(row.start_time),
        end_time=micro_time(row.end_time),
        cost_usd=money(row.cost_usd),
    )


def trace_tree(trace: Trace) -> TraceTree:
    """Return a whole trace."""
    resources = Resources()
    return TraceTree(
        summary=trace_row(trace.summary),
        spans=[
            TreeSpan(**span_fields(span, resources), depth=depth, payload=_payload(span.payload))
            for depth, span in depth_first(trace.spans)
        ],
        truncated=trace.truncated,
    )


def _payload(row: rows.Payload | None) -> SpanPayload | None:
    if row is None:
        return None
    return SpanPayload(**{name: getattr(row, name) for name in SpanPayload.model_fields})
