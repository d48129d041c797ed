"""Trying again what may succeed in a moment."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import asyncpg

from observatory_store.database import Pool
from observatory_store.writers.submission import Submission, Written

Row = TypeVar("Row")

RETRY_SECONDS: Final = 5.0
"""How long a batch is tried again before those who sent it are told to come back later."""

_FIRST_DELAY, _LONGEST_DELAY = 0.05, 1.0

_TRANSIENT: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    # A deadlock, a serialization failure.
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
    # A COPY that waited while the table became a hypertable.
    asyncpg.FeatureNotSupportedError,
)


async def retrying(
    pool: Pool,
    write: Callable[[Sequence[Submission[Row]]], Awaitable[list[Written]]],
    submissions: Sequence[Submission[Row]],
    *,
    on_retry: Callable[[], None],
    seconds: float = RETRY_SECONDS,
) -> list[Written]:
    """Write the submissions, again and again while that fails for a reason that may pass.

    To do so is safe even where the answer to a COMMIT was lost: what is stored already is not
    stored again. Each time, ``on_retry`` is called before.
    """
    until = time.monotonic() + seconds
    delay = _FIRST_DELAY
    while True:
        try:
            return await write(submissions)
        except _TRANSIENT as error:
            if time.monotonic() + delay > until:
                raise
            if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                # After a failover: the other connections lead to the former primary as well.
                await pool.expire_connections()
        on_retry()
        await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - spreads the retries
        delay = min(2 * delay, _LONGEST_DELAY)
