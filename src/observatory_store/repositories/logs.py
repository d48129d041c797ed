"""Log records: a filtered list."""

from __future__ import annotations

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
from observatory_store.repositories.session import Session
from observatory_store.repositories.where import Where
from observatory_store.rows import NO_RESOURCE, LogRecord, Resource
from observatory_store.rows.attributes import decode, decode_map
from observatory_store.sql import load

MOST_LOGS = 1000

_SQL = load("reading")


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

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, the range is over 400 days, or an id
                is not hex.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_LOGS)
        check_range(range_)
        where = where or LogFilter()
        scope = scope_of("logs", range_, where)
        conditions = Where(self.project_id, range_.start, range_.end, limit + 1)
        conditions.add_if("l.service_name = {}", where.service)
        conditions.add_if("l.severity_number >= {}", where.min_severity)
        conditions.add_if("l.event_name = {}", where.event)
        if where.trace_id is not None:
            conditions.add("l.trace_id = {}", _hex(where.trace_id, 16, "trace id").hex())
        if where.span_id is not None:
            conditions.add("l.span_id = {}", _hex(where.span_id, 8, "span id"))
        conditions.add_each("l.attributes ->> {} = {}", where.attributes)
        if cursor is not None:
            key = decode_cursor(cursor, scope, datetime, int, int)
            conditions.add("l.time <= {}", key[0])
            conditions.add("(l.time, l.content_hash, l.ordinal) < ({}, {}, {})", *key)
        records = await self.fetch(conditions.into(_SQL["list_logs"]), *conditions.arguments)
        resources = await self.resources(record["resource_id"] for record in records)
        logs = [
            _log(record, resources.get(record["resource_id"], NO_RESOURCE)) for record in records
        ]
        keys = [(record["time"], record["content_hash"], record["ordinal"]) for record in records]
        return paginate(logs, limit, scope, keys)


def _hex(text: str, size: int, what: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != size:
        raise InvalidInputError(f"a {what} is {2 * size} hex digits")
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
