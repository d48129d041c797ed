"""Traces: a filtered list of summaries, and one trace as a whole."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any

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
from observatory_store.repositories.scan import Key, scan
from observatory_store.repositories.session import Session
from observatory_store.repositories.spans import SpanRepository
from observatory_store.repositories.text_query import parse
from observatory_store.repositories.trace_filter import TraceFilter
from observatory_store.repositories.trace_search import (
    Search,
    SearchByName,
    SearchByPayloads,
    SearchBySpans,
)
from observatory_store.rows import Span
from observatory_store.sql import load

MOST_TRACES = 1000
MOST_SPANS_OF_A_TRACE = 10_000

_SQL = load("reading")
_TRACE_ID = re.compile(r"[0-9a-fA-F]{32}")
_LEAST = ("0" * 32,)


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
    """Whether there are more than the 10,000 spans given here, or their payloads have over 32 MiB:
    then the later ones lack theirs."""


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
        spans, lacking = await SpanRepository(self._pool, self.project_id).of_trace(
            trace_id, summary.start_time, summary.end_time, limit=MOST_SPANS_OF_A_TRACE + 1
        )
        return Trace(
            summary=summary,
            spans=tuple(spans[:MOST_SPANS_OF_A_TRACE]),
            truncated=lacking or len(spans) > MOST_SPANS_OF_A_TRACE,
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

        A call looks at no more than 20,000 traces, 50,000 spans for tags and attributes, 5,000
        payloads for ``q``, and begins no more of these after 1,000 and 0.3 s: a page may be short,
        or empty, and yet have a cursor.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, the range is over 400 days, or ``q``
                names no word.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_TRACES)
        check_range(range_)
        where = where or TraceFilter()
        scope = scope_of("traces", range_, where)
        before: Key = (range_.end, *_LEAST)
        if cursor is not None:
            before = tuple(decode_cursor(cursor, scope, datetime, str))
        search = await self._search(range_, where, before[0])
        found = await scan(
            search.floor_of,
            search.between,
            start=range_.start,
            before=before,
            least=_LEAST,
            sizes=search.windows(search.first_window(limit), search.most),
            rows=limit + 1,
            indexed_floor=search.indexed_floor,
        )
        traces = [_summary(record) for record in found.records]
        keys = [(t.start_time, t.trace_id) for t in traces]
        return paginate(traces, limit, scope, keys, found.stopped)

    async def _search(self, range_: TimeRange, where: TraceFilter, before: datetime) -> Search:
        if where.q is not None:
            return SearchByPayloads(self, range_, where, await parse(self, where.q))
        if where.tags or where.attributes:
            return SearchBySpans(self, range_, where)
        if where.session is not None or where.user is not None:
            by_name = SearchByName(self, range_, where)
            if await by_name.is_near(before):
                return by_name
        return Search(self, range_, where)


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
