"""Keeping what the database refuses, or fails at, from taking its batch along."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import asyncpg
import msgspec

from observatory_store.database import is_fault
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

_MOST_FAULTS: Final = 16
"""Transactions that fail one after the other before it is the database. More than the halvings of
any batch, so that one submission is always found."""
_FAULTS_SECONDS: Final = 10.0
"""How long a batch is halved, for faults that take their time."""


async def separating(
    write: Callable[[Sequence[Submission[Row]]], Awaitable[list[Written]]],
    submissions: Sequence[Submission[Row]],
) -> list[Written | Exception]:
    """Write the submissions; where the database fails at them together, find those it fails at.

    Those have the error in their place, and so have those that were not tried because nothing got
    through any more. What the database is to blame for whatever it is given is raised.
    """
    results: list[Written | Exception] = []
    waiting = [submissions]
    faults = 0
    until = time.monotonic() + _FAULTS_SECONDS
    while waiting:
        part = waiting.pop()
        try:
            results += await write(part)
            faults = 0
        except Exception as error:
            if not is_fault(error):
                raise
            faults += 1
            if faults >= _MOST_FAULTS or time.monotonic() > until:
                return results + [error] * (len(submissions) - len(results))
            if len(part) == 1:
                results.append(error)
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
    return results


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
