"""Storing spans, their payloads and the days of their traces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias, get_args

import msgspec
from msgspec.json import encode as json_bytes

from observatory_store.llm.conversion import MAX_TEXT_BYTES, text
from observatory_store.rows import Event, Link, Span
from observatory_store.rows.attributes import encode, to_json
from observatory_store.rows.span import SpanKind, SpanStatus
from observatory_store.writers import trace_days
from observatory_store.writers.isolate import isolating
from observatory_store.writers.limits import Limits
from observatory_store.writers.submission import Accepted, Submission, Written, accept
from observatory_store.writers.trace_days import TraceDays
from observatory_store.writers.writer import SQL, Batch, Writer

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
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_search_requests",
    "service_tier",
    "cost_usd",
    "price_ref",
    "sent_cost_usd",
    "usage_conflict",
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
    "content_attributes",
)
PAYLOAD_COLUMNS = (
    *_PAYLOAD_TEXTS,
    "project_id",
    "start_time",
    "trace_id",
    "span_id",
    "structured",
)

_QUARTER_HOUR_SECONDS = 15 * 60
_TRACE_DIGITS, _SPAN_DIGITS = 32, 16
_NO_TRACE, _NO_SPAN = "0" * _TRACE_DIGITS, "0" * _SPAN_DIGITS
_KINDS = frozenset(get_args(SpanKind))
_STATUSES = frozenset(get_args(SpanStatus))

_plain = attrgetter(*_PLAIN)
_nullable = attrgetter(*_NULLABLE)
_payload_texts = attrgetter(*_PAYLOAD_TEXTS)


_Accepted: TypeAlias = Accepted[Span]


async def write_spans(writer: Writer, submissions: Sequence[Submission[Span]]) -> list[Written]:
    """Store spans that are not stored yet, in one transaction; say what became of each submission.

    A span outside the time limits is rejected alone. A payload older than payloads are kept is left
    out, and told of in ``problems``.
    """
    return await isolating(partial(_write, writer), submissions)


def by_trace(submission: Submission[Span], parts: int) -> list[Submission[Span]]:
    """Divide a submission so that no two parts change the same row of ``trace_days``."""
    divided: list[list[Span]] = [[] for _ in range(parts)]
    try:
        for span in submission.rows:
            divided[hash(span.trace_id) % parts].append(span)
    except TypeError:  # an id that is no text, which is refused later on and alone
        return [submission]
    return [msgspec.structs.replace(submission, rows=rows) for rows in divided if rows]


async def _write(writer: Writer, submissions: Sequence[Submission[Span]]) -> list[Written]:
    return await writer.commit(
        partial(_insert, submissions),
        stages=["stage_trace_days"],
        merge_stages=["stage_spans", "stage_payloads"],
    )


async def _insert(submissions: Sequence[Submission[Span]], batch: Batch) -> list[Written]:
    outcomes, accepted = accept(submissions, lambda span: _refusal(span, batch.limits, batch.now))
    if accepted:
        await batch.add_resources((one.project_id, span.resource) for _, one, span in accepted)
        async with batch.transaction():
            days = await (_merge if batch.must_merge else _copy)(batch, accepted)
            await batch.copy("pg_temp.trace_day_stage", trace_days.COLUMNS, days.records())
            await batch.connection.execute(SQL["upsert_trace_days"])
    return [outcome.written() for outcome in outcomes]


async def _copy(batch: Batch, accepted: Sequence[_Accepted]) -> TraceDays:
    days = TraceDays()
    # The records are made while the server is at work on those before them.
    await batch.copy("observatory.spans", COLUMNS, _span_records(batch, accepted, days))
    await batch.copy(
        "observatory.span_payloads", PAYLOAD_COLUMNS, _payload_records(batch, accepted)
    )
    await _note_changed(batch, accepted)
    return days


async def _merge(batch: Batch, accepted: Sequence[_Accepted]) -> TraceDays:
    # Of spans with one identity the first stays, here as in the table.
    first: dict[tuple[int, str, str, datetime], _Accepted] = {}
    for each in accepted:
        _, submission, span = each
        # A time in an hour that a zone has twice equals no other.
        start = span.start_time.astimezone(UTC)
        key = (submission.project_id, span.trace_id, span.span_id, start)
        first.setdefault(key, each)
        each[0].duplicates += 1
    staged = _span_records(batch, first.values(), TraceDays())
    await batch.copy("pg_temp.span_stage", COLUMNS, staged)
    stored = [
        first[row["project_id"], row["trace_id"], row["span_id"].hex(), row["start_time"]]
        for row in await batch.connection.fetch(SQL["insert_spans"])
    ]
    days = TraceDays()
    for outcome, submission, span in stored:
        outcome.duplicates -= 1
        days.add(submission.project_id, span)
    await batch.copy("pg_temp.payload_stage", PAYLOAD_COLUMNS, _payload_records(batch, stored))
    await batch.connection.execute(SQL["insert_payloads"])
    await _note_changed(batch, stored)
    return days


async def _note_changed(batch: Batch, stored: Sequence[_Accepted]) -> None:
    before = batch.limits.changed_before(batch.now)
    buckets = {
        (one.project_id, span.start_time.timestamp() // _QUARTER_HOUR_SECONDS)
        for _, one, span in stored
        if span.start_time < before
    }
    records = [
        (project_id, datetime.fromtimestamp(number * _QUARTER_HOUR_SECONDS, UTC))
        for project_id, number in buckets
    ]
    await batch.copy("observatory_private.changed_buckets", ("project_id", "bucket"), records)


def _refusal(span: Span, limits: Limits, now: datetime) -> str | None:
    if malformed := _malformed(span):
        return malformed
    refusal = limits.refusal("spans", "span start", span.start_time, now)
    if refusal is None and span.duration_us > _LONG_US:
        # A start within the limits plus any duration may be past what a timestamp can hold.
        return limits.refusal("spans", "span end", _end(span), now)
    return refusal


_MOST_USD = 10**12
_LONG_MODEL = f"a span's model has at most {MAX_TEXT_BYTES} bytes"


def _malformed(span: Span) -> str | None:
    """Say what is wrong with a span that a program built; one decoded from OTLP is right."""
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != _TRACE_DIGITS or trace_id != trace_id.lower() or trace_id == _NO_TRACE:
        return "a trace id must be 32 lower-case hex digits that are not all zero"
    if len(span_id) != _SPAN_DIGITS or span_id != span_id.lower() or span_id == _NO_SPAN:
        return "a span id must be 16 lower-case hex digits that are not all zero"
    if span.kind not in _KINDS or span.status not in _STATUSES:
        return f"a span has the kind {span.kind!r} or the status {span.status!r}: no such"
    for cost in (span.cost_usd, span.sent_cost_usd):
        if cost is not None and not (cost.is_finite() and 0 <= cost <= _MOST_USD):
            return f"a span's cost must be a number from 0 to {_MOST_USD}"
    if span.start_time.tzinfo is None or span.duration_us < 0:
        return "a span must have a start with a time zone and a duration that is not negative"
    model = span.response_model or span.request_model
    return _LONG_MODEL if model and not text(model) else None


_LONG_US = int(timedelta(days=1) / timedelta(microseconds=1))


def _end(span: Span) -> datetime:
    try:
        return span.start_time + timedelta(microseconds=span.duration_us)
    except OverflowError:
        return datetime.max.replace(tzinfo=span.start_time.tzinfo)


def _span_records(
    batch: Batch, accepted: Iterable[_Accepted], days: TraceDays
) -> Iterator[tuple[Any, ...]]:
    now = batch.now
    for _, submission, span in accepted:
        days.add(submission.project_id, span)
        yield span_record(submission.project_id, submission.api_key_id, now, span)


def _payload_records(batch: Batch, accepted: Sequence[_Accepted]) -> list[tuple[Any, ...]]:
    records = []
    for outcome, submission, span in accepted:
        if span.payload is None:
            continue
        if batch.limits.takes("span_payloads", span.start_time):
            records.append(payload_record(submission.project_id, span))
        else:
            outcome.note("payloads of spans older than span_payloads keeps were left out")
    return records


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
