"""How long calls took, and until their first token came: quantiles and histograms."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, LiteralString

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.families import (
    DIMENSIONS,
    FIRST_TOKEN,
    LATENCY,
    SPEED,
    Family,
    serving,
)
from observatory_store.repositories.analytics.plan import Plan
from observatory_store.repositories.analytics.query import SQL, quantiles_query
from observatory_store.repositories.analytics.question import (
    MOST_ROWS,
    TOO_MANY_ROWS,
    Analysis,
    Question,
    of_models_only,
)
from observatory_store.repositories.analytics.rows import Rows
from observatory_store.repositories.analytics.usage import GroupedRow, group_of

QUANTILES = (0.5, 0.9, 0.95, 0.99)
MOST_QUANTILES = 20

_LN_G = math.log(1.01 / 0.99)
_MOST_STEPS = 50_000
_BUCKETS_IN_ONE = 18
"""So that a bucket of a histogram is 1.43 times as wide as the one before."""


class HistogramBucket(msgspec.Struct, frozen=True):
    """Calls that took longer than ``above_us``, up to ``to_us`` microseconds."""

    above_us: float
    to_us: float
    requests: int


class LatencyRow(GroupedRow, frozen=True, kw_only=True):
    """Latency of calls of models in one interval and one group. Quantiles are within 1 %."""

    requests: int
    errors: int
    mean_us: float
    max_us: int
    quantiles_us: tuple[float, ...]
    """One for each quantile that was asked for, microseconds."""
    first_token_requests: int = 0
    """Calls whose time to the first token is known."""
    first_token_quantiles_us: tuple[float, ...] | None = None
    """Of these calls; None if there are none."""
    tokens_per_second: float | None = None
    """Output tokens by the time that they took to come; None without output tokens."""
    histogram: tuple[HistogramBucket, ...] | None = None
    """Of the durations; None if it was not asked for."""


def check_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Return the quantiles.

    Raises:
        InvalidInputError: one is no number from 0 to 1, or there are none, or too many.

    """
    if not isinstance(quantiles, Iterable):
        raise InvalidInputError(f"quantile: give a list of numbers, not {quantiles!r:.100}")
    values = tuple(quantiles)
    if not 1 <= len(values) <= MOST_QUANTILES:
        raise InvalidInputError(f"quantile: give 1 to {MOST_QUANTILES}, not {len(values)}")
    if bad := [q for q in values if not isinstance(q, int | float) or not 0 <= q <= 1]:
        raise InvalidInputError(f"quantile: {bad[0]!r:.100} is not from 0 to 1")
    return values


async def latency(
    analysis: Analysis,
    question: Question,
    project: str | None,
    *,
    quantiles: tuple[float, ...],
    histogram: bool,
) -> Rows[LatencyRow]:
    """Return the latency that a question asks for.

    Raises:
        InvalidInputError: it cannot be answered, or the answer is too long.

    """
    of_models_only(question)
    families = [serving(one, question.dimensions) for one in (LATENCY, FIRST_TOKEN, SPEED)]
    plans = await analysis.plans(question, *families)
    durations, first_tokens, speeds = (
        _asked(analysis, question, *pair) for pair in zip(families, plans, strict=True)
    )
    wanted, query = list(quantiles), quantiles_query(len(quantiles))
    records, by_duration, by_first_token, steps = await together(
        speeds(SQL["speed"], MOST_ROWS + 1),
        durations(query, wanted, MOST_ROWS + 1),
        first_tokens(query, wanted, MOST_ROWS + 1),
        durations(SQL["histogram"], _BUCKETS_IN_ONE, _MOST_STEPS + 1) if histogram else _nothing(),
    )
    if len(records) > MOST_ROWS or len(steps) > _MOST_STEPS:
        raise InvalidInputError(TOO_MANY_ROWS)
    of_durations, of_first_tokens = _by_group(by_duration), _by_group(by_first_token)
    histograms: dict[Any, list[HistogramBucket]] = {}
    for step in steps:
        bucket = HistogramBucket(*_bounds(step["step"]), step["requests"])
        histograms.setdefault(_key(step), []).append(bucket)
    rows = [
        LatencyRow(
            **group_of(record, question, project),
            requests=record["requests"],
            errors=record["errors"],
            mean_us=record["duration_us"] / record["requests"],
            max_us=record["max_duration_us"],
            tokens_per_second=record["tokens_per_second"],
            quantiles_us=tuple(of_durations[key]["quantiles"]),
            first_token_requests=of_first_tokens[key]["requests"] if key in of_first_tokens else 0,
            first_token_quantiles_us=(
                tuple(of_first_tokens[key]["quantiles"]) if key in of_first_tokens else None
            ),
            histogram=tuple(histograms[key]) if histogram else None,
        )
        for record in records
        # What came between two of these statements is in the next answer.
        if (key := _key(record)) in of_durations and (not histogram or key in histograms)
    ]
    return Rows(rows, plans[0].covered, LatencyRow)


async def together(*asked: Coroutine[Any, Any, list[Any]]) -> list[list[Any]]:
    """Return all answers; where one fails, end the others and raise its error alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in asked]
    except ExceptionGroup as failed:
        error = failed.exceptions[0]
    else:
        return [task.result() for task in tasks]
    raise error


async def _nothing() -> list[Any]:
    return []


def _asked(
    analysis: Analysis, question: Question, family: Family, plan: Plan
) -> Callable[..., Coroutine[Any, Any, list[Any]]]:
    async def asked(query: LiteralString, *arguments: Any) -> list[Any]:  # noqa: ANN401
        return await analysis.answer(query, question, family, plan, list(plan.starts), *arguments)

    return asked


def _key(record: Any) -> tuple[Any, ...]:  # noqa: ANN401 - asyncpg's Record
    return record["slot"], *(record.get(name) for name in DIMENSIONS)


def _by_group(records: Sequence[Any]) -> dict[tuple[Any, ...], Any]:
    return {_key(record): record for record in records}


def _bounds(step: int) -> tuple[float, float]:
    if step < 0:
        return 0.0, 0.0
    width = _LN_G * _BUCKETS_IN_ONE
    return (math.exp(width * (step - 1)) if step else 0.0), math.exp(width * step)
