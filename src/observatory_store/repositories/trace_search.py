"""How traces are looked for: by their days, by their spans, or by the texts of these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

from observatory_store.repositories.page import TimeRange
from observatory_store.repositories.scan import (
    MOST_ROWS,
    MOST_TEXTS,
    MOST_TRACES,
    TEXT_BYTES,
    Key,
    text_windows,
    windows,
)
from observatory_store.repositories.session import Session
from observatory_store.repositories.text_index import SEARCHED, TextIndex
from observatory_store.repositories.text_query import TextQuery
from observatory_store.repositories.trace_filter import TraceFilter
from observatory_store.repositories.where import Where
from observatory_store.sql import load

_SQL = load("reading")
_NO_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_REACH: Final = 1000
"""Payloads after a window that are read as they lie; later ones of its traces are looked up."""


class Search:
    """Traces whose days say all that the filter asks: no more than so many are merged."""

    most = MOST_TRACES
    windows = staticmethod(windows)

    def __init__(self, session: Session, range_: TimeRange, where: TraceFilter) -> None:
        self._session = session
        self._start = range_.start
        self._where = where

    async def floor_of(self, time: datetime, size: int) -> datetime | None:
        """Return the start of the nth trace before a time."""
        return await self._time("floor_of_traces", self._start, time, size)

    async def between(self, floor: datetime, before: Key, rows: int) -> Sequence[Any]:
        """Return traces that began from a time on, before a key."""
        return await self._records(_SQL["list_traces"], self._conditions(floor, *before, rows))

    async def indexed_floor(self, start: datetime, time: datetime) -> datetime | None:  # noqa: ARG002
        """Return how far back from a time an index leads to what is asked for: nowhere."""
        return None

    def _conditions(self, *arguments: Any) -> Where:  # noqa: ANN401 - query parameters
        conditions = Where(self._session.project_id, *arguments)
        _add_conditions(conditions, self._where)
        return conditions

    async def _time(self, query: str, *arguments: Any) -> datetime | None:  # noqa: ANN401
        return await self._session.fetch_time(_SQL[query], self._session.project_id, *arguments)

    async def _records(self, query: LiteralString, conditions: Where) -> Sequence[Any]:
        return await self._session.fetch(conditions.into(query), *conditions.arguments)


class SearchBySpans(Search):
    """Traces one of whose spans has the tags and attributes."""

    most = MOST_ROWS

    async def floor_of(self, time: datetime, size: int) -> datetime | None:
        """Return the start of the nth span, or of the nth trace, before a time."""
        floor = await self._time("floor_of_spans", self._start, time, size)
        return _later(floor, await super().floor_of(time, size))

    async def between(self, floor: datetime, before: Key, rows: int) -> Sequence[Any]:
        """Return traces that began from a time on, before a key."""
        reach = await self._time("reach_of_spans", before[0], self.most) or _NO_END
        conditions = self._conditions(floor, *before, rows, reach)
        _add_span_conditions(conditions, self._where)
        return await self._records(_by_facts("found_in_spans"), conditions)


class SearchByPayloads(Search):
    """Traces one of whose payloads has the words; and, if asked for, a span with the tags."""

    most = MOST_TEXTS
    windows = staticmethod(text_windows)

    def __init__(
        self, session: Session, range_: TimeRange, where: TraceFilter, query: TextQuery
    ) -> None:
        super().__init__(session, range_, where)
        self._query = query
        self._index = TextIndex(session, "span_payloads", query)

    async def floor_of(self, time: datetime, size: int) -> datetime | None:
        """Return the start of the nth payload or trace before a time, or where text gets long."""
        floor = await self._time("floor_of_payloads", self._start, time, size, TEXT_BYTES)
        return _later(floor, await super().floor_of(time, size))

    async def between(self, floor: datetime, before: Key, rows: int) -> Sequence[Any]:
        """Return traces that began from a time on, before a key."""
        reach = await self._time("reach_of_payloads", before[0], _REACH) or _NO_END
        conditions = self._conditions(floor, *before, rows, reach)
        self._query.add_to(conditions, SEARCHED["span_payloads"], mark="facts")
        if self._where.tags or self._where.attributes:
            _add_span(conditions, self._where)
        return await self._records(_by_facts("found_in_payloads"), conditions)

    async def indexed_floor(self, start: datetime, time: datetime) -> datetime | None:
        """Return how far back from a time an index of words is to be used."""
        return await self._index.floor_of(start, time)


def _by_facts(found: str) -> LiteralString:
    return _SQL["list_traces_by_facts"].replace("/* found */", _SQL[found])


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


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


def _add_span_conditions(conditions: Where, where: TraceFilter) -> None:
    if where.tags:
        conditions.add("s.tags @> {}::text[]", list(where.tags), mark="facts")
    conditions.add_each("s.attributes ->> {} = {}", where.attributes, mark="facts")


def _add_span(conditions: Where, where: TraceFilter) -> None:
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
