"""What has to be done from time to time, in the right order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import ObservatoryError
from observatory_store.maintenance.retention import drop_expired
from observatory_store.maintenance.rollups import Rollups
from observatory_store.maintenance.text_indexes import index_texts

_GATHER = timedelta(minutes=5)
"""How long the service's own loop lets late spans gather on community, where a refresh of the days
that they are in, of all rollups, for each few of them would never end."""

logger = logging.getLogger(__name__)


class MaintainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did."""

    refreshed_buckets: int
    dropped: tuple[str, ...]
    indexed: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report for people."""
        return [
            f"refreshed {self.refreshed_buckets} changed quarter-hours",
            *self.dropped,
            *self.indexed,
        ]


async def maintain(pool: Pool) -> MaintainReport:
    """Refresh the rollups, drop what has expired, then index the words of finished days.

    In this order, because what is dropped can be counted no more. To run it twice, or in many
    processes at once, does no harm: each waits for what another does, but for the indexes, and does
    the rest.
    """
    return await _drop_and_index(pool, await Rollups(pool).refresh())


async def keep_maintained(
    pool: Pool, *, seconds: float = 30.0, expire_seconds: float = 3600.0
) -> None:
    """Do the same again and again, until cancelled; one process at a time does it.

    Args:
        pool: connections to the database.
        seconds: between refreshes of the rollups' ended buckets.
        expire_seconds: between the droppings of what has expired, with the indexing of words.

    """
    rollups = Rollups(pool)

    async def refresh() -> None:
        await rollups.refresh_noted(gather=_GATHER)

    async def expire() -> None:
        refreshed = await rollups.refresh_noted()
        if refreshed is not None:
            report = await _drop_and_index(pool, refreshed)
            for line in (*report.dropped, *report.indexed):
                logger.info(line)

    async with asyncio.TaskGroup() as group:
        group.create_task(_again_and_again(refresh, seconds, "rollups not refreshed"))
        group.create_task(_again_and_again(expire, expire_seconds, "not maintained"))


async def _drop_and_index(pool: Pool, refreshed: int) -> MaintainReport:
    with translate_failures():
        dropped = await drop_expired(pool)
        indexed = await index_texts(pool)
    return MaintainReport(
        refreshed_buckets=refreshed, dropped=tuple(dropped), indexed=tuple(indexed)
    )


async def _again_and_again(
    work: Callable[[], Awaitable[None]], seconds: float, failure: str
) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except ObservatoryError as error:
            logger.warning("%s: %s", failure, error)
        except Exception:
            # Whatever it is, the next round may do better; without this there would be none.
            logger.exception(failure)
