"""Storing spans, their payloads and the days of their traces."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from msgspec.json import encode as json_bytes

from observatory_store.rows import Event, Link, Span
from observatory_store.rows.attributes import encode, to_json
from observatory_store.writers.limits import Limits
from observatory_store.writers.problems import Problems
from observatory_store.writers.writer import SQL, Writer, Written

# Columns whose value is the row's field as it is.
_PLAIN = (
    "start_nanos",
    "duration_nanos",
    "start_time",
    "duration_us",
    "trace_id",
    "name",
    "kind",
    "status",
    "service_name",
    "is_inference",
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "price_ref",
    "time_to_first_token_ms",
    "finish_reasons",
    "streaming",
    "temperature",
    "top_p",
    "max_tokens",
    "user_id",
    "session_id",
    "agent_name",
    "tool_name",
    "environment",
    "tags",
    "deployment",
    "source",
)
# Columns that are NULL where the field is empty, which costs a row one bit instead of eight bytes.
_NULLABLE = (
    "status_message",
    "trace_state",
    "flags",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
)
COLUMNS = (
    *_PLAIN,
    *_NULLABLE,
    "project_id",
    "ingested_at",
    "api_key_id",
    "resource_id",
    "span_id",
    "parent_span_id",
    "attributes",
    "events",
    "links",
)
_PAYLOAD_TEXTS = (
    "input_messages",
    "output_messages",
    "system_instructions",
    "tool_definitions",
    "tool_arguments",
    "tool_result",
)
PAYLOAD_COLUMNS = (
    *_PAYLOAD_TEXTS,
    "project_id",
    "start_time",
    "trace_id",
    "span_id",
    "structured",
)

_plain = attrgetter(*_PLAIN)
_nullable = attrgetter(*_NULLABLE)
_payload_texts = attrgetter(*_PAYLOAD_TEXTS)


async def write_spans(
    writer: Writer, project_id: int, spans: Sequence[Span], *, api_key_id: int | None = None
) -> Written:
    """Store spans that are not stored yet, in one transaction.

    A span outside the time limits is rejected alone. A payload older than payloads are kept is left
    out, and told of in ``problems``.
    """
    problems = Problems()
    async with writer.batch("stage_spans", "stage_payloads") as batch:
        accepted = _accepted(spans, batch.limits, batch.now, problems)
        if not accepted:
            return Written(rejected=problems.rejected, problems=problems.messages)
        await batch.add_resources(project_id, (span.resource for span in accepted))
        await batch.copy(
            "span_stage",
            COLUMNS,
            [span_record(project_id, api_key_id, batch.now, span) for span in accepted],
        )
        payloads = [
            payload_record(project_id, span)
            for span in accepted
            if span.payload is not None and _keeps_payload(span, batch.limits, problems)
        ]
        if payloads:
            await batch.copy("payload_stage", PAYLOAD_COLUMNS, payloads)
        stored = await batch.connection.fetchval(
            SQL["insert_spans"], batch.limits.changed_before(batch.now)
        )
    return Written(
        stored=stored,
        duplicates=len(accepted) - stored,
        rejected=problems.rejected,
        problems=problems.messages,
    )


def _accepted(
    spans: Sequence[Span], limits: Limits, now: datetime, problems: Problems
) -> list[Span]:
    accepted = []
    for span in spans:
        refusal = limits.refusal("spans", "span start", span.start_time, now) or (
            # A start within the limits plus any duration may be past what a timestamp can hold.
            limits.refusal("spans", "span end", _end(span), now)
            if span.duration_us > _LONG_US
            else None
        )
        if refusal:
            problems.reject(refusal)
        else:
            accepted.append(span)
    return accepted


_LONG_US = int(timedelta(days=1) / timedelta(microseconds=1))


def _end(span: Span) -> datetime:
    try:
        return span.start_time + timedelta(microseconds=span.duration_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=span.start_time.tzinfo)


def _keeps_payload(span: Span, limits: Limits, problems: Problems) -> bool:
    if limits.takes("span_payloads", span.start_time):
        return True
    problems.note("payloads of spans older than span_payloads keeps were left out")
    return False


def span_record(
    project_id: int, api_key_id: int | None, now: datetime, span: Span
) -> tuple[Any, ...]:
    """Return a span as a record of ``COLUMNS``."""
    parent = span.parent_span_id
    return (
        *_plain(span),
        *[value or None for value in _nullable(span)],
        project_id,
        now,
        span.api_key_id if api_key_id is None else api_key_id,
        span.resource.resource_id,
        bytes.fromhex(span.span_id),
        bytes.fromhex(parent) if parent else None,
        encode(span.attributes) if span.attributes else None,
        json_bytes([_event(event) for event in span.events]) if span.events else None,
        json_bytes([_link(link) for link in span.links]) if span.links else None,
    )


def _event(event: Event) -> dict[str, Any]:
    document: dict[str, Any] = {"time_unix_nano": event.time_unix_nano, "name": event.name}
    if event.attributes:
        document["attributes"] = to_json(event.attributes)
    if event.dropped_attributes_count:
        document["dropped_attributes_count"] = event.dropped_attributes_count
    return document


def _link(link: Link) -> dict[str, Any]:
    document: dict[str, Any] = {"trace_id": link.trace_id, "span_id": link.span_id}
    if link.trace_state:
        document["trace_state"] = link.trace_state
    if link.attributes:
        document["attributes"] = to_json(link.attributes)
    if link.dropped_attributes_count:
        document["dropped_attributes_count"] = link.dropped_attributes_count
    if link.flags:
        document["flags"] = link.flags
    return document


def payload_record(project_id: int, span: Span) -> tuple[Any, ...]:
    """Return a span's payload as a record of ``PAYLOAD_COLUMNS``."""
    payload = span.payload
    assert payload is not None  # noqa: S101 - the caller filters
    return (
        *_payload_texts(payload),
        project_id,
        span.start_time,
        span.trace_id,
        bytes.fromhex(span.span_id),
        payload.structured or None,
    )
