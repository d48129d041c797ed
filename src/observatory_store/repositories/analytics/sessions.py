"""Conversations: the traces of a session, summed."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from observatory_store.errors import InvalidCursorError
from observatory_store.repositories.analytics.query import SQL
from observatory_store.repositories.analytics.question import check_text
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

MOST_SESSIONS = 1000
MOST_OF_SESSIONS = timedelta(days=31)
"""All traces of the page's sessions are read; where few fit the filter, all of the range."""


class SessionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces count; what is None does not matter."""

    session: str | None = None
    user: str | None = None
    service: str | None = None
    """The root's service."""
    environment: str | None = None
    model: str | None = None


class SessionRow(msgspec.Struct, frozen=True, kw_only=True):
    """The traces of one session that began in the range."""

    session: str
    user: str | None
    """The least of its users."""
    start_time: datetime
    end_time: datetime
    last_start: datetime
    """When its last trace began."""
    traces: int
    spans: int
    requests: int
    """Calls of models."""
    errors: int
    """Spans with status error."""
    unpriced_requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    models: tuple[str, ...]


async def sessions(
    reader: Session, range_: TimeRange, where: SessionFilter, *, limit: int, cursor: str | None
) -> Page[SessionRow]:
    """Return sessions, the latest first.

    Raises:
        InvalidInputError: the limit is not from 1 to 1000, the range is over 31 days, or a text of
            the filter is none that is stored.
        InvalidCursorError: the cursor is not of this query.

    """
    check_limit(limit, MOST_SESSIONS)
    for name, value in msgspec.structs.asdict(where).items():
        if value is not None:
            check_text(name, value)
    check_range(range_, MOST_OF_SESSIONS)
    scope = scope_of("sessions", range_, where)
    before, before_session = range_.end, ""
    if cursor is not None:
        before, key = decode_cursor(cursor, scope, datetime, str)
        try:
            before_session = bytes.fromhex(key).decode()
        except UnicodeDecodeError as error:
            raise InvalidCursorError("the cursor is not one that this route gave") from error
    conditions = Where(
        reader.project_id, range_.start, range_.end, before, before_session, limit + 1
    )
    for condition, wanted in (
        ("hashtextextended(t.session_id, 0) = hashtextextended({}, 0)", where.session),
        ("t.session_id = {}", where.session),
        ("hashtextextended(t.user_id, 0) = hashtextextended({}, 0)", where.user),
        ("t.user_id = {}", where.user),
    ):
        conditions.add_if(condition, wanted)
    conditions.add_if("t.service_name = {}", where.service)
    conditions.add_if("t.environment = {}", where.environment)
    conditions.add_if("{} = ANY (t.models)", where.model)
    records = await reader.fetch(conditions.into(SQL["sessions"]), *conditions.arguments)
    names = [name for name in SessionRow.__struct_fields__ if name != "models"]
    rows = [
        SessionRow(**{name: record[name] for name in names}, models=tuple(record["models"]))
        for record in records
    ]
    keys = [(record["last_start"], record["key"]) for record in records]
    return paginate(rows, limit, scope, keys)
