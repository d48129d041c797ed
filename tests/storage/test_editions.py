"""What each edition does with the storage: chunks, columnstore, retention, aggregates."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups, maintain
from storage.samples import (
    RECOUNT_TRACES,
    RECOUNT_USAGE,
    TRACES,
    USAGE,
    content,
    log,
    now,
    pending,
    point,
    query,
    span,
    traffic,
)

HYPERTABLES = ["logs", "metric_points", "span_payloads", "spans", "trace_days"]

JOBS = """
    SELECT proc_name, hypertable_name, config, job_id FROM timescaledb_information.jobs
    WHERE job_id >= 1000 ORDER BY 1, 2
"""


def refresh_job(url: str) -> int:
    """Return the job that refreshes llm_usage_15m."""
    (job,) = [
        job
        for procedure, relation, _, job in query(url, JOBS)
        if (procedure, relation) == ("policy_refresh_continuous_aggregate", "llm_usage_15m")
    ]
    return int(job)


@pytest.mark.editions("community", "apache")
async def test_facts_are_hypertables_with_the_policies_chunks(database_url: str) -> None:
    """Data of three days lies in three chunks, at UTC midnights, so that a day can be dropped."""
    assert query(
        database_url,
        "SELECT hypertable_name, time_interval = chunk_interval"
        " FROM timescaledb_information.dimensions"
        " JOIN observatory.policies ON relation = hypertable_name"
        " WHERE hypertable_schema = 'observatory' ORDER BY 1",
    ) == [(name, True) for name in HYPERTABLES]
    midnight = now().replace(hour=0, minute=0, second=0)
    async with Store.open(database_url) as store:
        await store.write_spans([span(n, start_time=midnight - timedelta(days=n)) for n in (1, 2)])
        await store.write_spans([span(3, start_time=midnight - timedelta(seconds=1))])
    chunks = query(
        database_url,
        "SELECT range_start, range_end FROM timescaledb_information.chunks"
        " WHERE hypertable_name = 'spans' ORDER BY 1",
    )
    assert [(start, end - start) for start, end in chunks] == [
        (midnight - timedelta(days=2), timedelta(days=1)),
        (midnight - timedelta(days=1), timedelta(days=1)),
    ]


@pytest.mark.editions("postgres")
def test_without_timescaledb_tables_are_plain_with_a_brin_index_on_time(database_url: str) -> None:
    """The retention finds the oldest rows without reading the table."""
    assert query(
        database_url,
        "SELECT tablename FROM pg_indexes WHERE schemaname = 'observatory'"
        " AND indexdef LIKE '%USING brin%' ORDER BY 1",
    ) == [(name,) for name in HYPERTABLES]


@pytest.mark.editions("community")
def test_the_policies_are_timescaledbs_own(database_url: str) -> None:
    """Each policy of the table has its job; trace days are never columnar; and no refresh reaches
    back to where spans are dropped, which would wipe the usage.
    """
    jobs = query(database_url, JOBS)
    facts = [row for row in jobs if row[1] in HYPERTABLES]
    columnstore = {row[1] for row in facts if row[0] == "policy_compression"}
    assert columnstore == set(HYPERTABLES) - {"trace_days"}
    assert {row[1] for row in facts if row[0] == "policy_retention"} == set(HYPERTABLES)
    rollups = {
        name
        for (name,) in query(
            database_url, "SELECT name FROM observatory_private.rollups WHERE is_stored"
        )
    }
    for job in ("policy_retention", "policy_refresh_continuous_aggregate"):
        assert {row[1] for row in jobs if row[0] == job} - set(HYPERTABLES) == rollups
    starts_before_retention = query(
        database_url,
        "SELECT (config ->> 'start_offset')::interval + interval '2 days' <= p.retention"
        " FROM timescaledb_information.jobs"
        " JOIN observatory_private.rollups AS r ON r.name = hypertable_name"
        " JOIN observatory.policies AS p ON p.relation = r.source"
        " WHERE proc_name = 'policy_refresh_continuous_aggregate'",
    )
    assert starts_before_retention == [(True,)] * len(rollups)


@pytest.mark.editions("community")
async def test_the_columnstore_policy_shrinks_old_chunks(database_url: str) -> None:
    """An old day becomes columnar and much smaller, is still read and written, and a replay into it
    still changes nothing, of any signal.
    """
    noon = now().replace(hour=12, minute=0, second=0) - timedelta(days=5)
    old = traffic(3000, over=timedelta(hours=3), ago=now() - noon)
    logs = [log(str(n), time=now() - timedelta(days=5, minutes=n)) for n in range(50)]
    points = [point(n, time=now() - timedelta(days=5, minutes=n)) for n in range(50)]
    async with Store.open(database_url) as store:
        await store.write_spans([*old, *traffic(50, seed=2)])
        await store.write_logs(logs)
        await store.write_points(points)
        before = content(database_url)
        for name, _, _, job in query(database_url, JOBS):
            if name == "policy_compression":
                query(database_url, f"CALL run_job({job})")
        stats = query(
            database_url,
            "SELECT before_compression_total_bytes, after_compression_total_bytes"
            " FROM hypertable_columnstore_stats('observatory.spans')",
        )
        assert stats[0][1] * 4 < stats[0][0]
        assert content(database_url) == before

        assert (await store.write_spans(old)).stored == 0
        assert (await store.write_logs(logs)).duplicates == 50
        assert (await store.write_points(points)).duplicates == 50
        assert content(database_url) == before
        other = await store.write_points([point(99.5, time=points[0].time), point(series="new")])
        assert (other.stored, other.rejected) == (1, 1)
        late = span(7_000_001, trace_id=old[0].trace_id, start_time=old[0].start_time)
        assert (await store.write_spans([late])).stored == 1
        trace = await store.traces.get(late.trace_id)
        assert trace is not None
        assert late.span_id in {one.span_id for one in trace.spans}
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    indexes = query(
        database_url,
        "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
        " AND hypertable_name = 'spans'",
    )
    assert indexes[0][0] >= 1


@pytest.mark.editions("community")
async def test_the_aggregate_is_real_time_and_its_policy_refreshes_it(database_url: str) -> None:
    """Fresh spans count at once; the policy then materializes them, and those of a late hour."""
    materialized = (
        "SELECT coalesce(sum(requests), 0) FROM observatory_private.llm_usage_15m"
        " WHERE bucket < _timescaledb_functions.to_timestamp("
        "_timescaledb_functions.cagg_watermark((SELECT mat_hypertable_id"
        " FROM _timescaledb_catalog.continuous_agg WHERE user_view_name = 'llm_usage_15m')))"
    )
    job = refresh_job(database_url)
    async with Store.open(database_url) as store:
        await store.write_spans(traffic(300, over=timedelta(hours=5), ago=timedelta(hours=1)))
        assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)
        assert query(database_url, materialized) == [(0,)]
        query(database_url, f"CALL run_job({job})")
        assert query(database_url, materialized)[0][0] > 100
        assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)
        await store.write_spans(
            traffic(50, seed=2, over=timedelta(hours=5), ago=timedelta(hours=15))
        )
        assert query(database_url, "SELECT * FROM observatory_private.changed_buckets") == []
        query(database_url, f"CALL run_job({job})")
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


@pytest.mark.editions("community")
async def test_a_refresh_job_that_rested_for_days_leaves_no_hole(database_url: str) -> None:
    """Days that passed while no job could run are in the usage once it runs again."""
    job = refresh_job(database_url)
    async with Store.open(database_url) as store:
        for days in range(6, 0, -1):
            await store.write_spans([span(days, start_time=now() - timedelta(days=days))])
    query(database_url, "DELETE FROM observatory_private.changed_buckets")
    query(database_url, f"CALL run_job({job})")
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


@pytest.mark.editions("community")
async def test_the_retention_policies_drop_whole_days(database_url: str) -> None:
    """TimescaleDB's own job drops what is older than the policy, of every relation."""
    days = (1, 20)
    async with Store.open(database_url) as store:
        await store.write_spans([span(n, start_time=now() - timedelta(days=n)) for n in days])
        await store.write_logs([log(str(n), time=now() - timedelta(days=n)) for n in days])
        await store.write_points([point(time=now() - timedelta(days=n)) for n in days])
    for relation in ("spans", "logs", "metric_points", "trace_days"):
        query(database_url, f"SELECT remove_retention_policy('observatory.{relation}')")
        job = query(
            database_url,
            f"SELECT add_retention_policy('observatory.{relation}', interval '10 days')",
        )
        query(database_url, f"CALL run_job({job[0][0]})")
        assert query(database_url, f"SELECT count(*) FROM observatory.{relation}") == [(1,)]


@pytest.mark.editions("apache", "postgres")
async def test_maintain_drops_what_is_too_old_and_nothing_else(
    database_url: str, edition: str
) -> None:
    """Each relation goes at its own age; what is younger stays, and so does the usage."""
    days = (1, 20)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans([span(n, start_time=now() - timedelta(days=n)) for n in days])
        await store.write_logs([log(str(n), time=now() - timedelta(days=n)) for n in days])
        await store.write_points([point(time=now() - timedelta(days=n)) for n in days])
        before = query(database_url, USAGE)
        query(
            database_url,
            "UPDATE observatory.policies SET retention = '10 days'"
            " WHERE relation NOT IN (SELECT name FROM observatory_private.rollups)",
        )
        report = await maintain(pool)
        facts = [line for line in report.dropped if line.partition(":")[0] in HYPERTABLES]
        assert len(facts) == 4
        for relation in ("spans", "logs", "metric_points", "trace_days"):
            assert query(database_url, f"SELECT count(*) FROM observatory.{relation}") == [(1,)]
        assert query(database_url, USAGE) == before
        unit = "chunks" if edition == "apache" else "rows"
        assert all(unit in line for line in facts)


async def test_a_rollup_is_never_refreshed_where_spans_are_gone(database_url: str) -> None:
    """A note about a range that retention has dropped must not wipe that range's usage."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans([span(n, start_time=now() - timedelta(days=n)) for n in (1, 85)])
        await Rollups(pool).refresh()
        before = query(database_url, USAGE)
        query(
            database_url,
            "UPDATE observatory.policies SET retention = '30 days', complete_from ="
            " date_trunc('day', now() - interval '30 days') WHERE relation = 'spans'",
        )
        query(
            database_url,
            "DELETE FROM observatory.spans WHERE start_time < now() - interval '2 days'",
        )
        query(
            database_url,
            "INSERT INTO observatory_private.changed_buckets (project_id, bucket)"
            " SELECT project_id, bucket FROM observatory.llm_usage_15m ORDER BY bucket LIMIT 1",
        )
        assert query(database_url, USAGE) == before
        await Rollups(pool).refresh()
        assert query(database_url, USAGE) == before
        assert await pending(Rollups(pool)) == 0
