"""Log records: a filtered list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
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
from observatory_store.repositories.scan import (
    MOST_ROWS,
    MOST_TEXTS,
    TEXT_BYTES,
    Key,
    first_window,
    scan,
    text_windows,
    windows,
)
from observatory_store.repositories.session import Session
from observatory_store.repositories.text_index import SEARCHED, TextIndex
from observatory_store.repositories.text_query import parse
from observatory_store.repositories.where import Where
from observatory_store.rows import NO_RESOURCE, LogRecord, Resource
from observatory_store.rows.attributes import decode, decode_map
from observatory_store.sql import load

MOST_LOGS = 1000

_SQL = load("reading")
_LEAST = (-(2**63), 0)


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which log records; what is None does not matter."""

    service: str | None = None
    min_severity: int | None = None
    """9 is info, 13 warn, 17 error."""
    event: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and text of an attribute; all must be there."""
    q: str | None = None
    """Words of the body, in the syntax of web searches."""


class LogRepository(Session):
    """The logs of one project."""

    async def list(
        self,
        range_: TimeRange,
        where: LogFilter | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[LogRecord]:
        """Return log records of the range, newest first.

        A call looks at no more than 50,000 records, or 5,000 with ``q``, of which it begins no
        more after 1,000 and 0.3 s: a page may be short, or empty, and yet have a cursor.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, the range is over 400 days, an id is
                not hex, or ``q`` names no word.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_LOGS)
        check_range(range_)
        where = where or LogFilter()
        scope = scope_of("logs", range_, where)
        before: Key = (range_.end, *_LEAST)
        if cursor is not None:
            before = tuple(decode_cursor(cursor, scope, datetime, int, int))
        query = None if where.q is None else await parse(self, where.q)

        async def floor_of(time: datetime, size: int) -> datetime | None:
            arguments = (self.project_id, range_.start, time, size)
            if query is None:
                return await self.fetch_time(_SQL["floor_of_logs"], *arguments)
            return await self.fetch_time(_SQL["floor_of_log_bodies"], *arguments, TEXT_BYTES)

        async def between(floor: datetime, before: Key, rows: int) -> Sequence[Any]:
            conditions = Where(self.project_id, floor, *before, rows)
            _add_conditions(conditions, where)
            if query is not None:
                query.add_to(conditions, SEARCHED["logs"])
            text = _SQL["list_logs" if query is None else "list_logs_by_words"]
            return await self.fetch(conditions.into(text), *conditions.arguments)

        found = await scan(
            floor_of,
            between,
            start=range_.start,
            before=before,
            least=_LEAST,
            sizes=_sizes(where, limit),
            rows=limit + 1,
            indexed_floor=None if query is None else TextIndex(self, "logs", query).floor_of,
        )
        records = found.records
        resources = await self.resources(record["resource_id"] for record in records)
        logs = [
            _log(record, resources.get(record["resource_id"], NO_RESOURCE)) for record in records
        ]
        keys = [(record["time"], record["content_hash"], record["ordinal"]) for record in records]
        return paginate(logs, limit, scope, keys, found.stopped)


def _sizes(where: LogFilter, limit: int) -> Iterable[int | None]:
    if where.trace_id is not None:
        return (None,)
    first = first_window(limit, filtered=where != LogFilter())
    return windows(first, MOST_ROWS) if where.q is None else text_windows(first, MOST_TEXTS)


def _add_conditions(conditions: Where, where: LogFilter) -> None:
    conditions.add_if("l.service_name = {}", where.service)
    conditions.add_if("l.severity_number >= {}", where.min_severity)
    conditions.add_if("l.event_name = {}", where.event)
    if where.trace_id is not None:
        conditions.add("l.trace_id = {}", _hex(where.trace_id, 16, "trace_id").hex())
    if where.span_id is not None:
        conditions.add("l.span_id = {}", _hex(where.span_id, 8, "span_id"))
    conditions.add_each("l.attributes ->> {} = {}", where.attributes)


def _hex(text: str, size: int, what: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        raise InvalidInputError(f"{what}: {2 * size} hex digits, not {text[:100]!r}")
    return value


_NULLABLE = {"severity_text": "", "event_name": "", "flags": 0, "dropped_attributes_count": 0}
_PLAIN = tuple(
    name
    for name in LogRecord.__struct_fields__
    if name not in {"body", "attributes", "span_id", "resource", *_NULLABLE}
)


def _log(record: Any, resource: Resource) -> LogRecord:  # noqa: ANN401 - asyncpg's Record
    span_id, body, attributes = record["span_id"], record["body"], record["attributes"]
    fields: dict[str, Any] = {
        **{name: record[name] for name in _PLAIN},
        **{name: record[name] or empty for name, empty in _NULLABLE.items()},
    }
    return LogRecord(
        **fields,
        body=decode(body) if body else None,
        attributes=decode_map(attributes) if attributes else {},
        span_id=span_id.hex() if span_id else None,
        resource=resource,
    )
