"""The doctor finds what is wrong with a database, and changes nothing."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest

from observatory_store import Store
from observatory_store.cli.doctor import known_migrations
from observatory_store.database import open_pool
from observatory_store.devdb import Cluster, find_installations
from observatory_store.ingest import present_prices
from observatory_store.maintenance import (
    RecostRange,
    RecostReport,
    Recosts,
    Rollups,
    maintain,
    recost,
)
from observatory_store.maintenance.doctor import Finding, Severity, examine
from observatory_store.maintenance.statistics import read_statistics
from observatory_store.schema import Migrator
from patience import PATIENCE_SECONDS
from storage.pooler import pooled
from storage.samples import log, now, query, span, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

OF_THE_TEST_SERVER = {"durability", "autovacuum", "lz4", "jobs"}
"""Test servers are fast and forgetful, and run no jobs."""


async def _examine(url: str, **options: Any) -> list[Finding]:
    async with open_pool(url, max_size=2) as pool:
        return await examine(pool, package="1.0", migrations=known_migrations(), **options)


async def _bad(url: str, check: str, **options: Any) -> list[Finding]:
    """Return what the check complains of; each complaint says what to do."""
    found = [one for one in await _examine(url, **options) if one.check == check]
    assert found
    bad = [one for one in found if one.severity is not Severity.OK]
    assert all(one.to_do.endswith(".") and one.what.endswith(".") for one in bad)
    return bad


async def _one(url: str, check: str, **options: Any) -> tuple[Severity, str]:
    (one,) = await _bad(url, check, **options)
    return one.severity, one.what


async def test_a_new_database_gives_no_complaint(database_url: str, edition: str) -> None:
    """A doctor that always complains is not listened to."""
    async with Store.open(database_url) as store:
        await store.write_spans(traffic(200))
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
    query(database_url, "DELETE FROM observatory.spans WHERE cost_usd IS NULL")
    found = await _examine(database_url)
    complaints = {one.check for one in found if one.severity is not Severity.OK}
    assert complaints - OF_THE_TEST_SERVER <= {"prices"}
    assert any(f"built for {edition}" in one.what for one in found)


async def test_nothing_is_written(database_url: str) -> None:
    """It may be run at any time, on a production database, by whoever may only read it."""
    number = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
    before = query(database_url, number)
    await _examine(database_url)
    assert query(database_url, number) == before


async def test_pending_migrations(database_url: str) -> None:
    """A deploy that forgot the migration is seen, and what can be examined is."""
    await asyncio.to_thread(Migrator(database_url).rollback, to="0004_spans")
    severity, what = await _one(database_url, "schema")
    assert severity is Severity.PROBLEM
    assert "from 0005_trace_days on" in what
    assert (await _bad(database_url, "rollups"))[0].severity is Severity.WARNING


async def test_a_database_without_the_schema(empty_database_url: str) -> None:
    """The first thing that a new operator runs says what the next one is."""
    (finding,) = await _bad(empty_database_url, "schema")
    assert finding.severity is Severity.PROBLEM
    assert "schema apply" in finding.to_do


async def test_migrations_of_a_newer_version(database_url: str) -> None:
    """Two versions of the service on one database are seen."""
    query(
        database_url,
        "INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('x', '0999_future')",
    )
    severity, what = await _one(database_url, "schema")
    assert severity is Severity.PROBLEM
    assert "0999_future" in what


async def test_a_migration_that_was_edited(database_url: str) -> None:
    """Nothing can be applied until it is mended, so a deploy is better not begun. What plain yoyo
    applied is of a text that nobody recorded.
    """
    migrator = Migrator(database_url)
    await asyncio.to_thread(migrator.reapply, "0002_projects")
    assert await _bad(database_url, "schema") == []
    edited = known_migrations() | {"0002_projects": "0" * 64, "0003_resources": "0" * 64}
    async with open_pool(database_url, max_size=2) as pool:
        for before_migration in (False, True):
            found = await examine(
                pool, package="1.0", migrations=edited, before_migration=before_migration
            )
            (finding,) = [one for one in found if one.check == "schema"]
            assert finding.severity is Severity.PROBLEM
            assert finding.what == "0002_projects was edited after it was applied."
            assert "schema reapply 0002_projects" in finding.to_do


async def test_the_known_migrations_are_yoyos(database_url: str) -> None:
    """Otherwise a migration could be pending without being told."""
    status = await asyncio.to_thread(Migrator(database_url).status)
    assert list(known_migrations()) == [one.id for one in status.migrations]


async def test_a_pooler_in_transaction_mode_is_named(database_url: str) -> None:
    """Behind one, the lock of a refresh is never given back, and staging tables vanish."""
    async with pooled(database_url) as url:
        severity, what = await _one(url, "pooling")
    assert severity is Severity.PROBLEM
    assert "transaction mode" in what
    assert await _bad(database_url, "pooling") == []


@pytest.mark.parametrize(
    ("wrong_by", "expected"),
    [
        (timedelta(seconds=30), (Severity.WARNING, "30 seconds ahead")),
        (timedelta(seconds=-30), (Severity.WARNING, "30 seconds behind")),
        (timedelta(hours=-1), (Severity.PROBLEM, "3,600 seconds behind")),
    ],
)
@pytest.mark.editions("postgres")
async def test_clocks_that_disagree(
    database_url: str, wrong_by: timedelta, expected: tuple[Severity, str]
) -> None:
    """Records would be refused as too new, or late rows be dropped at once."""
    severity, what = await _one(database_url, "clock", clock=lambda: datetime.now(UTC) + wrong_by)
    assert (severity, expected[1] in what) == (expected[0], True), what


async def test_synchronous_commit(database_url: str) -> None:
    """What is acknowledged and then lost must at least have been somebody's choice."""
    name = urlsplit(database_url).path.lstrip("/")
    query(database_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    found = await _bad(database_url, "durability")
    assert [one.severity for one in found if "synchronous_commit" in one.what] == [Severity.WARNING]
    query(database_url, f"ALTER DATABASE {name} SET synchronous_commit = on")
    found = await _bad(database_url, "durability")
    assert not any("synchronous_commit" in one.what for one in found)


@pytest.mark.editions("postgres")
async def test_a_read_only_server(database_url: str) -> None:
    """After a failover the URL may lead to what is a standby now."""
    name = urlsplit(database_url).path.lstrip("/")
    query(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert (await _one(database_url, "writable"))[0] is Severity.PROBLEM


async def test_an_edition_that_the_server_no_longer_is(database_url: str, edition: str) -> None:
    """A licence that was changed stops the policies without a word; one gained lies unused."""
    other = "community" if edition != "community" else "apache"
    query(database_url, "UPDATE observatory.installation SET edition = %s", other)
    severity, what = await _one(database_url, "edition")
    assert severity is (Severity.WARNING if edition == "community" else Severity.PROBLEM)
    assert f"built for {other}" in what
    assert f"do {edition} now" in what


async def test_tables_without_lz4(database_url: str) -> None:
    """A server that was upgraded to a build with lz4 does not use it by itself."""
    ((has_lz4,),) = query(
        database_url,
        "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'",
    )
    if has_lz4:
        assert await _bad(database_url, "lz4") == []
    for relation, column in query(
        database_url,
        "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attcompression = 'l'"
        " AND attrelid IN ('observatory.spans'::regclass, 'observatory.span_payloads'::regclass)",
    ):
        query(database_url, f"ALTER TABLE {relation} ALTER {column} SET COMPRESSION pglz")
    severity, what = await _one(database_url, "lz4")
    assert severity is Severity.WARNING
    assert ("tables were made without" in what) == has_lz4
    if has_lz4:
        (found,) = await _bad(database_url, "lz4")
        steps = found.to_do.removeprefix("Have the owner run ").split("; it holds")[0]
        for step in steps.split("; "):
            query(database_url, step)
        assert await _bad(database_url, "lz4") == []


async def test_a_rollup_that_nobody_refreshes(database_url: str) -> None:
    """Usage becomes slow, or wrong on community, while nobody notices."""
    query(
        database_url,
        "INSERT INTO observatory_private.changed_buckets (project_id, bucket, noted_at)"
        " SELECT 1, date_bin('15 minutes', now(), '2000-01-01Z') - n * interval '15 minutes',"
        " now() - interval '1 hour' FROM generate_series(1, 7) AS n",
    )
    severity, what = await _one(database_url, "rollups")
    assert severity is Severity.PROBLEM
    assert "7 quarter-hours" in what
    assert "60 minutes" in what
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
    assert await _bad(database_url, "rollups") == []


async def test_a_ledger_that_became_large(database_url: str) -> None:
    """Without vacuum the ledger grows with every commit, and each query of usage reads it."""
    query(
        database_url,
        "INSERT INTO observatory_private.changed_buckets (project_id, bucket)"
        " SELECT 1, '2020-01-01Z' FROM generate_series(1, 1600000)",
    )
    query(database_url, "DELETE FROM observatory_private.changed_buckets")
    assert (await _one(database_url, "ledger"))[0] is Severity.WARNING
    query(database_url, "VACUUM FULL observatory_private.changed_buckets")
    assert await _bad(database_url, "ledger") == []


async def test_models_without_a_price(database_url: str) -> None:
    """A cost that is too low is seen before the bill is, and says of which models."""
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                *(span(n, request_model="our-own-7b", cost_usd=None) for n in range(1, 4)),
                span(4, request_model="gpt-4o"),
                span(
                    5,
                    request_model="old-one",
                    cost_usd=None,
                    start_time=now() - timedelta(days=2),
                ),
            ]
        )
    severity, what = await _one(database_url, "prices")
    assert severity is Severity.WARNING
    assert "3 calls" in what
    assert "openai/our-own-7b (3)" in what
    assert "gpt-4o" not in what
    assert "old-one" not in what


@pytest.mark.editions("apache", "postgres")
async def test_a_maintain_that_does_not_run(database_url: str) -> None:
    """Where no job drops what is old, a missing timer fills the disk."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(
            [span(n, start_time=now() - timedelta(days=n)) for n in (1, 10, 40)]
        )
        query(database_url, "UPDATE observatory.policies SET retention = '30 days'")
        found = await _bad(database_url, "retention")
        assert all(one.severity is Severity.PROBLEM for one in found)
        assert {one.what.split()[0] for one in found} == {"spans", "trace_days"}
        await maintain(pool)
    assert await _bad(database_url, "retention") == []


async def test_days_that_are_not_indexed(database_url: str) -> None:
    """Without them a search is slow, and nothing else says so."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_logs([log(time=now() - timedelta(hours=50)), log(time=now())])
        severity, what = await _one(database_url, "words")
        assert severity is Severity.WARNING
        assert f"logs of {now() - timedelta(hours=50):%Y-%m-%d}." in what
        await maintain(pool)
    assert await _bad(database_url, "words") == []


@pytest.mark.editions("postgres")
def test_every_relation_with_a_retention_is_examined(database_url: str) -> None:
    """A new relation that is forgotten here would grow unnoticed."""
    from observatory_store.maintenance.storage_checks import _SQL  # noqa: PLC0415

    relations = query(
        database_url,
        "SELECT relation FROM observatory.policies"
        " WHERE relation NOT IN (SELECT name FROM observatory_private.rollups)",
    )
    assert {f"oldest_{relation}" for (relation,) in relations} <= _SQL.keys()


@pytest.mark.editions("community")
async def test_jobs_that_do_not_carry_out_the_policies(database_url: str) -> None:
    """Data would be kept too long, or dropped too soon, or never become columnar."""
    assert await _bad(database_url, "policies") == []
    query(database_url, "SELECT remove_retention_policy('observatory.logs')")
    query(database_url, "SELECT remove_retention_policy('observatory.spans')")
    query(database_url, "SELECT add_retention_policy('observatory.spans', interval '7 days')")
    query(database_url, "CALL remove_columnstore_policy('observatory.metric_points')")
    found = await _bad(database_url, "policies")
    assert all(one.severity is Severity.PROBLEM for one in found)
    assert {(one.what.split()[1], one.what.split()[4]) for one in found} == {
        ("retention", "logs"),
        ("retention", "spans"),
        ("columnstore", "metric_points"),
    }
    for one in found:
        for statement in one.to_do.removeprefix("Run ").split("; or")[0].split("; "):
            query(database_url, statement)
    assert await _bad(database_url, "policies") == []


@pytest.mark.editions("community")
@pytest.mark.parametrize("start_offset", ["interval '200 days'", "NULL"])
async def test_a_refresh_that_reaches_past_the_spans(database_url: str, start_offset: str) -> None:
    """It wipes the usage of every day whose spans retention has dropped."""
    cagg = "'observatory_private.llm_usage_15m'"
    query(database_url, f"SELECT remove_continuous_aggregate_policy({cagg})")
    assert "No job refreshes" in (await _one(database_url, "policies"))[1]
    query(
        database_url,
        f"SELECT add_continuous_aggregate_policy({cagg}, start_offset => {start_offset},"
        " end_offset => interval '15 minutes', schedule_interval => interval '5 minutes')",
    )
    severity, what = await _one(database_url, "policies")
    assert severity is Severity.PROBLEM
    assert "wipes the usage" in what


@pytest.mark.editions("community")
async def test_a_server_without_workers_for_jobs(database_url: str) -> None:
    """All policies are there, and none is ever carried out."""
    severity, what = await _one(database_url, "jobs")
    assert severity is Severity.PROBLEM
    assert "has no workers" in what


async def test_a_role_that_may_not_read(database_url: str) -> None:
    """It is told so, instead of meeting a traceback or a false all-clear."""
    role = urlsplit(database_url).path.lstrip("/")
    parts = urlsplit(database_url)
    query(database_url, f"CREATE ROLE {role} LOGIN")
    try:
        url = parts._replace(netloc=f"{role}@{parts.hostname}:{parts.port}").geturl()
        found = await _examine(url)
        assert {"edition", "rollups", "prices"} <= {
            one.check for one in found if "permission denied" in one.what
        }
        assert not any(one.check == "rollups" and one.severity is Severity.OK for one in found)
    finally:
        query(database_url, f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def scheduling_url() -> Iterator[str]:
    """URL of a migrated database whose server runs TimescaleDB's jobs."""
    for installation in find_installations():
        if installation.timescale_license and installation.supported:
            break
    else:
        pytest.skip("no installed PostgreSQL has TimescaleDB under its own licence")
    with Cluster(installation) as cluster:
        Migrator(cluster.url).apply()
        yield cluster.url


def _wait_for(url: str, condition: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not query(url, condition)[0][0]:
        assert time.monotonic() < until, condition
        time.sleep(0.1)


async def test_a_job_that_fails_and_one_that_is_paused(scheduling_url: str) -> None:
    """A retention that fails every night is found before the disk is full."""
    url = scheduling_url
    jobs = dict(
        query(
            url,
            "SELECT hypertable_name, job_id FROM timescaledb_information.jobs"
            " WHERE proc_name = 'policy_retention'",
        )
    )
    async with Store.open(url) as store:
        await store.write_spans([span(1, start_time=now() - timedelta(days=20))])
    with psycopg.connect(url, autocommit=True) as connection:
        (chunk,) = connection.execute(
            "SELECT show_chunks('observatory.spans')::text"
        ).fetchone() or ("",)
        # What depends on a chunk keeps retention from dropping it.
        connection.execute(f"CREATE VIEW public.in_the_way AS SELECT * FROM {chunk}")
        connection.execute("SELECT remove_retention_policy('observatory.spans')")
        (job,) = connection.execute(
            "SELECT add_retention_policy('observatory.spans', interval '10 days',"
            " initial_start => now())"
        ).fetchone() or (0,)
    query(url, f"SELECT alter_job({jobs['logs']}, scheduled => false)")
    _wait_for(
        url,
        "SELECT coalesce(bool_or(last_run_status = 'Failed'), false)"
        f" FROM timescaledb_information.job_stats WHERE job_id = {job}",
    )
    _wait_for(
        url,
        f"SELECT count(*) > 0 FROM timescaledb_information.job_errors WHERE job_id = {job}",
    )
    found = await _bad(url, "jobs")
    assert all(one.severity is Severity.PROBLEM for one in found)
    ((error,),) = query(
        url,
        "SELECT err_message FROM timescaledb_information.job_errors"
        f" WHERE job_id = {job} ORDER BY finish_time DESC LIMIT 1",
    )
    (failing,) = [one for one in found if f"retention of spans ({job})" in one.what]
    assert error.rstrip(".") in failing.what
    (paused,) = [one for one in found if "paused" in one.what]
    assert "retention of logs" in paused.what
    async with open_pool(url) as pool:
        statistics = await read_statistics(pool)
    assert statistics.jobs is not None
    (state,) = [one for one in statistics.jobs if one.job_id == job]
    assert (state.job, state.relation, state.failed) == ("retention", "spans", True)
    assert state.failures >= 1


async def test_a_recost_that_was_stopped(database_url: str) -> None:
    """Half of a month at old prices and half at new is named, with who, when and how to go on."""

    class _StoppedError(Exception):
        pass

    def stop(_: RecostReport) -> None:
        raise _StoppedError

    range_ = RecostRange(start=now() - timedelta(days=9), end=now())
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans([span(n, start_time=now() - timedelta(days=n)) for n in (1, 2, 3)])
        recosts = Recosts(pool, await present_prices(pool))
        assert await _bad(database_url, "recosts") == []
        with pytest.raises(_StoppedError):
            await recosts.run(range_, by="ann", show=stop)
        (finding,) = await _bad(database_url, "recosts")
        assert finding.severity is Severity.WARNING
        assert "Recost 1, begun by ann at" in finding.what
        assert f"was stopped at {now() - timedelta(days=3):%Y-%m-%d}" in finding.what
        assert "recost --resume 1`" in finding.to_do
        with pytest.raises(_StoppedError):
            await recosts.run(msgspec.structs.replace(range_, model="gpt-4o"), by="bob", show=stop)
        assert len(await _bad(database_url, "recosts")) == 2
        await recosts.resume(2)
        (finding,) = await _bad(database_url, "recosts")
        assert "begun by ann" in finding.what
        await recosts.run(range_)
        assert await _bad(database_url, "recosts") == []


@pytest.mark.editions("postgres")
async def test_a_recost_under_way_is_no_complaint(database_url: str) -> None:
    """It will be done; whoever resumed it would only be told to wait."""
    query(
        database_url,
        "INSERT INTO observatory.recosts (range_start, range_end, cost_source, bundled_prices,"
        " done_day, done_before) SELECT t, t + interval '1 day', 'computed', '1', t, t"
        " FROM (VALUES (now())) AS v (t)",
    )
    assert len(await _bad(database_url, "recosts")) == 1
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [recost.LOCK])
        assert await _bad(database_url, "recosts") == []
