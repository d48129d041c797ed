"""Bringing one rollup up to its source."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import asyncpg
import msgspec

from observatory_store.database import Connection, translate_failures
from observatory_store.errors import RefreshError
from observatory_store.maintenance.locks import SECONDS
from observatory_store.sql import load

_SQL = load("maintenance")
_AT_ONCE = timedelta(days=5)
_AGAIN_SECONDS = 1.0
_MOST_ATTEMPTS = 3600


class Rollup(msgspec.Struct, frozen=True):
    """What a refresh has to know of a rollup."""

    name: str
    unit: timedelta
    """What is counted at once."""

    @property
    def units_a_statement(self) -> int:
        """Return how many one statement counts."""
        return max(1, _AT_ONCE // self.unit)


async def each_rollup(
    connection: Connection, refresh: Callable[[Connection, Rollup], Awaitable[None]]
) -> None:
    """Refresh all rollups, finest first; one that fails does not keep back the others."""
    failures = []
    for row in await connection.fetch(_SQL["stored_rollups"]):
        rollup = Rollup(row["name"], row["unit"])
        try:
            with translate_failures():
                await refresh(connection, rollup)
        except asyncpg.PostgresError as error:
            failure = RefreshError(f"{rollup.name} could not be refreshed: {error}")
            failure.__cause__ = error
            failures.append(failure)
    if failures:
        raise failures[0]


async def refresh_whole(connection: Connection, rollup: Rollup) -> None:
    """Bring the rollup up to its source, the current buckets too."""
    await refresh_stale(connection, rollup, ended=False)
    if await _is_aggregate(connection):
        await _refresh_window(connection, rollup, None, None)


async def refresh_stale(
    connection: Connection,
    rollup: Rollup,
    *,
    ended: bool = True,
    gather: timedelta = timedelta(),
) -> None:
    """Count what was taken over for the rollup; unless ``ended``, also what still goes on."""
    if not await _is_aggregate(connection):
        while await connection.fetchval(
            _SQL["recount"], rollup.name, ended, rollup.units_a_statement, timeout=SECONDS
        ):
            pass
        return
    before = await connection.fetchval(_SQL["gathered_before"], gather)
    for window in await connection.fetch(_SQL["stale_windows"], rollup.name, before):
        await _refresh_window(connection, rollup, window["first"], window["last"])
    await connection.execute(_SQL["forget_stale"], rollup.name, before)


async def recount(
    connection: Connection,
    rollup: Rollup,
    start: datetime,
    end: datetime,
    projects: list[int],
) -> None:
    """Count the rollup anew in a range, whether it is known to be stale or not."""
    if await _is_aggregate(connection):
        await _refresh_window(connection, rollup, start, end, force=True)
    else:
        await connection.execute(_SQL["mark_stale"], rollup.name, start, end, projects)
        await refresh_stale(connection, rollup, ended=False)


async def _is_aggregate(connection: Connection) -> bool:
    edition: str = await connection.fetchval(_SQL["edition"])
    return edition == "community"


async def _refresh_window(
    connection: Connection,
    rollup: Rollup,
    start: datetime | None,
    end: datetime | None,
    *,
    force: bool = False,
) -> None:
    """Have TimescaleDB refresh the part of the range whose source is whole and that has ended."""
    window = await connection.fetchrow(_SQL["whole_window"], rollup.name, start, end)
    if window is None:
        return
    refresh = (_SQL["refresh_aggregate"], rollup.name, window["first"], window["last"], force)
    for attempt in itertools.count(1):
        try:
            await connection.execute(*refresh, timeout=SECONDS)
        except asyncpg.LockNotAvailableError:
            if attempt == _MOST_ATTEMPTS:
                raise
            # Its job is at it; TimescaleDB does not wait for that by itself.
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return
