"""Refreshing the rollups where TimescaleDB's own policy does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.errors import UnavailableError
from observatory_store.sql import load

_SQL = load("maintenance")
_LOCK = 0x6F62735F726F6C6C  # "obs_roll"
_BUCKETS_A_STATEMENT = 500
_SECONDS = 6 * 3600.0
"""Longest that one statement of a refresh may take."""

OVERDUE = timedelta(minutes=10)
"""Many times what the service's own loop takes."""

logger = logging.getLogger(__name__)


class RollupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rollup is behind its spans."""

    rollup: str
    edition: str
    pending_buckets: int
    """Quarter-hours that wait for a refresh. On apache and postgres they are read from raw spans
    meanwhile; on community they are shown as of the last refresh."""
    oldest_pending: datetime | None
    """Since when the oldest of them waits."""

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether something waits so long that nobody seems to refresh."""
        return self.oldest_pending is not None and now - self.oldest_pending > OVERDUE


class Rollups:
    """The rollups of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def status(self) -> RollupStatus:
        """Return how far the rollups are behind."""
        with translate_failures():
            async with self._pool.acquire() as connection:
                pending = await connection.fetchrow(_SQL["pending"])
                return RollupStatus(
                    rollup="llm_usage_15m",
                    edition=await connection.fetchval(_SQL["edition"]),
                    pending_buckets=pending["buckets"],
                    oldest_pending=pending["oldest"],
                )

    async def refresh(self) -> int:
        """Bring the rollups up to their spans; return how many noted quarter-hours that were.

        Waits for a refresh that another process has under way. Tries twice: after a failover the
        pool may first give out a connection to what was there before.
        """
        try:
            return await self._refresh()
        except UnavailableError:
            return await self._refresh()

    async def _refresh(self) -> int:
        with translate_failures():
            async with self._pool.acquire() as connection, _locked(connection):
                refreshed = await _refresh_noted(connection)
                if await connection.fetchval(_SQL["edition"]) == "community":
                    window = await connection.fetchrow(_SQL["refresh_window"])
                    await connection.execute(
                        _SQL["refresh_aggregate"],
                        window["oldest"],
                        window["newest"],
                        timeout=_SECONDS,
                    )
                return refreshed

    async def refresh_noted(self) -> int | None:
        """Refresh what is noted, unless another process is at it; then return None."""
        with translate_failures():
            async with self._pool.acquire() as connection:
                if not await connection.fetchval(_SQL["try_lock"], _LOCK):
                    return None
                try:
                    await connection.execute(_SQL["take_your_time"])
                    return await _refresh_noted(connection)
                finally:
                    await _unlock(connection)


async def keep_refreshed(pool: Pool, *, seconds: float = 30.0) -> None:
    """Refresh what is noted again and again, until cancelled; one process at a time does it."""
    rollups = Rollups(pool)
    while True:
        await asyncio.sleep(seconds)
        try:
            await rollups.refresh_noted()
        except UnavailableError as error:
            logger.warning("rollups not refreshed: %s", error)
        except Exception:
            # Whatever it is, the next round may do better; without this there would be none.
            logger.exception("rollups not refreshed")


@asynccontextmanager
async def _locked(connection: Connection) -> AsyncIterator[None]:
    # The other's refresh may well take longer than a statement may.
    await connection.execute(_SQL["take_your_time"])
    await connection.execute(_SQL["wait_for_locks"])
    await connection.execute(_SQL["lock"], _LOCK, timeout=_SECONDS)
    await connection.execute(_SQL["wait_no_longer"])
    try:
        yield
    finally:
        await _unlock(connection)


async def _unlock(connection: Connection) -> None:
    # With a connection that is lost the lock went too, and its loss is the error to be told.
    if not connection.is_closed():
        await connection.execute(_SQL["unlock"], _LOCK)


async def _refresh_noted(connection: Connection) -> int:
    if await connection.fetchval(_SQL["edition"]) == "community":
        return await _refresh_noted_windows(connection)
    refreshed = 0
    while count := await connection.fetchval(
        _SQL["refresh_changed"], _BUCKETS_A_STATEMENT, timeout=_SECONDS
    ):
        refreshed += count
    return refreshed


async def _refresh_noted_windows(connection: Connection) -> int:
    oldest = (await connection.fetchrow(_SQL["refresh_window"]))["oldest"]
    refreshed = 0
    for window in await connection.fetch(_SQL["noted_windows"]):
        # A window that raw no longer has whole would wipe what the aggregate still knows of it.
        first = window["first"] if oldest is None else max(window["first"], oldest)
        if first < window["last"]:
            await connection.execute(
                _SQL["refresh_aggregate"], first, window["last"], timeout=_SECONDS
            )
        await connection.execute(_SQL["forget_noted"], window["rows"])
        refreshed += window["buckets"]
    return refreshed
