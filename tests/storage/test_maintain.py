"""The upkeep, by one process or by many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from typing import Any

import pytest

from observatory_store import Payload, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import MaintainReport, Rollups, keep_maintained, maintain
from observatory_store.maintenance.locks import REFRESH
from observatory_store.maintenance.retention import drop_expired
from patience import until
from servers import Server
from storage.fresh import held, rollup_names
from storage.samples import log, now, pending, point, query, span

DAY = timedelta(days=1)
PROCESSES = 8
AT = now() - timedelta(minutes=5)
INDEXES = """
    SELECT indisvalid, count(*)::integer FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
    WHERE relname ~ '_words' GROUP BY 1
"""
HISTORY = "SELECT count(*) FROM observatory_private.llm_usage_1m_history WHERE bucket < %s"
FACTS = ("spans", "span_payloads", "trace_days", "logs", "metric_points")


@pytest.fixture
def database_urls(server: Server) -> Iterator[tuple[str, str]]:
    """Two fresh databases."""
    urls = (server.create_migrated(), server.create_migrated())
    yield urls
    for url in urls:
        server.drop(url)


async def _neglect(url: str) -> None:
    """Leave work of every kind: rows to expire, rollups to refresh, words to index."""
    days = (1, 2, 20, 21, 25)
    payload = Payload(input_messages="hello")
    async with Store.open(url) as store:
        calls = [span(n, start_time=AT - n * DAY, payload=payload) for n in days]
        await store.write_spans(calls)
        await store.write_logs([log(str(n), time=AT - n * DAY) for n in days])
        await store.write_points([point(time=AT - n * DAY) for n in days])
    query(
        url,
        "INSERT INTO observatory_private.llm_usage_1m_history (bucket, project_id)"
        " SELECT now() - n * interval '1 hour', 1 FROM generate_series(800, 900) AS n",
    )
    query(
        url,
        "UPDATE observatory.policies SET retention = '10 days' WHERE relation = ANY (%s)",
        list(FACTS),
    )


async def _maintain(url: str, processes: int) -> list[MaintainReport]:
    async with AsyncExitStack() as stack:
        pools = [
            # As impatient as can be: to wait for the others is no failure.
            await stack.enter_async_context(open_pool(url, max_size=2, lock_timeout_seconds=0.5))
            for _ in range(processes)
        ]
        return list(await asyncio.gather(*(maintain(pool) for pool in pools)))


def _state(url: str, since: datetime) -> dict[str, Any]:
    state: dict[str, Any] = {name: held(url, name, since) for name in rollup_names(url)}
    for fact in FACTS:
        state[fact] = query(url, f"SELECT count(*) FROM observatory.{fact}")
    state["history"] = query(url, HISTORY, now() - 30 * DAY)
    state["words"] = query(url, INDEXES)
    state["complete_from"] = query(
        url, "SELECT relation, complete_from FROM observatory.policies ORDER BY 1"
    )
    return state


@pytest.mark.usefixtures("within_a_day")
async def test_many_at_once_do_what_one_does(database_urls: tuple[str, str], edition: str) -> None:
    """A timer on each host starts them in the same second: none fails, nothing is done twice."""
    alone, together = database_urls
    for url in database_urls:
        await _neglect(url)
    (one,) = await _maintain(alone, 1)
    many = await _maintain(together, PROCESSES)
    assert len(many) == PROCESSES
    assert sum(each.refreshed_buckets for each in many) == one.refreshed_buckets > 0
    assert sorted(line for each in many for line in each.dropped) == sorted(one.dropped)
    assert sorted(line for each in many for line in each.indexed) == sorted(one.indexed)
    assert _state(together, AT - 40 * DAY) == _state(alone, AT - 40 * DAY)
    dropped = {line.partition(":")[0] for line in one.dropped}
    assert "llm_usage_1m" in dropped
    if edition != "community":
        assert set(FACTS) <= dropped
    assert {line.partition(":")[0] for line in one.indexed} == {"span_payloads", "logs"}
    async with open_pool(together) as pool:
        assert await pending(Rollups(pool)) == 0
    (again,) = await _maintain(together, 1)
    assert (again.refreshed_buckets, again.dropped, again.indexed) == (0, (), ())


@pytest.mark.editions("apache")
async def test_a_long_refresh_is_waited_for(database_url: str) -> None:
    """Longer than for any other lock: who drops does not fail because another counts."""
    waits = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        " AND datname = current_database() AND clock_timestamp() > query_start + interval '0.3 s'"
    )
    await _neglect(database_url)
    async with open_pool(database_url) as other, other.acquire() as refresh:
        await refresh.execute("SELECT pg_advisory_lock($1)", REFRESH)
        async with open_pool(database_url, lock_timeout_seconds=0.1) as pool:
            dropping = asyncio.create_task(drop_expired(pool))
            await until(lambda: dropping.done() or query(database_url, waits) == [(1,)])
            await refresh.execute("SELECT pg_advisory_unlock($1)", REFRESH)
            assert await dropping


@pytest.mark.editions("apache")
async def test_who_reads_keeps_back_only_what_he_reads(database_url: str) -> None:
    """A long query over old spans is neither ended nor waited for; the rest is dropped, and the
    spans by the next run.
    """
    await _neglect(database_url)
    async with (
        open_pool(database_url, lock_timeout_seconds=0.1) as pool,
        pool.acquire() as reader,
        reader.transaction(),
    ):
        assert await reader.fetchval("SELECT count(*) FROM observatory.spans") == 5
        lines = await drop_expired(pool)
    assert [line for line in lines if "left for the next run" in line] == [
        "spans: left for the next run, as others have it locked"
    ]
    assert any(line.startswith("logs: dropped") for line in lines)
    (report,) = await _maintain(database_url, 1)
    assert [line.partition(" from")[0] for line in report.dropped] == ["spans: dropped 3 chunks"]


async def test_the_service_does_it_too(database_url: str, edition: str) -> None:
    """Where nobody made a timer, what has expired goes all the same, and words are indexed."""
    await _neglect(database_url)

    def is_done() -> bool:
        (gone,) = query(database_url, HISTORY, now() - 30 * DAY)[0]
        (spans,) = query(database_url, "SELECT count(*) FROM observatory.spans")[0]
        indexes = sum(count for is_valid, count in query(database_url, INDEXES) if is_valid)
        # On community TimescaleDB drops the spans, in its own time.
        return gone == 0 and indexes >= 4 and (spans == 2 or edition == "community")

    async with open_pool(database_url) as pool:
        upkeep = asyncio.create_task(keep_maintained(pool, seconds=0.05, expire_seconds=0.05))
        try:
            # In a thread: it may wait for what the upkeep has locked.
            await until(lambda: asyncio.to_thread(is_done), seconds=60)
        finally:
            upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await upkeep
