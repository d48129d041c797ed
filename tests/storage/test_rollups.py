"""The rollups say what a recount of the spans says."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from observatory_store import Span, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups, maintain
from observatory_store.rows import Resource
from patience import until
from storage.samples import JOBS_AT_WORK, RECOUNT_USAGE, USAGE, now, pending, query, span, traffic

HOURLY = """
    SELECT date_bin('1 hour', bucket, '2000-01-01Z'), model, sum(requests), sum(cost_usd)
    FROM observatory.llm_usage_15m GROUP BY 1, 2 ORDER BY 1, 2
"""

WHERE_USAGE_IS = """
    SELECT format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
    FROM timescaledb_information.continuous_aggregates WHERE view_name = 'llm_usage_1m'
"""
REFRESH_USAGE = "CALL refresh_continuous_aggregate('observatory_private.llm_usage_1m', NULL, NULL)"
STOP_JOBS = """
    SELECT count(*) FROM timescaledb_information.jobs AS j
    CROSS JOIN LATERAL alter_job(j.job_id, scheduled => false)
    WHERE j.proc_name = 'policy_refresh_continuous_aggregate'
"""
COMPRESS_ROLLUPS = """
    SELECT count(compress_chunk(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass))
    FROM timescaledb_information.chunks AS c
    JOIN timescaledb_information.continuous_aggregates AS a
        ON a.materialization_hypertable_name = c.hypertable_name
    JOIN observatory.policies AS p ON p.relation = a.view_name
    WHERE p.columnstore_after IS NOT NULL
"""


async def test_usage_equals_a_recount_before_and_after_a_refresh(database_url: str) -> None:
    """Fresh spans are in the usage at once, and a refresh changes nothing of it."""
    async with Store.open(database_url) as store:
        await store.write_spans(traffic(500))
        recount = query(database_url, RECOUNT_USAGE)
        assert query(database_url, USAGE) == recount
        async with open_pool(database_url) as pool:
            rollups = Rollups(pool)
            await rollups.refresh()
            assert query(database_url, USAGE) == recount
            await store.write_spans(traffic(300, seed=2))
            await rollups.refresh()
            assert await pending(rollups) == 0
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)
    assert query(
        database_url,
        "SELECT bucket, model, sum(requests), sum(cost_usd) FROM observatory.llm_usage_1h"
        " GROUP BY 1, 2 ORDER BY 1, 2",
    ) == query(database_url, HOURLY)


async def test_late_spans_are_counted_after_a_refresh(database_url: str) -> None:
    """A sender that was offline for weeks is in the usage after the next refresh, exactly once."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans(traffic(200, over=timedelta(days=5)))
        await rollups.refresh()
        await store.write_spans(traffic(300, seed=2, over=timedelta(days=60)))
        await store.write_spans([span(7, start_time=now() - timedelta(days=88))])
        assert await pending(rollups) > 0
        assert await rollups.refresh() > 0
        assert await pending(rollups) == 0
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


@pytest.mark.editions("community")
async def test_status_tells_of_spans_that_a_job_will_count(database_url: str) -> None:
    """Late by a day, they are noted nowhere but by TimescaleDB; by two days, also by ourselves."""
    late = now() - timedelta(days=1)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        query(database_url, STOP_JOBS)
        await until(lambda: query(database_url, JOBS_AT_WORK) == [(0,)])
        await store.write_spans([*traffic(200, over=timedelta(days=5)), span(7)])
        await rollups.refresh()
        assert {one.late_from for one in await rollups.status()} == {None}
        await store.write_spans([span(8, start_time=late)])
        status = {one.rollup: one for one in await rollups.status()}
        assert status["llm_usage_1m"].late_from == late
        assert all(one.late_from and one.late_from <= late for one in status.values())
        assert await pending(rollups) == 0
        await rollups.refresh()
        assert {one.late_from for one in await rollups.status()} == {None}


async def test_noted_buckets_are_refreshed_without_the_policy(database_url: str) -> None:
    """The service's own loop brings in late spans, and two services do not do so at once."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans([span(9)])
        await rollups.refresh()
        await store.write_spans(
            [
                span(number, start_time=now() - timedelta(days=87, hours=number))
                for number in range(1, 9)
            ]
        )
        results = await asyncio.gather(*(rollups.refresh_noted() for _ in range(3)))
        assert sum(count or 0 for count in results) == 8
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


async def test_a_refresh_amid_writers_loses_nothing(database_url: str, edition: str) -> None:
    """What is committed while a refresh runs is in the usage all the same: at once where our own
    refresh does it, after the next refresh where TimescaleDB does.
    """
    spans = traffic(1200, over=timedelta(hours=2))
    async with Store.open(database_url, pool_size=4) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        writing = [
            asyncio.create_task(_write(store, spans[start::3], size=10)) for start in range(3)
        ]
        while not all(task.done() for task in writing):
            await rollups.refresh()
        await asyncio.gather(*writing)
        if edition != "community":
            assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)
        await rollups.refresh()
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


async def _write(store: Store, spans: list[Span], size: int) -> None:
    for position in range(0, len(spans), size):
        await store.write_spans(spans[position : position + size])


async def test_usage_outlives_its_spans(database_url: str, edition: str) -> None:
    """Dropping old spans removes no row of the usage, and neither does any refresh after it."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans(traffic(300, over=timedelta(days=30)))
        await rollups.refresh()
        before = query(database_url, USAGE)
        _shorten_retention(database_url, edition, days=10)
        await maintain(pool)
        left = query(database_url, "SELECT count(*), min(start_time) FROM observatory.spans")[0]
        assert left[0] < 300
        assert left[1] >= now() - timedelta(days=12)
        await rollups.refresh()
        await rollups.refresh()
        assert query(database_url, USAGE) == before

    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        late = await store.write_spans([span(5, start_time=now() - timedelta(days=20)), span(6)])
        assert (late.stored, late.rejected) == (1, 1)
        await Rollups(pool).refresh()
    after = query(database_url, "SELECT sum(requests) FROM observatory.llm_usage_15m")
    assert after == [(sum(row[6] for row in before) + 1,)]


def _shorten_retention(url: str, edition: str, *, days: int) -> None:
    query(
        url,
        f"UPDATE observatory.policies SET retention = '{days} days'"
        " WHERE relation IN ('spans', 'span_payloads')",
    )
    if edition == "community":
        query(url, "SELECT remove_retention_policy('observatory.spans')")
        job = query(
            url, f"SELECT add_retention_policy('observatory.spans', interval '{days} days')"
        )
        query(url, f"CALL run_job({job[0][0]})")


@pytest.mark.editions("apache", "postgres")
@pytest.mark.usefixtures("within_a_day")
async def test_maintain_counts_what_it_is_about_to_drop(database_url: str) -> None:
    """Spans that no refresh has seen yet are counted before their retention takes them."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(traffic(200, over=timedelta(days=30)))
        before = query(database_url, USAGE)
        query(database_url, "UPDATE observatory.policies SET retention = '10 days'")
        report = await maintain(pool)
        assert report.refreshed_buckets > 0
        assert any(line.startswith("spans: dropped") for line in report.lines())
        # The usage itself has the short retention now, so compare what it keeps.
        start = now() - timedelta(days=9)
        kept = [row for row in before if row[0] >= start]
        assert [row for row in query(database_url, USAGE) if row[0] >= start] == kept
        assert (await maintain(pool)).lines() == ["refreshed 0 changed quarter-hours"]


async def test_a_text_without_end_does_not_stop_the_refresh(
    database_url: str, edition: str
) -> None:
    """Otherwise one sender's service name would end the usage of all projects."""
    # Of characters that do not compress, and longer than an index takes.
    name = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(12_000))
    resource = Resource(attributes={"service.name": name, "deployment.environment.name": name})
    old = {"start_time": now().replace(hour=3, minute=2) - timedelta(days=2)}
    calls = [
        span(number, service_name=name, environment=name, resource=resource, **old)
        for number in range(1, 4)
    ]
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        assert (await store.write_spans(calls)).stored == 3
        await Rollups(pool).refresh()
    if edition == "community":
        # Its jobs would do so in a week, and fail for ever after.
        assert query(database_url, COMPRESS_ROLLUPS)[0][0] > 10
    usage = "SELECT service_name, environment, requests FROM observatory.llm_usage_15m"
    assert query(database_url, usage) == [(name, name, 3)]


@pytest.mark.editions("community")
async def test_a_refresh_waits_for_that_of_a_job(database_url: str) -> None:
    """TimescaleDB refuses two refreshes of one window at once, where one could wait."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(traffic(100))
        refreshes = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        async with pool.acquire() as holder, pool.acquire() as job:
            transaction = holder.transaction()
            await transaction.start()
            (rows,) = query(database_url, WHERE_USAGE_IS)[0]
            await holder.execute(f"LOCK TABLE {rows} IN SHARE MODE")
            running = asyncio.create_task(job.execute(REFRESH_USAGE))
            waiting = f"{refreshes} AND wait_event_type = 'Lock'"
            await until(lambda: query(database_url, waiting) == [(1,)])
            refreshed = asyncio.create_task(Rollups(pool).refresh())
            await asyncio.sleep(2)
            assert not refreshed.done()
            await transaction.rollback()
            await running
            await refreshed
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)
