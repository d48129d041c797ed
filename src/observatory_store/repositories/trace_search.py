"""How traces are looked for: by their days, by their spans, or by the texts of these."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import msgspec

from observatory_store.repositories.page import TimeRange
from observatory_store.repositories.scan import (
    MOST_ROWS,
    MOST_TEXTS,
    MOST_TRACES,
    TEXT_BYTES,
    Key,
    first_window,
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


def _list_of(found: LiteralString) -> LiteralString:
    return _SQL["list_traces_by_facts"].replace("/* found */", found)


_LIST_NAMED: Final = _list_of(_SQL["found_by_name"])
_NO_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_MOST_LATER: Final = 10_000
"""Days of traces after a window that are read, for those of its traces that go on."""
_REACH: Final = 1000
"""Payloads after a window that are read as they lie; later ones of its traces are looked up."""
_OF_SESSION: Final[tuple[LiteralString, LiteralString]] = (
    "hashtextextended(d.session_id, 0) = hashtextextended({}, 0) AND d.session_id = {}",
    "d.other_sessions IS NOT NULL AND {} = ANY (d.other_sessions)",
)
_OF_USER: Final[tuple[LiteralString, LiteralString]] = (
    "hashtextextended(d.user_id, 0) = hashtextextended({}, 0) AND d.user_id = {}",
    "d.other_users IS NOT NULL AND {} = ANY (d.other_users)",
)
"""Days whose least name this is, and days where it is one of the others."""
# Without OFFSET the planner would begin with these days, and sort all traces that have them.
_HAS_SESSION: Final[LiteralString] = (
    "EXISTS (SELECT FROM observatory.trace_days AS d WHERE d.project_id = t.project_id"
    " AND d.trace_id = t.trace_id AND (d.session_id = {} OR {} = ANY (d.other_sessions)) OFFSET 0)"
)
_HAS_USER: Final[LiteralString] = (
    "EXISTS (SELECT FROM observatory.trace_days AS d WHERE d.project_id = t.project_id"
    " AND d.trace_id = t.trace_id AND (d.user_id = {} OR {} = ANY (d.other_users)) OFFSET 0)"
)


class Search:
    """Traces whose days say all that the filter asks: no more than so many are merged."""

    most = MOST_TRACES
    windows = staticmethod(windows)

    def __init__(self, session: Session, range_: TimeRange, where: TraceFilter) -> None:
        self._session = session
        self._start = range_.start
        self._where = where

    def first_window(self, limit: int) -> int:
        """Return how many rows to look at first, for a page of so many traces."""
        return first_window(limit, filtered=self._where != TraceFilter())

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


class SearchByName(Search):
    """Traces of a session or a user, to which indexes of their days lead."""

    def __init__(self, session: Session, range_: TimeRange, where: TraceFilter) -> None:
        if where.session is not None:
            self._name, self._least, self._others = where.session, *_OF_SESSION
            where = msgspec.structs.replace(where, session=None)
        elif where.user is not None:
            self._name, self._least, self._others = where.user, *_OF_USER
            where = msgspec.structs.replace(where, user=None)
        super().__init__(session, range_, where)

    def first_window(self, limit: int) -> int:
        """Return how many rows to look at first: some are of one trace, or of none in the range."""
        rows = super().first_window(limit)
        return rows + rows // 4

    async def floor_of(self, time: datetime, size: int) -> datetime | None:
        """Return the start of the nth day of a trace that may have the name, before a time."""
        conditions = Where(self._session.project_id, self._start, time, size)
        self._add_least(conditions)
        return await self._session.fetch_time(
            conditions.into(_SQL["floor_of_named_traces"]), *conditions.arguments
        )

    async def between(self, floor: datetime, before: Key, rows: int) -> Sequence[Any]:
        """Return traces that began from a time on, before a key."""
        conditions = self._conditions(floor, *before, rows)
        self._add_least(conditions)
        conditions.add(self._others, self._name, mark="others")
        return await self._records(_LIST_NAMED, conditions)

    async def is_near(self, time: datetime) -> bool:
        """Return whether so few days after a time may have the name that all can be read."""
        conditions = Where(self._session.project_id, time, _MOST_LATER)
        self._add_least(conditions)
        (found,) = await self._records(_SQL["count_later_days"], conditions)
        return bool(found["count"] < _MOST_LATER)

    def _add_least(self, conditions: Where) -> None:
        conditions.add(self._least, self._name, self._name, mark="least")


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
    return _list_of(_SQL["found_by_facts"].replace("/* facts_of */", _SQL[found]))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


def _add_conditions(conditions: Where, where: TraceFilter) -> None:
    conditions.add_if("t.service_name = {}", where.service)
    conditions.add_if("t.root_name = {}", where.name)
    if where.status is not None:
        conditions.add("(t.error_count > 0) = {}", where.status == "error")
    conditions.add_if("{} = ANY (t.models)", where.model)
    conditions.add_if("{} = ANY (t.providers)", where.provider)
    if where.user is not None:
        conditions.add(_HAS_USER, where.user, where.user)
    if where.session is not None:
        conditions.add(_HAS_SESSION, where.session, where.session)
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
