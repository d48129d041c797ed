"""Traces: a filtered list of summaries, and one trace as a whole."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.page import (
    Page,
    TimeRange,
    check_limit,
    check_range,
    decode_cursor,
    paginate,
    scope_of,
)
from observatory_store.repositories.session import Session
from observatory_store.repositories.spans import SpanRepository
from observatory_store.repositories.where import Where
from observatory_store.rows import Span
from observatory_store.sql import load

MOST_TRACES = 1000
MOST_SPANS_OF_A_TRACE = 10_000

_SQL = load("reading")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_LEAST_TRACE_ID = "0" * 32


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces; what is None does not matter."""

    service: str | None = None
    """The root's service."""
    name: str | None = None
    """The root's name."""
    status: Literal["ok", "error"] | None = None
    """``error``: at least one span has status error."""
    model: str | None = None
    provider: str | None = None
    user: str | None = None
    session: str | None = None
    environment: str | None = None
    tags: tuple[str, ...] = ()
    """Each ``key=value``; one span must have them all."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and text of attributes; one span must have them all."""
    min_duration_ms: float | None = None
    min_cost: Decimal | None = None


class TraceSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the view ``traces``."""

    trace_id: str
    start_time: datetime
    end_time: datetime
    duration_us: int
    root_span_id: str
    root_name: str
    service_name: str
    environment: str | None
    user_id: str | None
    session_id: str | None
    span_count: int
    error_count: int
    inference_count: int
    unpriced_count: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    """Of the calls whose price is known; ``unpriced_count`` says how many are missing."""
    providers: tuple[str, ...]
    models: tuple[str, ...]


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A whole trace."""

    summary: TraceSummary
    spans: tuple[Span, ...]
    """In the order they began, with their payloads."""
    truncated: bool
    """Whether there are more than the 10,000 spans given here."""


class TraceRepository(Session):
    """The traces of one project."""

    async def get(self, trace_id: str) -> Trace | None:
        """Return a trace with all its spans, or None if the project has no such trace.

        Raises:
            InvalidInputError: the id is not 32 hex digits.

        """
        if not _TRACE_ID.fullmatch(trace_id):
            raise InvalidInputError("a trace id is 32 hex digits")
        # The days of the trace give the range of time that its spans are looked up in.
        found = await self.fetch(_SQL["trace_summary"], self.project_id, trace_id)
        if not found:
            return None
        summary = _summary(found[0])
        spans = await SpanRepository(self._pool, self.project_id).of_trace(
            trace_id, summary.start_time, summary.end_time, limit=MOST_SPANS_OF_A_TRACE + 1
        )
        return Trace(
            summary=summary,
            spans=tuple(spans[:MOST_SPANS_OF_A_TRACE]),
            truncated=len(spans) > MOST_SPANS_OF_A_TRACE,
        )

    async def list(
        self,
        range_: TimeRange,
        where: TraceFilter | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[TraceSummary]:
        """Return traces that start in the range, newest first.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, the range is over 400 days.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_TRACES)
        check_range(range_)
        where = where or TraceFilter()
        scope = scope_of("traces", range_, where)
        before: tuple[Any, ...] = (range_.end, _LEAST_TRACE_ID)
        if cursor is not None:
            before = tuple(decode_cursor(cursor, scope, datetime, str))
        conditions = Where(self.project_id, range_.start, *before, limit + 1)
        _add_conditions(conditions, where)
        records = await self.fetch(conditions.into(_SQL["list_traces"]), *conditions.arguments)
        traces = [_summary(record) for record in records]
        return paginate(traces, limit, scope, [(t.start_time, t.trace_id) for t in traces])


def _add_conditions(conditions: Where, where: TraceFilter) -> None:
    conditions.add_if("t.service_name = {}", where.service)
    conditions.add_if("t.root_name = {}", where.name)
    if where.status is not None:
        conditions.add("(t.error_count > 0) = {}", where.status == "error")
    conditions.add_if("{} = ANY (t.models)", where.model)
    conditions.add_if("{} = ANY (t.providers)", where.provider)
    conditions.add_if("t.user_id = {}", where.user)
    conditions.add_if("t.session_id = {}", where.session)
    conditions.add_if("t.environment = {}", where.environment)
    if where.min_duration_ms is not None:
        conditions.add("t.duration_us >= {}", round(where.min_duration_ms * 1000))
    conditions.add_if("t.cost_usd >= {}", where.min_cost)
    if where.tags or where.attributes:
        conditions.add(
            "EXISTS (SELECT FROM observatory.spans AS s WHERE s.project_id = t.project_id"
            " AND s.trace_id = t.trace_id AND s.start_time BETWEEN t.start_time AND t.end_time"
            " AND coalesce(s.tags, '{{}}') @> {}::text[]"
            " AND NOT EXISTS (SELECT FROM unnest({}::text[], {}::text[]) AS a (key, text)"
            " WHERE s.attributes ->> a.key IS DISTINCT FROM a.text))",
            list(where.tags),
            [key for key, _ in where.attributes],
            [text for _, text in where.attributes],
        )


_PLAIN = tuple(
    name
    for name in TraceSummary.__struct_fields__
    if name not in {"root_span_id", "providers", "models"}
)


def _summary(record: Any) -> TraceSummary:  # noqa: ANN401 - asyncpg's Record
    return TraceSummary(
        **{name: record[name] for name in _PLAIN},
        root_span_id=record["root_span_id"].hex(),
        providers=tuple(record["providers"]),
        models=tuple(record["models"]),
    )
