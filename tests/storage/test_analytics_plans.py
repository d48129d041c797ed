"""Questions of analysts read the days that they ask for, by indexes, and no table from end to end.

Judged by the plans, with what was really executed, on a database of many chunks.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from analysts.grafana import expand
from analysts.test_dashboards import CHOSEN, EVERYTHING, QUERIES
from observatory_store import Store, TimeRange
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from servers import Server
from storage.samples import now, query
from storage.test_all_rollups import rich
from storage.test_plans import EXPLAIN, ExplainingPool, nodes, rows_read

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAYS, A_DAY = 12, 700
END = now().replace(hour=9, minute=17, second=5) - DAY
START = END - 2 * DAY
FEW = 1000
"""Rows of a relation that may be read in sequence: as many as a few pages of them have."""
MOST_CHUNKS = 4
"""Two days with ragged edges lie in three days; one more is that of the present."""
WHICH = """
    SELECT c.chunk_name, coalesce(a.view_name, c.hypertable_name)
    FROM timescaledb_information.chunks AS c
    LEFT JOIN timescaledb_information.continuous_aggregates AS a
        ON a.materialization_hypertable_name = c.hypertable_name
"""


@pytest.fixture(scope="module")
def busy_url(server: Server) -> Iterator[str]:
    """URL of a database with 12 busy days; on community those that are over are columnar."""
    url = server.create_migrated()
    asyncio.run(_fill(url))
    yield url
    server.drop(url)


async def _fill(url: str) -> None:
    async with Store.open(url) as store, open_pool(url) as pool:
        for day in range(DAYS):
            ago = now() - END + day * DAY - 6 * HOUR
            await store.write_spans(rich(A_DAY, seed=day + 1, over=DAY, ago=ago))
        await Rollups(pool).refresh()
    if query(url, "SELECT observatory.edition()") == [("community",)]:
        query(
            url,
            "SELECT compress_chunk(c) FROM show_chunks('observatory.spans',"
            " older_than => interval '3 days') AS c",
        )
    query(url, "VACUUM ANALYZE")


class Judge:
    """Says what is wrong with a plan."""

    def __init__(self, url: str) -> None:
        self._of = {}
        if query(url, "SELECT observatory.edition()") != [("postgres",)]:
            self._of = dict(query(url, WHICH))

    def complaints(self, plan: dict[str, Any], *, most_chunks: int = MOST_CHUNKS) -> list[str]:
        """Return which relations are read from end to end, or in too many chunks."""
        found: list[str] = []
        chunks: dict[str, set[str]] = {}
        read = Counter[str]()
        for node in nodes(plan):
            name = node.get("Relation Name")
            if name is None:
                continue
            relation = self._of.get(name, name)
            rows = rows_read({**node, "Plans": []})
            read[relation] += rows
            if name != relation:
                chunks.setdefault(relation, set()).add(name)
            # The chunk of a day that the range cuts may be read whole, but not a larger one.
            few = FEW if name == relation else 2 * A_DAY
            if node["Node Type"] == "Seq Scan" and rows > few:
                found.append(f"{relation} is read whole: {rows} rows of {name}")
        found += [
            f"{relation} is read in {len(opened)} chunks"
            for relation, opened in chunks.items()
            if len(opened) > most_chunks
        ]
        if read["spans"] > most_chunks * A_DAY:
            found.append(f"{read['spans']} spans are read")
        return found


ASKED: dict[str, dict[str, Any]] = {
    "latency": {},
    "latency, by model": {"group_by": ["model"]},
    "latency, by model and hour": {"group_by": ["model"], "interval": "1h"},
    "latency, of a service": {"service": "search", "histogram": True},
    "latency, of a model": {"model": "gpt-4o"},
    "latency, of a user": {"user": "ann"},
    "errors": {},
    "errors, of a model": {"model": "gpt-4o"},
    "errors, of a session": {"session": "s1"},
    "compare": {"group_by": ["model"]},
    "compare, by user": {"group_by": ["user"]},
    "usage, by tag": {"group_by": ["tag"]},
    "usage, by tool": {"group_by": ["tool"]},
    "usage, by session": {"group_by": ["session"]},
    "usage, by agent": {"group_by": ["agent"]},
}


@pytest.mark.parametrize("name", ASKED)
async def test_a_question_reads_its_days(busy_url: str, name: str) -> None:
    """Of two days it must not cost what twelve do."""
    method, most = name.partition(",")[0], MOST_CHUNKS * (2 if name.startswith("compare") else 1)
    async with open_pool(busy_url) as pool:
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        assert await getattr(store.analytics, method)(START, END, **ASKED[name])
    _check(busy_url, explaining.plans, most)


async def test_sessions_and_forecasts_read_their_days(busy_url: str) -> None:
    """A list of sessions of two days, and the costs of all days from the rollups."""
    async with open_pool(busy_url) as pool:
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        assert (await store.analytics.sessions(TimeRange(START, END), limit=50)).items
        assert (await store.analytics.forecast(history_days=10)).history_cost_usd > 0
    _check(busy_url, explaining.plans, MOST_CHUNKS)


async def test_a_trace_reads_its_day(busy_url: str, edition: str) -> None:
    """Its id is enough, and on community its chunk is columnar: hardly another is opened."""
    ((trace_id, compressed),) = query(
        busy_url,
        "SELECT observatory.trace_hex(trace_id), tableoid::regclass::text FROM observatory.spans"
        f" WHERE start_time < now() - interval '{DAYS // 2} days'"
        " ORDER BY start_time DESC, span_id LIMIT 1",
    )
    async with open_pool(busy_url) as pool:
        explaining = ExplainingPool(pool)
        store = Store(explaining, None, 1, None)  # type: ignore[arg-type]
        assert await store.traces.get(trace_id) is not None
    _check(busy_url, explaining.plans, 3)
    if edition == "community":
        status = "SELECT is_compressed FROM timescaledb_information.chunks WHERE chunk_name = %s"
        assert query(busy_url, status, compressed.partition(".")[2]) == [(True,)]


@pytest.mark.parametrize("name", QUERIES)
def test_a_panel_reads_its_days(busy_url: str, name: str) -> None:
    """Grafana asks again every minute, for each viewer."""
    plans = []
    with psycopg.connect(busy_url) as connection:
        for values in (EVERYTHING, CHOSEN):
            text = f"{EXPLAIN} {expand(QUERIES[name], START, END, values)}"
            row = connection.execute(text.encode()).fetchone()
            assert row is not None
            plans.append(row[0][0]["Plan"])
    _check(busy_url, plans, MOST_CHUNKS)


def _check(url: str, plans: list[dict[str, Any]], most_chunks: int) -> None:
    judge = Judge(url)
    assert plans
    for plan in plans:
        complaints = judge.complaints(plan, most_chunks=most_chunks)
        assert not complaints, json.dumps(plan)[:20_000]


def test_the_judge_finds_a_scan_of_everything(busy_url: str) -> None:
    """Otherwise these tests could not fail."""
    judge = Judge(busy_url)
    for text in (
        "SELECT count(*) FROM observatory.spans WHERE name LIKE '%x%'",
        "SELECT count(*) FROM observatory.spans WHERE start_time + interval '1 s' > now()",
    ):
        ((explained,),) = query(busy_url, f"{EXPLAIN} {text}")
        assert judge.complaints(explained[0]["Plan"]), text
