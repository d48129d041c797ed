"""How long calls took."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer
from observatory_store.api.answers.usage import GroupedRow, Intervals, grouped


class Quantile(Answer):
    """One quantile, within 1 % of the exact one."""

    quantile: float = Field(examples=[0.95])
    duration_ms: float = Field(examples=[1840.5])
    time_to_first_token_ms: float | None = Field(examples=[310.2])
    """Of the calls for which it is known; null if there are none."""


class HistogramBucket(Answer):
    """Calls that took longer than ``above_ms``, up to ``to_ms``."""

    above_ms: float
    to_ms: float
    requests: int


class LatencyRow(GroupedRow):
    """Calls of models in one interval and one group."""

    requests: int
    errors: int
    first_token_requests: int
    """Calls whose time to the first token is known."""
    mean_duration_ms: float
    max_duration_ms: float
    tokens_per_second: float | None
    """Output tokens by the time that they took to come; null without output tokens."""
    quantiles: list[Quantile]
    histogram: list[HistogramBucket] | None
    """Null if it was not asked for. Buckets without calls are left out."""


class Latency(Intervals):
    """Latency in a range."""

    rows: list[LatencyRow]


def latency_row(row: repositories.LatencyRow, quantiles: Sequence[float]) -> LatencyRow:
    """Return a row."""
    first = row.first_token_quantiles_us or (None,) * len(quantiles)
    return LatencyRow(
        **grouped(row),
        requests=row.requests,
        errors=row.errors,
        first_token_requests=row.first_token_requests,
        mean_duration_ms=row.mean_us / 1000,
        max_duration_ms=row.max_us / 1000,
        tokens_per_second=row.tokens_per_second,
        quantiles=[
            Quantile(
                quantile=quantile,
                duration_ms=us / 1000,
                time_to_first_token_ms=None if first_us is None else first_us / 1000,
            )
            for quantile, us, first_us in zip(quantiles, row.quantiles_us, first, strict=True)
        ],
        histogram=None
        if row.histogram is None
        else [
            HistogramBucket(
                above_ms=one.above_us / 1000, to_ms=one.to_us / 1000, requests=one.requests
            )
            for one in row.histogram
        ],
    )
