"""Keeping one row that the database refuses from taking its batch along."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import asyncpg
import msgspec

from observatory_store.writers.submission import Submission, Written

Row = TypeVar("Row")

# What one value can cause: out of range, not text, too large for an index or a row.
_REFUSALS: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    # From encoding what a program built: a lone surrogate, an id that is not hex, a wrong type.
    OverflowError,
    TypeError,
    ValueError,
)


async def isolating(
    write: Callable[[Sequence[Submission[Row]]], Awaitable[list[Written]]],
    submissions: Sequence[Submission[Row]],
) -> list[Written]:
    """Write the submissions; where the database refuses a row, halve until it is found alone.

    What the rows are checked for before they come here makes this rare. Its cost is bounded: about
    twice as many transactions as there are refused rows, times the logarithm of the batch.
    """
    try:
        return await write(submissions)
    except _REFUSALS as error:
        if len(submissions) > 1:
            middle = len(submissions) // 2
            return [
                *await isolating(write, submissions[:middle]),
                *await isolating(write, submissions[middle:]),
            ]
        (one,) = submissions
        if len(one.rows) == 1:
            problem = f"the database refuses a record: {error}"
            return [Written(rejected=1, problems=(problem,))]
    middle = len(one.rows) // 2
    first, second = [
        msgspec.structs.replace(one, rows=rows) for rows in (one.rows[:middle], one.rows[middle:])
    ]
    (before,) = await isolating(write, [first])
    (after,) = await isolating(write, [second])
    return [before + after]
