"""What must be true after every fault."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from chaos.load import Load
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from storage.samples import RECOUNT_TRACES, RECOUNT_USAGE, TRACES, USAGE, query

SPANS = """
    SELECT observatory.trace_hex(trace_id), observatory.span_hex(span_id),
        (extract(epoch FROM start_time) * 1000000)::bigint
    FROM observatory.spans
"""
PAYLOADS = """
    SELECT observatory.trace_hex(trace_id), observatory.span_hex(span_id)
    FROM observatory.span_payloads
"""
POINTS = """
    SELECT s.attributes ->> 'series',
        (extract(epoch FROM p.time) * 1000000)::bigint * 1000 + p.time_nanos, p.value_int
    FROM observatory.metric_points AS p
    JOIN observatory.metric_series AS s USING (project_id, series_id)
"""
LOGS = "SELECT body #>> '{}' FROM observatory.logs"


async def assert_exactly_once(database_url: str, load: Load, acknowledged: Iterable[int]) -> None:
    """Check that what was acknowledged is stored, all of it once, and that the sums agree."""
    expected = load.expected(acknowledged)
    _compare(query(database_url, SPANS), Counter(expected.spans))
    _compare(query(database_url, PAYLOADS), Counter(expected.payloads))
    points = Counter((*key, value) for key, value in expected.points.items())
    _compare(query(database_url, POINTS), points)
    _compare([body for (body,) in query(database_url, LOGS)], expected.logs)
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


def _compare(stored: Iterable[Any], expected: Counter[Any]) -> None:
    found = Counter(stored)
    lost, surplus = expected - found, found - expected
    assert not lost, f"{lost.total()} of {expected.total()} are lost, as {min(lost)}"
    assert not surplus, f"{surplus.total()} are doubled, or were never sent, as {min(surplus)}"
