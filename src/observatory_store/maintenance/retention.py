"""Dropping what is older than its policy says, where TimescaleDB does not do it by itself."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from observatory_store.database import Connection, Pool
from observatory_store.maintenance.locks import EXPIRY, REFRESH, SECONDS, held
from observatory_store.sql import load

_SQL = load("maintenance")
_ROWS_A_STATEMENT = 10_000
_SECONDS = 600.0


async def drop_expired(pool: Pool) -> list[str]:
    """Drop expired chunks (apache) or delete expired rows (postgres); say what was done.

    On community the retention policies do this for all but the rollups' history. Waits for another
    process that is at it, and then finds nothing to do.
    """
    async with pool.acquire() as connection, held(connection, EXPIRY):
        # What is dropped is locked against all who read it: they must not queue behind it.
        await connection.execute(_SQL["wait_no_longer"])
        return await _drop_all(connection)


async def _drop_all(connection: Connection) -> list[str]:
    edition = await connection.fetchval(_SQL["edition"])
    lines = []
    for row in await connection.fetch(_SQL["retention"]):
        relation, cut = row["relation"], row["cut"]
        try:
            if row["is_rollup"]:
                done = f"{await _expire(connection, relation, cut)} rows"
            elif edition == "postgres":
                done = f"{await _delete(connection, relation, cut)} rows"
            elif edition == "apache":
                done = f"{await _drop_chunks(connection, relation, cut)} chunks"
            else:
                continue
        except asyncpg.LockNotAvailableError:
            lines.append(f"{relation}: left for the next run, as others have it locked")
            continue
        if not done.startswith("0 "):
            lines.append(f"{relation}: dropped {done} from before {cut:%Y-%m-%d}")
    return lines


async def _drop_chunks(connection: Connection, relation: str, cut: datetime) -> int:
    by_date = relation == "trace_days"
    async with connection.transaction():
        # A chunk that is dropped is gone for a refresh that began before as well.
        await connection.execute(_SQL["wait_for_locks_here"])
        await connection.execute(_SQL["lock_until_committed"], REFRESH, timeout=SECONDS)
        await connection.execute(_SQL["wait_no_longer_here"])
        await connection.execute(_SQL["note_complete_from"], relation, cut)
        dropped: int = await connection.fetchval(
            _SQL["drop_chunks_by_date" if by_date else "drop_chunks"],
            f"observatory.{relation}",
            cut,
            timeout=_SECONDS,
        )
    return dropped


async def _delete(connection: Connection, relation: str, cut: datetime) -> int:
    # First, so that no rollup reads a range of which a part is deleted already.
    await connection.execute(_SQL["note_complete_from"], relation, cut)
    deleted = 0
    while True:
        tag = await connection.execute(
            _SQL[f"delete_{relation}"], cut, _ROWS_A_STATEMENT, timeout=_SECONDS
        )
        count = int(tag.rpartition(" ")[2])
        deleted += count
        if count < _ROWS_A_STATEMENT:
            return deleted


async def _expire(connection: Connection, rollup: str, cut: datetime) -> int:
    await connection.execute(_SQL["note_complete_from"], rollup, cut)
    expired = 0
    while True:
        count: int = await connection.fetchval(
            _SQL["expire_rollup"], rollup, cut, _ROWS_A_STATEMENT, timeout=_SECONDS
        )
        expired += count
        if count < _ROWS_A_STATEMENT:
            return expired
