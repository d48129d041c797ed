"""The hot queries use their indexes and the range, so that none reads a whole table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from observatory_store import (
    LogFilter,
    SpanFilter,
    Store,
    TimeRange,
    TraceFilter,
)
from observatory_store.database import open_pool
from storage.samples import log, now, point, query, span, traffic

LAST_DAY = TimeRange(now() - timedelta(days=1), now())


class ExplainingPool:
    """Stands in for the pool and keeps the plan of each query that a repository sends."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.plans: list[dict[str, Any]] = []

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        """Explain the query as it runs, then run it."""
        explained = await self._pool.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}", *arguments
        )
        self.plans.append(json.loads(explained)[0]["Plan"])
        rows: list[Any] = await self._pool.fetch(sql, *arguments)
        return rows


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan that was executed."""
    if plan.get("Actual Loops", 1) == 0:
        return
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the scans of a plan took up."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(plan)
        if node["Node Type"].endswith("Scan") and "Subquery" not in node["Node Type"]
    )


@pytest.fixture
async def filled(database_url: str) -> str:
    """A database with 20 days of spans, logs and points."""
    async with Store.open(database_url) as store:
        for hour in range(0, 20 * 24, 2):
            ago = timedelta(hours=hour, seconds=1)
            await store.write_spans(traffic(100, seed=hour, over=timedelta(hours=2), ago=ago))
        await store.write_logs(
            [log(str(n), time=now() - timedelta(minutes=n), content_hash=n) for n in range(20_000)]
        )
        await store.write_logs([log("traced", trace_id="a" * 32)])
        await store.write_points(
            [point(series=str(n % 10), time=now() - timedelta(minutes=n)) for n in range(20_000)]
        )
        await store.write_spans([span(42)])
    query(database_url, "ANALYZE")
    return database_url


async def test_hot_queries_read_little(filled: str) -> None:
    """At 20 days of data a page of 50 must not cost more than a few pages' worth of rows."""
    async with open_pool(filled) as pool:
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        asked: dict[str, tuple[Any, int]] = {
            "spans": (lambda: store.spans.list(LAST_DAY, limit=50), 200),
            "spans, filtered": (
                lambda: store.spans.list(LAST_DAY, SpanFilter(status="error"), limit=50),
                400,
            ),
            "traces": (lambda: store.traces.list(LAST_DAY, limit=50), 400),
            "traces, filtered": (
                lambda: store.traces.list(LAST_DAY, TraceFilter(model="gpt-4o"), limit=50),
                1500,
            ),
            "trace": (lambda: store.traces.get(f"{42:032x}"), 10),
            "logs": (lambda: store.logs.list(LAST_DAY, limit=50), 200),
            "logs of a trace": (
                lambda: store.logs.list(LAST_DAY, LogFilter(trace_id="a" * 32), limit=50),
                10,
            ),
            "points": (lambda: store.metrics.points("requests", LAST_DAY, limit=50), 300),
        }
        for name, (ask, most) in asked.items():
            explaining.plans.clear()
            await ask()
            read = sum(map(rows_read, explaining.plans))
            assert 0 < read <= most, (name, read, json.dumps(explaining.plans, indent=1))
            for plan in explaining.plans:
                scanned = {
                    node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"
                }
                assert not scanned & {"spans", "trace_days", "logs", "metric_points"}, (
                    name,
                    scanned,
                )


async def test_a_later_page_costs_no_more_than_the_first(filled: str) -> None:
    """A cursor leads straight to its page, however far back that is."""
    async with open_pool(filled) as pool:
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        wide = TimeRange(now() - timedelta(days=21), now())
        for repository in (store.spans, store.traces, store.logs):
            cursor = None
            for _ in range(15):
                explaining.plans.clear()
                page = await repository.list(wide, limit=100, cursor=cursor)
                cursor = page.next_cursor
            assert sum(map(rows_read, explaining.plans)) <= 1000, (
                repository,
                json.dumps(explaining.plans, indent=1),
            )
