"""How much a retention would drop."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec

from observatory_store.database import Connection
from observatory_store.sql import load

_SQL = load("maintenance")
_DAY = timedelta(days=1)


class Expiry(msgspec.Struct, frozen=True, kw_only=True):
    """What is older than a retention, about."""

    first: datetime
    """Of its oldest row, or of the chunk that holds it."""
    before: datetime
    """All of it is older than this."""
    rows: int
    """By the planner's estimate."""
    bytes: int
    """With indexes, TOAST and chunks; of a plain table, its share by rows."""

    @property
    def days(self) -> int:
        """Return how many days it spans."""
        return -((self.first - self.before) // _DAY)


async def expiring(
    connection: Connection,
    relation: str,
    retention: timedelta,
    *,
    has_chunks: bool,
    is_rollup: bool,
) -> Expiry | None:
    """Return about how much of a relation that has policies would go; None if nothing."""
    cut: datetime = await connection.fetchval(_SQL["cut_at"], retention)
    parts = []
    if has_chunks:
        parts.append(await _in_chunks(connection, relation, cut))
    if is_rollup or not has_chunks:
        parts.append(await _in_rows(connection, relation, cut, is_rollup=is_rollup))
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return Expiry(
        first=min(part.first for part in found),
        before=max(part.before for part in found),
        rows=sum(part.rows for part in found),
        bytes=sum(part.bytes for part in found),
    )


async def _in_chunks(connection: Connection, relation: str, cut: datetime) -> Expiry | None:
    row = await connection.fetchrow(_SQL["expiring_chunks"], relation, cut)
    if row is None:
        return None
    return Expiry(
        first=row["first"],
        before=row["before"],
        rows=await _estimate(connection, row["estimate"]),
        bytes=row["bytes"],
    )


async def _in_rows(
    connection: Connection, relation: str, cut: datetime, *, is_rollup: bool
) -> Expiry | None:
    first: datetime | None = await (
        connection.fetchval(_SQL["oldest_in_rollup"], relation, cut)
        if is_rollup
        else connection.fetchval(_SQL[f"oldest_{relation}"], cut)
    )
    if first is None:
        return None
    row: Any = await connection.fetchrow(_SQL["expiring_rows"], relation, cut)
    rows = await _estimate(connection, row["estimate"])
    return Expiry(
        first=first,
        before=cut,
        rows=rows,
        bytes=row["bytes"] * rows // max(row["rows"], rows),
    )


async def _estimate(connection: Connection, explain: str) -> int:
    plan = json.loads(await connection.fetchval(explain))
    return max(1, int(plan[0]["Plan"]["Plan Rows"]))
