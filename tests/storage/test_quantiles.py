"""Quantiles from counts by bucket: within 1 % of the exact ones, and the same however merged."""

from __future__ import annotations

import math
import random
from collections import Counter
from decimal import Decimal

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.samples import query

LONGEST_US = 86_400_000_000
"""24 hours."""
WITHIN = 0.010001
UNIFORM = "((n * 0.6180339887498949) % 1)"
OTHER_UNIFORM = "((n * 0.7548776662466927) % 1)"
NORMAL = f"sqrt(-2 * ln(1 - {UNIFORM})) * cos(2 * pi() * {OTHER_UNIFORM}::float8)"
DISTRIBUTIONS = {
    "constant": "777",
    "shortest": "1",
    "longest": str(LONGEST_US),
    "two values": f"CASE n % 3 WHEN 0 THEN {LONGEST_US} ELSE 1 END",
    "zeros": "CASE WHEN n % 10 = 0 THEN 0 ELSE 900 + n % 200 END",
    "uniform": f"1 + {UNIFORM} * 50000",
    "skewed (log-normal)": f"exp(13 + 2 * {NORMAL})",
    "heavy tail (Pareto)": f"1000 / (1 - {UNIFORM}) ^ 1.5",
    "bimodal": f"CASE WHEN n % 4 = 0 THEN 30e6 * (1 + {UNIFORM}) ELSE 40e3 * (1 + {UNIFORM}) END",
    "all lengths (log-uniform)": f"exp(ln({LONGEST_US}) * {UNIFORM})",
}
"""The n-th duration in microseconds, in SQL: the same in each run."""
EXACT = """
    WITH d AS MATERIALIZED (
        SELECT least(greatest(({durations})::numeric, 0), {longest})::bigint AS us
        FROM generate_series(1, {count}) AS n
    ),
    ranked AS (SELECT us, row_number() OVER (ORDER BY us) - 1 AS rank FROM d),
    counted AS (
        SELECT observatory.latency_bucket(us) AS bucket, count(*) AS n FROM d GROUP BY 1
    )
    SELECT
        (SELECT array_agg(r.us::float8 ORDER BY q) FROM unnest(%(wanted)s::float8[]) AS q
         JOIN ranked AS r ON r.rank = floor(q::numeric * ({count} - 1))),
        (SELECT observatory.quantile(%(wanted)s, array_agg(bucket), array_agg(n)) FROM counted)
"""


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("count", [1, 2, 3, 10, 1001, 100_000])
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_any_quantile_is_within_a_hundredth(database_url: str, name: str, count: int) -> None:
    """Of whatever distribution, from one call on, from a microsecond to a day."""
    wanted = [n / 100 for n in range(101)]
    text = EXACT.format(
        durations=DISTRIBUTIONS[name].replace("%", "%%"), longest=LONGEST_US, count=count
    )
    with psycopg.connect(database_url) as connection:
        row = connection.execute(text.encode(), {"wanted": wanted}).fetchone()
    assert row is not None
    for q, exact, sketched in zip(wanted, *row, strict=True):
        assert math.isclose(exact, sketched, rel_tol=WITHIN), (q, exact, sketched)


@pytest.mark.editions("postgres")
def test_ten_million_calls(database_url: str) -> None:
    """A heavy tail (Pareto) of up to 24 h, whose exact quantiles are known without sorting it."""
    count = 10_000_000
    durations = f"{LONGEST_US}::bigint / ({count + 1} - n)"
    wanted = [0.0, 1e-6, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.999_999, 1.0]
    ((total, exact, sketched),) = query(
        database_url,
        f"""
        WITH counted AS (
            SELECT observatory.latency_bucket({durations}) AS bucket, count(*) AS calls
            FROM generate_series(1, {count}) AS n GROUP BY 1
        )
        SELECT
            (SELECT sum(calls) FROM counted),
            (SELECT array_agg({durations} ORDER BY q) FROM (
                SELECT q, floor(q::numeric * ({count} - 1))::bigint + 1 AS n
                FROM unnest(%s::float8[]) AS q) AS ranks),
            (SELECT observatory.quantile(%s, array_agg(bucket), array_agg(calls)) FROM counted)
        """,
        wanted,
        wanted,
    )
    assert total == count
    assert (exact[0], exact[-1]) == (LONGEST_US // count, LONGEST_US)
    for q, one, other in zip(wanted, exact, sketched, strict=True):
        assert math.isclose(one, other, rel_tol=WITHIN), (q, one, other)


@pytest.mark.editions("postgres")
def test_merging_changes_nothing(database_url: str) -> None:
    """The quantile of parts put together is that of the whole, to the last bit: however calls are
    spread over days, models or services, and in whatever order these are added up.
    """
    ask = "SELECT observatory.quantile(%s, %s::integer[], %s::bigint[])"
    bucket = "SELECT array_agg(observatory.latency_bucket(us)) FROM unnest(%s::bigint[]) AS us"

    with psycopg.connect(database_url, autocommit=True) as connection:

        def quantiles(wanted: list[float], counts: list[tuple[int, int]]) -> list[float]:
            row = connection.execute(ask, [wanted, *map(list, zip(*counts, strict=True))])
            found = row.fetchone()
            assert found is not None
            return list(found[0])

        @settings(max_examples=150)
        @given(
            calls=st.lists(
                st.tuples(st.integers(0, LONGEST_US), st.integers(0, 5)), min_size=1, max_size=60
            ),
            wanted=st.lists(st.floats(0, 1), min_size=1, max_size=8),
            order=st.randoms(use_true_random=False),
        )
        def check(calls: list[tuple[int, int]], wanted: list[float], order: random.Random) -> None:
            durations, parts = map(list, zip(*calls, strict=True))
            row = connection.execute(bucket, [durations]).fetchone()
            assert row is not None
            buckets = row[0]
            whole = quantiles(wanted, list(Counter(buckets).items()))
            by_part = Counter(zip(parts, buckets, strict=True))
            merged = [(number, count) for (_, number), count in by_part.items()]
            order.shuffle(merged)
            assert quantiles(wanted, merged) == whole
            assert quantiles(wanted, [(number, 1) for number in buckets]) == whole
            durations.sort()
            for q, found in zip(wanted, whole, strict=True):
                # As PostgreSQL makes a numeric of it.
                rank = math.floor(Decimal(f"{q:.15g}") * (len(durations) - 1))
                assert math.isclose(durations[rank], found, rel_tol=WITHIN), (q, durations, found)

        check()


@pytest.mark.editions("postgres")
def test_quantiles_of_nothing(database_url: str) -> None:
    """Nothing, and what is no quantile, is NULL and no error."""
    ((nothing, odd),) = query(
        database_url,
        "SELECT observatory.quantile('{0.5}', '{}', '{}'),"
        " observatory.quantile('{-1,NaN,2,NULL,0.5}', '{0,NULL}', '{4,7}')",
    )
    assert nothing == [None]
    assert odd == [None, None, None, None, 0.99]
