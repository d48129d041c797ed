"""Spans that come late, out of order, twice, or after their day was dropped, in all rollups."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import msgspec
import pytest

from observatory_store import Span, Store
from observatory_store.database import Pool, open_pool
from observatory_store.maintenance import Rollups, maintain
from storage.fresh import computed, held, rollup_names
from storage.samples import now, pending, query, span
from storage.test_all_rollups import rich

DAY = timedelta(days=1)
MIDNIGHT = now().replace(hour=0, minute=0, second=0)
MONTH_AGO = MIDNIGHT - 35 * DAY
KEPT_DAYS = """
    SELECT extract(day FROM retention)::integer FROM observatory.policies
    WHERE relation = %s AND extract(day FROM retention) < 60
"""


def kept_since(url: str, name: str) -> datetime:
    """Return from when on the rollup may be compared: some are kept for less long than spans."""
    days = query(url, KEPT_DAYS, name)
    return MIDNIGHT - (days[0][0] - 1) * DAY if days else MONTH_AGO


def check_all(url: str, since: datetime = MONTH_AGO) -> None:
    """Compare every rollup that is defined with one that is made of the stored spans now."""
    for name in rollup_names(url):
        start = max(since, kept_since(url, name))
        expected = computed(url, name, start)
        assert expected, name
        assert held(url, name, start) == expected, name


def snapshot(url: str, since: datetime, until: datetime) -> dict[str, list[str]]:
    """Return the rows of all rollups in a range that none of them drops."""
    return {
        name: held(url, name, max(since, kept_since(url, name)), until)
        for name in rollup_names(url)
    }


async def store_shuffled(store: Store, spans: list[Span], seed: int) -> None:
    """Store spans in no order at all, some of them twice in a batch or in two."""
    chance = random.Random(seed)
    order = [*spans, *chance.sample(spans, len(spans) // 3)]
    chance.shuffle(order)
    for position in range(0, len(order), 70):
        await store.write_spans(order[position : position + 70])


async def count_anew(pool: Pool) -> None:
    """Do all that could count a range again."""
    rollups = Rollups(pool)
    await rollups.refresh()
    await rollups.refresh_noted()
    async for _ in rollups.backfill():
        pass


async def test_late_spans_are_in_every_rollup_after_a_refresh(database_url: str) -> None:
    """A sender that was cut off for a month sends what it has, in two runs, some of it twice; the
    status tells that something waits until the refresh, and nothing after it.
    """
    recent = rich(150, seed=31, over=3 * DAY)
    late = rich(250, seed=32, over=30 * DAY, ago=2 * DAY)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store_shuffled(store, recent, seed=1)
        await rollups.refresh()
        check_all(database_url)
        for run in (late[::2], [*late[1::2], *late[::4], *recent[::3]]):
            await store_shuffled(store, run, seed=2)
            status = await rollups.status()
            assert [one.rollup for one in status if one.pending_buckets == 0] == []
            assert all(one.oldest_pending is not None for one in status)
            await rollups.refresh()
            assert await pending(rollups) == 0
            assert all(one.oldest_pending is None for one in await rollups.status())
            check_all(database_url)
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(400,)]


@pytest.mark.usefixtures("within_a_day")
async def test_dropped_days_stand_in_every_rollup(database_url: str, edition: str) -> None:
    """Days are dropped between two runs of late data; theirs is refused, and what the rollups know
    of them stays to the last digit, while the days that are left are counted as ever.
    """
    cut = MIDNIGHT - 12 * DAY
    first = rich(400, seed=33, over=30 * DAY)
    second = rich(200, seed=34, over=30 * DAY)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store_shuffled(store, first, seed=3)
        await Rollups(pool).refresh()
        check_all(database_url)
        before = snapshot(database_url, MONTH_AGO, cut)
        assert sum(map(len, before.values())) > 500
        await drop_before(database_url, edition, pool, days=12)
    # As a process does that learns of the retention when it starts.
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store_shuffled(store, second, seed=4)
        await count_anew(pool)
        assert snapshot(database_url, MONTH_AGO, cut) == before
        check_all(database_url, cut + DAY)
        _ignore_the_retention(database_url, MIDNIGHT - 20 * DAY)
        await count_anew(pool)
        assert snapshot(database_url, MONTH_AGO, cut) == before
        if edition == "community":
            _run_refresh_jobs(database_url)
            assert snapshot(database_url, MONTH_AGO, cut) == before
        await store.write_spans([msgspec.structs.replace(one, span_id="e" * 16) for one in second])
        await maintain(pool)
        await count_anew(pool)
        assert snapshot(database_url, MONTH_AGO, cut) == before
        check_all(database_url, cut + DAY)
        assert await pending(Rollups(pool)) == 0


async def drop_before(url: str, edition: str, pool: Pool, *, days: int) -> None:
    """Keep spans for this number of days, and drop those that are older."""
    query(
        url,
        f"UPDATE observatory.policies SET retention = '{days} days'"
        " WHERE relation IN ('spans', 'span_payloads')",
    )
    if edition == "community":
        run_jobs(url, "policy_retention", "spans")
    await maintain(pool)
    ((oldest,),) = query(url, "SELECT min(start_time) FROM observatory.spans")
    assert oldest >= MIDNIGHT - days * DAY


def _ignore_the_retention(url: str, time: datetime) -> None:
    """Put a span where spans were dropped, as an old process or a restored dump may."""
    query(
        url,
        "INSERT INTO observatory.spans SELECT (jsonb_populate_record(s, jsonb_build_object("
        f" 'start_time', '{time.isoformat()}'::timestamptz))).*"
        " FROM observatory.spans AS s LIMIT 1",
    )
    query(
        url,
        "INSERT INTO observatory_private.changed_buckets (project_id, bucket)"
        f" VALUES (1, '{time.isoformat()}')",
    )


def _run_refresh_jobs(url: str) -> None:
    run_jobs(url, "policy_refresh_continuous_aggregate", "%")


def run_jobs(url: str, kind: str, relation: str, *, least: int = 1) -> None:
    """Run the jobs of TimescaleDB of a kind on the relations, of which there are some."""
    jobs = query(
        url,
        "SELECT job_id FROM timescaledb_information.jobs WHERE proc_name = %s"
        " AND hypertable_schema LIKE 'observatory%%' AND hypertable_name LIKE %s ORDER BY job_id",
        kind,
        relation,
    )
    assert len(jobs) >= least
    for (job,) in jobs:
        query(url, f"CALL run_job({job})")


@pytest.mark.editions("apache", "postgres")
async def test_backfill_counts_projects_that_only_their_spans_tell_of(database_url: str) -> None:
    """Spans that were copied in by SQL, with nothing beside them, are counted by a backfill."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(200, seed=35, over=20 * DAY))
        await store.write_spans([span(1, start_time=now() - 20 * DAY)])
        await Rollups(pool).refresh()
        for project in (7, 2_000_000_000):
            query(
                database_url,
                "INSERT INTO observatory.spans SELECT (jsonb_populate_record(s,"
                f" jsonb_build_object('project_id', {project}, 'start_time',"
                "     s.start_time - interval '10 days'))).*"
                " FROM observatory.spans AS s WHERE project_id = 1",
            )
        done = [one async for one in Rollups(pool).backfill()]
        assert done[0].day == (now() - 30 * DAY).date()
        check_all(database_url)
