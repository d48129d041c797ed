"""Quantiles and histograms of any range agree with the durations of the spans."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from analytics.recount import EXPRESSIONS, bucket, random_range, rich, source, where
from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance import Rollups
from observatory_store.repositories.analytics import LatencyRow
from storage.samples import now, query, span

QUANTILES = (0.0, 0.5, 0.9, 0.95, 0.99, 1.0)
EXACT = """
    count(*), count(*) FILTER (WHERE status = 'error'), avg(duration_us), max(duration_us),
    percentile_disc(ARRAY[0, 0.5, 1]::float8[]) WITHIN GROUP (ORDER BY duration_us),
    count(time_to_first_token_ms), min(round(time_to_first_token_ms * 1000)),
    max(round(time_to_first_token_ms * 1000)),
    1000000 * sum(output_tokens) / nullif(sum(
        CASE WHEN output_tokens > 0 THEN greatest(
            duration_us - coalesce(round(time_to_first_token_ms * 1000), 0), 0) END), 0)
"""


def near(one: float, other: Any) -> bool:
    """Tell whether a quantile is within a hundredth, as promised."""
    return abs(one - float(other)) <= 0.0100001 * float(other)


async def check(store: Store, url: str, seed: int) -> None:
    """Compare an arbitrary question with a recount."""
    chance = random.Random(seed)
    start, end = random_range(chance, now(), chance.choice([1, 14]))
    groups = chance.sample(
        ["provider", "model", "service", "user", "tag"], chance.choice([0, 1, 2])
    )
    filters: dict[str, Any] = chance.choice([{}, {"model": "gpt-4o"}, {"service": "search"}])
    interval = chance.choice([None, "1h", "1d"])
    tz = chance.choice(["UTC", "Asia/Kathmandu"])
    rows = await store.analytics.latency(
        start,
        end,
        quantiles=QUANTILES,
        histogram=True,
        group_by=groups,
        interval=interval,
        tz=tz,
        **filters,
    )
    keys = ", ".join(
        EXPRESSIONS[name] if name in groups else "NULL::text"
        for name in ("provider", "model", "service", "user", "tag")
    )
    expected = {
        record[:6]: record[6:]
        for record in query(
            url,
            f"SELECT {bucket(interval, tz)}, {keys}, {EXACT} FROM {source(groups)}"
            f" WHERE {where(start, end, filters, groups)} GROUP BY 1, 2, 3, 4, 5, 6",
        )
    }
    assert len(rows) == len(expected)
    for row in rows:
        _check(row, expected[row.bucket, row.provider, row.model, row.service, row.user, row.tag])


def _check(row: LatencyRow, exact: tuple[Any, ...]) -> None:
    requests, errors, mean, longest, quantiles, first, first_min, first_max, speed = exact
    assert (row.requests, row.errors, row.max_us) == (requests, errors, longest)
    assert row.mean_us == pytest.approx(float(mean))
    assert near(row.quantiles_us[0], quantiles[0])
    assert near(row.quantiles_us[-1], quantiles[2])
    assert list(row.quantiles_us) == sorted(row.quantiles_us)
    if requests % 2:
        assert near(row.quantiles_us[1], quantiles[1])
    assert row.first_token_requests == first
    if row.first_token_quantiles_us is None:
        assert first == 0
    else:
        assert near(row.first_token_quantiles_us[0], first_min)
        assert near(row.first_token_quantiles_us[-1], first_max)
    assert row.tokens_per_second == (None if speed is None else pytest.approx(float(speed)))
    assert row.histogram is not None
    assert sum(one.requests for one in row.histogram) == requests
    assert row.histogram[0].above_us < quantiles[0] <= row.histogram[0].to_us * 1.000001
    assert row.histogram[-1].above_us < longest <= row.histogram[-1].to_us * 1.000001


async def test_latency_is_that_of_the_spans(database_url: str) -> None:
    """Within one hundredth, over any range and group, and all columns of the same calls."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(500, seed=1, over=timedelta(days=13)))
        await store.write_spans(rich(200, seed=2, over=timedelta(hours=20)))
        await Rollups(pool).refresh()
        for seed in range(40):
            await check(store, database_url, seed)


@pytest.mark.editions("postgres")
async def test_calls_that_took_no_time(database_url: str) -> None:
    """A duration of 0 is one, and not below all buckets."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(n, duration_us=n % 2) for n in range(1, 5)])
        (row,) = await store.analytics.latency(
            now() - timedelta(hours=1), now(), histogram=True, quantiles=[0, 1]
        )
        assert list(row.quantiles_us) == pytest.approx([0, 0.99])
        assert row.histogram is not None
        assert [(one.above_us, one.to_us, one.requests) for one in row.histogram] == [
            (0.0, 0.0, 2),
            (0.0, 1.0, 2),
        ]
        assert (row.first_token_quantiles_us, row.first_token_requests) == (None, 0)
        for quantiles in ([], [1.5], [float("nan")], [0.5] * 21):
            with pytest.raises(InvalidInputError, match=r"^quantile: "):
                await store.analytics.latency(
                    now() - timedelta(hours=1), now(), quantiles=quantiles
                )
        with pytest.raises(InvalidInputError, match="tool"):
            await store.analytics.latency(now() - timedelta(hours=1), now(), group_by=["tool"])
