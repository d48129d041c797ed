"""Refreshing the rollups where TimescaleDB's own policy does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

import msgspec

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.errors import InvalidInputError, UnavailableError
from observatory_store.maintenance.locks import REFRESH, SECONDS, held, release
from observatory_store.maintenance.refreshing import (
    each_rollup,
    recount,
    refresh_stale,
    refresh_whole,
)
from observatory_store.sql import load

_SQL = load("maintenance")
_DAY = timedelta(days=1)
_NO_TIME = timedelta()
OVERDUE = timedelta(minutes=10)
"""Many times what the service's own loop takes."""


class RollupStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rollup is behind its spans."""

    rollup: str
    edition: str
    pending_buckets: int
    """Parts of it that wait for a refresh. On apache and postgres they are counted at each query
    meanwhile; on community they are shown as of the last refresh."""
    oldest_pending: datetime | None
    """Since when the oldest of them waits."""
    late_from: datetime | None
    """From when on it may lack spans that came after it was counted, however late they were, on
    community. TimescaleDB's policy counts them within the hour; ``doctor`` tells if it fails."""

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether something waits so long that nobody seems to refresh."""
        return self.oldest_pending is not None and now - self.oldest_pending > OVERDUE


class BackfillProgress(msgspec.Struct, frozen=True, kw_only=True):
    """One day that was counted anew, in all rollups."""

    day: date
    days_done: int
    days: int


class Rollups:
    """The rollups of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def status(self) -> list[RollupStatus]:
        """Return how far each rollup is behind, in the order of their refresh."""
        with translate_failures():
            async with self._pool.acquire() as connection:
                return [RollupStatus(**row) for row in await connection.fetch(_SQL["pending"])]

    async def refresh(self) -> int:
        """Bring all rollups up to their spans; return how many noted quarter-hours that were.

        Waits for a refresh that another process has under way. Tries twice: after a failover the
        pool may first give out a connection to what was there before.

        Raises:
            RefreshError: the server refused to refresh a rollup; the others are refreshed.

        """
        try:
            return await self._refresh()
        except UnavailableError:
            return await self._refresh()

    async def _refresh(self) -> int:
        with translate_failures():
            async with self._pool.acquire() as connection, held(connection, REFRESH):
                noted: int = await connection.fetchval(_SQL["take_over"])
                await each_rollup(connection, refresh_whole)
                return noted

    async def refresh_noted(self, *, gather: timedelta = _NO_TIME) -> int | None:
        """Refresh what is noted and has ended; return None if another process is at it.

        Args:
            gather: how long what was noted waits for more of the same (community).

        """
        with translate_failures():
            async with self._pool.acquire() as connection:
                if not await connection.fetchval(_SQL["try_lock"], REFRESH):
                    return None
                try:
                    await connection.execute(_SQL["take_your_time"])
                    noted: int = await connection.fetchval(_SQL["take_over"])
                    await each_rollup(connection, partial(refresh_stale, gather=gather))
                    return noted
                finally:
                    await release(connection, REFRESH)

    async def backfill(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> AsyncIterator[BackfillProgress]:
        """Count the UTC days of the range anew in all rollups, oldest first; yield each when done.

        For rollups that are younger than their spans, or whose rows somebody has damaged. Only days
        whose spans are all still there are counted. What was done stays if it is stopped.

        Args:
            start: beginning of the range; by default of the oldest span.
            end: end of the range; by default the present.

        Raises:
            InvalidInputError: the range is empty.
            RefreshError: the server refused to refresh a rollup.

        """
        if start is not None and end is not None and start >= end:
            raise InvalidInputError("the range to backfill is empty: it begins after its end")
        with translate_failures():
            async with self._pool.acquire() as connection, held(connection, REFRESH):
                projects, first, last = await _extent(connection)
                days = _days(first, last, start, end)
                for done, day in enumerate(days, start=1):
                    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
                    count_day = partial(recount, start=begin, end=begin + _DAY, projects=projects)
                    await each_rollup(connection, count_day)
                    yield BackfillProgress(day=day, days_done=done, days=len(days))


async def _extent(connection: Connection) -> tuple[list[int], date | None, date | None]:
    """Return which projects have spans, if the refresh has to know, and of which UTC days."""
    edition = await connection.fetchval(_SQL["edition"])
    projects: list[int] = []
    if edition != "community":
        projects = await connection.fetchval(_SQL["projects_of_spans"], timeout=SECONDS) or []
    if edition == "postgres":
        found = await connection.fetchrow(_SQL["days_of_spans"], projects, timeout=SECONDS)
    else:
        found = await connection.fetchrow(_SQL["days_of_chunks"])
    return projects, found["first"], found["last"]


def _days(
    first: date | None, last: date | None, start: datetime | None, end: datetime | None
) -> list[date]:
    if first is None or last is None:
        return []
    if start is not None:
        first = max(first, start.astimezone(UTC).date())
    if end is not None:
        last = min(last, (end.astimezone(UTC) - timedelta(microseconds=1)).date())
    return [first + _DAY * n for n in range((last - first).days + 1)]
