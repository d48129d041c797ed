"""Keeping the prices in memory as those in the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from observatory_store.database import Pool
from observatory_store.errors import SchemaNotAppliedError, UnavailableError
from observatory_store.pricing import DatabasePrices, GenAIPrices
from observatory_store.repositories import PriceRepository

REFRESH_SECONDS = 60.0
"""How long a changed price may go unnoticed."""

FIRST_SECONDS = 5.0
"""How long to wait for the first load, and how soon to try again while there was none."""

logger = logging.getLogger(__name__)


async def present_prices(pool: Pool) -> DatabasePrices:
    """Return the prices as they are now, which stay as they are.

    Raises:
        UnavailableError: the database is away.

    """
    prices = DatabasePrices(GenAIPrices())
    rows = await PriceRepository(pool).load()
    await asyncio.to_thread(prices.use, rows)
    return prices


class PriceLoader:
    """Loads the prices whenever a sync has been made since."""

    def __init__(self, pool: Pool, prices: DatabasePrices) -> None:
        self._repository = PriceRepository(pool)
        self._prices = prices
        self._loaded: int | None = None
        self.has_loaded = False

    async def refresh(self) -> bool:
        """Load the prices if they have changed; return whether they had.

        What fails leaves the prices as they are: it is logged, and tried again next time.
        """
        try:
            newest = await self._repository.newest_sync()
            if self.has_loaded and newest == self._loaded:
                return False
            rows = await self._repository.load()
            # Some thousand rows take a quarter of a second: no caller is to wait for that.
            await asyncio.to_thread(self._prices.use, rows)
        except SchemaNotAppliedError:
            return False
        except UnavailableError as error:
            logger.warning("prices not refreshed: %s", error)
            return False
        except Exception:
            # Whatever it is, the next round may do better; without this there would be none.
            logger.exception("prices not refreshed")
            return False
        self._loaded, self.has_loaded = newest, True
        return True


@asynccontextmanager
async def prices_kept_fresh(
    pool: Pool, prices: DatabasePrices, *, seconds: float = REFRESH_SECONDS
) -> AsyncIterator[None]:
    """Load the prices first, and again whenever they have changed, until the block ends.

    A database that is away keeps nobody waiting for long: until it is back, the prices are those
    that ``prices`` falls back on.
    """
    loader = PriceLoader(pool, prices)
    with suppress(TimeoutError):
        async with asyncio.timeout(FIRST_SECONDS):
            await loader.refresh()
    task = asyncio.create_task(_refresh_again_and_again(loader, seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _refresh_again_and_again(loader: PriceLoader, seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds if loader.has_loaded else min(seconds, FIRST_SECONDS))
        await loader.refresh()
