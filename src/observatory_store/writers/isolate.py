"""Keeping one row that the database refuses from taking its batch along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from observatory_store.writers.writer import Written

Row = TypeVar("Row")

# What one value can cause: out of range, not text, too large for an index or a row.
_REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
)


async def isolating(
    write: Callable[[Sequence[Row]], Awaitable[Written]], rows: Sequence[Row]
) -> Written:
    """Write the rows; where the database refuses some, halve until those are found alone.

    What the rows are checked for before they come here makes this rare. Its cost is bounded: about
    twice as many transactions as there are refused rows, times the logarithm of the batch.
    """
    try:
        return await write(rows)
    except _REFUSALS as error:
        if len(rows) == 1:
            return Written(rejected=1, problems=(f"the database refuses a record: {error}",))
    middle = len(rows) // 2
    first = await isolating(write, rows[:middle])
    second = await isolating(write, rows[middle:])
    return Written(
        stored=first.stored + second.stored,
        duplicates=first.duplicates + second.duplicates,
        rejected=first.rejected + second.rejected,
        problems=tuple(dict.fromkeys((*first.problems, *second.problems))),
    )
