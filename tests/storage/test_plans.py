"""The hot queries use their indexes and the range, so that none reads a whole table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg import sql

from observatory_store import (
    LogFilter,
    Payload,
    SessionFilter,
    SpanFilter,
    Store,
    TimeRange,
    TraceFilter,
)
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups, maintain
from observatory_store.repositories import SpanRepository
from storage.samples import log, now, point, query, span, traffic

# Not the present: just after midnight the last chunk would be so small that to read it is best.
NOON = now().replace(hour=12, minute=0, second=0) - timedelta(days=1)
LAST_DAY = TimeRange(NOON - timedelta(days=1), NOON)
FACTS = {"spans", "span_payloads", "trace_days", "logs", "metric_points"}
A_FEW = 100
"""A chunk with no more rows than this may be read whole, as that of a day that has just begun."""
A_WINDOW = 510
"""Nor one with no more than a filtered list of 50 looks at first."""
EXPLAIN = "EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF)"


class ExplainingPool:
    """Stands in for the pool and keeps the plan of each query that a repository sends."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.plans: list[dict[str, Any]] = []
        self.rows = 0
        """How many rows the queries gave."""

    async def fetch(self, text: str, *arguments: Any) -> list[Any]:
        """Explain the query as it runs, then run it."""
        self.plans.append(await self._plan(text, *arguments))
        rows: list[Any] = await self._pool.fetch(text, *arguments)
        self.rows += len(rows)
        return rows

    async def _plan(self, text: str, *arguments: Any) -> dict[str, Any]:
        explained = await self._pool.fetchval(f"{EXPLAIN} {text}", *arguments)
        plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
        return plan


class PreparedPool(ExplainingPool):
    """Keeps the plan of the sixth execution, for which PostgreSQL may make a generic plan."""

    async def _plan(self, text: str, *arguments: Any) -> dict[str, Any]:
        async with self._pool.acquire() as connection:
            await connection.execute(f"PREPARE asked AS {text}")
            # EXECUTE takes no parameters of its own.
            values = ", ".join(sql.Literal(argument).as_string() for argument in arguments)
            execute = f"EXECUTE asked ({values})" if values else "EXECUTE asked"
            for _ in range(6):
                explained = await connection.fetchval(f"{EXPLAIN} {execute}")
            await connection.execute("DEALLOCATE asked")
        plan: dict[str, Any] = json.loads(explained)[0]["Plan"]
        return plan


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a plan that was executed."""
    if plan.get("Actual Loops", 1) == 0:
        return
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the scans of a plan took up, without the ledger of the rollups."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(plan)
        if node["Node Type"].endswith("Scan")
        and "Subquery" not in node["Node Type"]
        and node.get("Relation Name") not in {"changed_buckets", "stale_buckets"}
    )


def scanned_whole(plan: dict[str, Any]) -> set[str]:
    """Return the tables of facts, or chunks of them, that were read from end to end."""
    return {
        node["Relation Name"]
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan"
        and (node["Relation Name"] in FACTS or node["Relation Name"].startswith("_hyper"))
        and rows_read({**node, "Plans": []}) > A_WINDOW
    }


def scans_of_spans(plan: dict[str, Any], url: str) -> list[dict[str, Any]]:
    """Return the scans of the table of spans or of its chunks."""
    names = {"spans"}
    if query(url, "SELECT observatory.edition()") != [("postgres",)]:
        names = {
            name
            for (name,) in query(
                url,
                "SELECT chunk_name FROM timescaledb_information.chunks"
                " WHERE hypertable_name = 'spans'",
            )
        }
    return [
        {**node, "Plans": []}
        for node in nodes(plan)
        if node["Node Type"].endswith("Scan") and node.get("Relation Name") in names
    ]


@pytest.fixture
async def filled(database_url: str) -> str:
    """A database with 20 days of spans, logs and points."""
    async with Store.open(database_url) as store:
        for hour in range(0, 20 * 24, 2):
            ago = now() - NOON + timedelta(hours=hour, seconds=5)
            await store.write_spans(traffic(100, seed=hour, over=timedelta(hours=2), ago=ago))
        await store.write_logs(
            [log(str(n), time=NOON - timedelta(minutes=n)) for n in range(1, 20_000)]
        )
        recent = NOON - timedelta(minutes=5)
        await store.write_logs([log("traced", trace_id="a" * 32, time=recent)])
        await store.write_points(
            [point(series=str(n % 10), time=NOON - timedelta(minutes=n)) for n in range(1, 20_000)]
        )
        await store.write_spans([span(42, start_time=recent)])
    query(database_url, "ANALYZE")
    return database_url


@pytest.mark.parametrize("pool_type", [ExplainingPool, PreparedPool])
async def test_hot_queries_read_little(filled: str, pool_type: type[ExplainingPool]) -> None:
    """At 20 days of data a page of 50 must not cost more than a few pages' worth of rows, nor from
    the sixth time on, when PostgreSQL has a plan for whatever values come.
    """
    async with open_pool(filled) as pool:
        explaining = pool_type(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        asked: dict[str, tuple[Any, int]] = {
            "spans": (lambda: store.spans.list(LAST_DAY, limit=50), 300),
            "spans, filtered": (
                lambda: store.spans.list(LAST_DAY, SpanFilter(status="error"), limit=50),
                1600,
            ),
            "traces": (lambda: store.traces.list(LAST_DAY, limit=50), 400),
            "traces, filtered": (
                lambda: store.traces.list(LAST_DAY, TraceFilter(model="gpt-4o"), limit=50),
                1500,
            ),
            "trace": (lambda: store.traces.get(f"{42:032x}"), A_FEW),
            "logs": (lambda: store.logs.list(LAST_DAY, limit=50), 300),
            "logs of a trace": (
                lambda: store.logs.list(LAST_DAY, LogFilter(trace_id="a" * 32), limit=50),
                A_FEW,
            ),
            "points": (lambda: store.metrics.points("requests", LAST_DAY, limit=50), 300),
        }
        for name, (ask, most) in asked.items():
            explaining.plans.clear()
            await ask()
            read = sum(map(rows_read, explaining.plans))
            assert 0 < read <= most, (name, read, json.dumps(explaining.plans, indent=1))
            for plan in explaining.plans:
                assert not scanned_whole(plan), (name, scanned_whole(plan))


@pytest.mark.parametrize("pool_type", [ExplainingPool, PreparedPool])
async def test_sessions_and_users_are_found_by_index(
    database_url: str, pool_type: type[ExplainingPool]
) -> None:
    """A conversation of five traces must not cost what the month does that it lies in, nor a page
    of conversations, however far back that is.
    """
    month = TimeRange(NOON - timedelta(days=20), NOON)
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(
                    n,
                    start_time=NOON - timedelta(minutes=4 * n),
                    session_id=f"s{n // 5}",
                    user_id=f"u{n % 500}",
                    request_model="gpt-4o" if n % 3 else "o3",
                )
                for n in range(1, 6001)
            ]
        )
        await store.write_spans(
            [span(9000, trace_id=f"{77:032x}", start_time=NOON - timedelta(days=9), user_id="u4")]
        )
    query(database_url, "ANALYZE")
    async with open_pool(database_url) as pool:
        explaining = pool_type(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        cursor = None
        for _ in range(3):
            page = await store.analytics.sessions(month, limit=300, cursor=cursor)
            cursor = page.next_cursor
        asked: dict[str, tuple[Any, int, int]] = {
            "session": (lambda: store.traces.list(month, TraceFilter(session="s800")), 5, 50),
            "user": (lambda: store.traces.list(month, TraceFilter(user="u4")), 13, 150),
            "both": (
                lambda: store.traces.list(month, TraceFilter(session="s700", user="u4")),
                1,
                50,
            ),
            "user's model": (
                lambda: store.traces.list(month, TraceFilter(user="u7", model="o3")),
                4,
                100,
            ),
            "nobody": (lambda: store.traces.list(month, TraceFilter(user="nobody")), 0, 10),
            "sessions": (lambda: store.analytics.sessions(month, limit=20), 20, 700),
            "sessions, later": (
                lambda: store.analytics.sessions(month, limit=20, cursor=cursor),
                20,
                700,
            ),
            "sessions of a user": (
                lambda: store.analytics.sessions(month, SessionFilter(user="u9"), limit=20),
                12,
                300,
            ),
            "one session": (
                lambda: store.analytics.sessions(month, SessionFilter(session="s800"), limit=20),
                1,
                100,
            ),
        }
        for name, (ask, items, most) in asked.items():
            explaining.plans.clear()
            assert len((await ask()).items) == items, name
            read = sum(map(rows_read, explaining.plans))
            assert read <= most, (name, read, json.dumps(explaining.plans, indent=1))


@pytest.mark.parametrize("pool_type", [ExplainingPool, PreparedPool])
async def test_usage_reads_its_range_only(filled: str, pool_type: type[ExplainingPool]) -> None:
    """A day's usage must not cost what 20 days do; once refreshed, it must not read spans at all,
    but for those of the last minutes.
    """
    async with open_pool(filled) as pool:
        explaining = pool_type(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        for most, most_spans in ((4500, 2500), (1500, 150)):
            for arguments in (
                {},
                {"group_by": ["model"], "interval": "1h"},
                {"service": "search", "provider": "openai"},
            ):
                explaining.plans.clear()
                rows = await store.analytics.usage(LAST_DAY.start, LAST_DAY.end, **arguments)
                assert rows
                plan = explaining.plans[-1]
                assert rows_read(plan) <= most, json.dumps(plan, indent=1)
                assert not any(
                    node["Node Type"] == "Seq Scan" and node["Relation Name"] == "spans"
                    for node in nodes(plan)
                )
                assert sum(map(rows_read, scans_of_spans(plan, filled))) <= most_spans
            await Rollups(pool).refresh()
            query(filled, "ANALYZE")


@pytest.mark.editions("community")
@pytest.mark.parametrize("pool_type", [ExplainingPool, PreparedPool])
async def test_columnar_days_are_read_batch_by_batch(
    database_url: str, pool_type: type[ExplainingPool]
) -> None:
    """A page of an old and busy day must not decompress all of it, nor a trace of that day."""
    midnight = now().replace(hour=0, minute=0, second=0) - timedelta(days=9)
    hour = timedelta(hours=1)
    async with Store.open(database_url) as store:
        for n in range(1, 21):
            ago = now() - midnight + n * hour
            await store.write_spans(traffic(1000, seed=n, over=hour, ago=ago))
        await store.write_logs(
            [log(str(n), time=midnight - n * hour / 1000) for n in range(20_000)]
        )
    for relation in ("spans", "span_payloads", "logs"):
        compressed = query(
            database_url,
            "SELECT compress_chunk(chunk) FROM"
            f" show_chunks('observatory.{relation}', older_than => interval '3 days') AS chunk",
        )
        assert compressed
    query(database_url, "ANALYZE")
    async with open_pool(database_url) as pool:
        explaining = pool_type(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        wide = TimeRange(midnight - timedelta(days=2), now())
        trace_id = (await store.traces.list(wide, limit=1)).items[0].trace_id
        second_page = (await store.spans.list(wide, limit=50)).next_cursor
        asked: dict[str, Any] = {
            "spans": lambda: store.spans.list(wide, limit=50),
            "spans, second page": lambda: store.spans.list(wide, limit=50, cursor=second_page),
            "spans, filtered": lambda: store.spans.list(wide, SpanFilter(status="error"), limit=50),
            "logs": lambda: store.logs.list(wide, limit=50),
            "trace": lambda: store.traces.get(trace_id),
        }
        for name, ask in asked.items():
            explaining.plans.clear()
            explaining.rows = 0
            await ask()
            read = sum(map(rows_read, explaining.plans))
            # A batch has 1000 rows.
            assert explaining.rows <= read <= 4500, (name, json.dumps(explaining.plans, indent=1))


async def test_a_huge_trace_brings_no_more_payloads_than_spans(database_url: str) -> None:
    """Otherwise one runaway trace would fill the memory of whoever looks at it."""
    first = now() - timedelta(minutes=9)
    huge = [
        span(
            n,
            trace_id="c" * 32,
            start_time=first + timedelta(seconds=max(0, n - 100)),
            payload=Payload(input_messages=str(n)),
        )
        for n in range(1, 301)
    ]
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(huge)
        for limit in (10, 120, 1000):
            explaining = ExplainingPool(pool)
            found, _ = await SpanRepository(explaining, 1).of_trace(
                "c" * 32, first, now(), limit=limit
            )
            expected = min(limit, len(huge))
            assert [(one.span_id, one.payload) for one in found] == [
                (one.span_id, one.payload) for one in huge[:expected]
            ]
            assert explaining.rows == 2 * expected + 1
        assert await SpanRepository(pool, 1).of_trace("d" * 32, first, now(), limit=9) == (
            [],
            False,
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


async def test_a_seldom_word_is_looked_up_in_the_index(database_url: str) -> None:
    """In a day that is over, a word that few texts have is found without reading the others."""
    async with open_pool(database_url) as pool, Store.open(database_url) as filling:
        for part in range(10):
            numbers = range(600 * part + 1, 600 * part + 601)
            times = {n: NOON - timedelta(seconds=n) for n in numbers}
            await filling.write_spans(
                [
                    span(n, start_time=times[n], payload=Payload(input_messages=f"{n} hay " * 20))
                    for n in numbers
                ]
            )
            await filling.write_logs([log(f"{n} hay " * 20, time=times[n]) for n in numbers])
        await maintain(pool)
        query(database_url, "ANALYZE")
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        asked: dict[str, Any] = {
            "traces": lambda: store.traces.list(LAST_DAY, TraceFilter(q="5900"), limit=5),
            "logs": lambda: store.logs.list(LAST_DAY, LogFilter(q="5900"), limit=5),
        }
        for name, ask in asked.items():
            explaining.plans.clear()
            assert len((await ask()).items) == 1
            texts = sum(
                rows_read({**node, "Plans": []})
                for plan in explaining.plans
                for node in nodes(plan)
                if re.fullmatch(r"[pl](_\d+)?", node.get("Alias", ""))
                and node["Node Type"] != "Subquery Scan"
            )
            # Most of them are those that stand after a window, for the traces that began in it.
            assert 0 < texts <= 1500, (name, texts, json.dumps(explaining.plans, indent=1))
