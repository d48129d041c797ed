"""Computing stored costs again, by the prices that were in force when the calls began."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ObservatoryError,
)
from observatory_store.maintenance.recost_run import RecostRange, RecostReport, RecostRun
from observatory_store.maintenance.rollups import Rollups
from observatory_store.pricing import Pricer
from observatory_store.settings import CostSource
from observatory_store.sql import load

_SQL = load("recosts")
LOCK: Final = 0x6F62735F636F7374  # "obs_cost"
"""Key of the advisory lock of a recost that is under way."""
_CONNECTIONS: Final = 2
"""Its own, and that of the rollups' refresh."""

logger = logging.getLogger(__name__)


class Recosts:
    """Computes the costs of one database again."""

    def __init__(self, pool: Pool, pricer: Pricer, cost: CostSource = CostSource.COMPUTED) -> None:
        """``pricer`` has the prices that are used to the end; ``cost`` says which cost is taken."""
        self._pool = pool
        self._pricer = pricer
        self._cost = cost

    async def preview(
        self, wanted: RecostRange, *, show: Callable[[RecostReport], None] | None = None
    ) -> RecostReport:
        """Return what :meth:`run` would do, and change nothing.

        Raises:
            InvalidInputError: the range is empty.

        """
        _check(wanted)
        with translate_failures():
            async with self._pool.acquire() as connection:
                await connection.execute(_SQL["take_your_time"])
                run = RecostRun(self._pricer, self._cost, wanted, None)
                async for report in run.days(connection):
                    if show is not None:
                        show(report)
                return run.report()

    async def run(
        self,
        wanted: RecostRange,
        *,
        by: str | None = None,
        reason: str | None = None,
        show: Callable[[RecostReport], None] | None = None,
    ) -> RecostReport:
        """Compute the costs of a range again, oldest day first, and bring the rollups up to them.

        Some thousand calls are one transaction, in which the days of traces, the record in
        ``recosts`` and the notes for the rollups change too: what was done stays if it is stopped.
        To do it twice changes nothing more.

        Args:
            wanted: which calls.
            by: who wants it; None is the role of the database.
            reason: why.
            show: is called after each day.

        Raises:
            InvalidInputError: the range is empty, or a text has what the database does not take.
            ConflictError: another recost is under way.
            RefreshError: the costs are right, but the server refused to refresh a rollup.

        """
        _check(wanted, by, reason)
        async with self._alone() as connection:
            recost_id = await connection.fetchval(
                _SQL["begin"],
                by,
                reason,
                wanted.start,
                wanted.end,
                wanted.project_id,
                wanted.provider,
                wanted.model,
                self._cost.value,
                *await _prices(connection),
            )
            return await self._finish(connection, wanted, recost_id, show)

    async def resume(
        self, recost_id: int, *, show: Callable[[RecostReport], None] | None = None
    ) -> RecostReport:
        """Go on with a recost that was stopped.

        Raises:
            NotFoundError: there is none with this id.
            InvalidInputError: it is finished, or prices were synced or set since, so that one half
                would be by other prices than the other.
            ConflictError, RefreshError: as for :meth:`run`.

        """
        async with self._alone() as connection:
            row = await connection.fetchrow(_SQL["by_id"], recost_id)
            if row is None:
                raise NotFoundError(f"there is no recost {recost_id}")
            if row["finished_at"] is not None:
                raise InvalidInputError(f"recost {recost_id} is finished")
            before = (row["price_sync_id"], row["bundled_prices"], row["cost_source"])
            if before != (*await _prices(connection), self._cost.value):
                raise InvalidInputError(
                    f"prices have changed since recost {recost_id} began: begin another one"
                )
            wanted = RecostRange(
                start=row["range_start"],
                end=row["range_end"],
                project_id=row["project_id"],
                provider=row["provider"],
                model=row["model"],
            )
            return await self._finish(connection, wanted, recost_id, show, row)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        if self._pool.get_max_size() < _CONNECTIONS:
            raise InvalidInputError("a recost takes two connections: let the pool have as many")
        with translate_failures():
            async with self._pool.acquire() as connection:
                await connection.execute(_SQL["take_your_time"])
                if not await connection.fetchval(_SQL["try_lock"], LOCK):
                    raise ConflictError("another recost is under way: wait for it, or stop it")
                try:
                    yield connection
                finally:
                    if not connection.is_closed():
                        await connection.execute(_SQL["unlock"], LOCK)

    async def _finish(
        self,
        connection: Connection,
        wanted: RecostRange,
        recost_id: int,
        show: Callable[[RecostReport], None] | None,
        row: Any = None,  # noqa: ANN401 - asyncpg's Record
    ) -> RecostReport:
        run = RecostRun(self._pricer, self._cost, wanted, recost_id, row)
        rollups = Rollups(self._pool)
        refreshed = 0
        async for report in run.days(connection):
            if show is not None:
                show(report)
            if report.changed > refreshed:
                refreshed = report.changed
                try:
                    await rollups.refresh_noted()
                except ObservatoryError as error:
                    logger.warning("rollups not refreshed: %s", error)
        report = run.report()
        if report.changed:
            await rollups.refresh()
        await connection.execute(_SQL["finish"], recost_id)
        return report


async def _prices(connection: Connection) -> tuple[int | None, str]:
    """Return what changes whenever a price does."""
    return await connection.fetchval(_SQL["newest_sync"]), version("genai-prices")


def _check(wanted: RecostRange, *texts: str | None) -> None:
    for text in (wanted.provider, wanted.model, *texts):
        if text is not None and not _is_storable(text):
            raise InvalidInputError(f"{text!r} has a character that no text of the database has")
    if wanted.start.tzinfo is None or wanted.end.tzinfo is None:
        raise InvalidInputError("a time of the range lacks a time zone")
    if wanted.start >= wanted.end:
        raise InvalidInputError("the range to recost is empty: it begins after its end")


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
