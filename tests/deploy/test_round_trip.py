"""``backup.sh`` and ``restore.sh``: what was there is there again, and goes on."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from analysts.telemetry import store_telemetry
from deploy.scripts import run
from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.ingest import present_prices
from observatory_store.maintenance import RecostRange, Recosts, Rollups, maintain
from observatory_store.pricing import genai
from observatory_store.repositories import KeyRepository, sync_models
from observatory_store.schema import Migrator
from schema.catalogue import catalogue
from storage.samples import now, point, query, span, traffic
from storage.test_all_rollups import check

RELATIONS = """
    SELECT format('%I.%I', nspname, relname), relkind
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname IN ('observatory', 'observatory_private') AND relkind IN ('r', 'p', 'v', 'm')
"""
CHUNKS = """
    SELECT hypertable_schema, hypertable_name, range_start, is_compressed
    FROM timescaledb_information.chunks ORDER BY 1, 2, 3
"""
JOBS = """
    SELECT job_id, proc_name, hypertable_schema, hypertable_name, schedule_interval, config, owner,
        scheduled
    FROM timescaledb_information.jobs WHERE job_id >= 1000 ORDER BY 1
"""
SIZES = {"observatory.storage"}
"""Of the files, which are written anew."""


async def _fill(url: str, edition: str) -> None:
    """Put rows into every table, most of them into compressed chunks, and leave some to refresh."""
    await store_telemetry(url)
    async with open_pool(url) as pool:
        async with Store.open(url) as store:
            await store.budgets.set("team", 100)
            await store.budgets.set("team", 200)
            await store.write_points([point(n, time=now() - timedelta(hours=n)) for n in range(40)])
        await sync_models(pool, genai.read())
        await KeyRepository(pool).create(1, "collector", {"write"})
        await maintain(pool)
        week = RecostRange(start=now() - timedelta(days=7), end=now())
        await Recosts(pool, await present_prices(pool)).run(week, reason="a new contract")
        await Rollups(pool).refresh()
    if edition == "community":
        query(
            url,
            "SELECT compress_chunk(c) FROM show_chunks('observatory.spans',"
            " older_than => now() - interval '2 days') AS c",
        )
    async with Store.open(url) as store:
        await store.write_spans(traffic(20))  # which no rollup has counted yet


def _rows(url: str) -> dict[str, tuple[int, str]]:
    """Return how many rows each relation has, and a digest of them."""
    return {
        name: query(
            url,
            f"SELECT count(*), md5(string_agg(row, '' ORDER BY row))"
            f" FROM (SELECT to_jsonb(t)::text AS row FROM {name} AS t) AS rows",
        )[0]
        for name, _ in query(url, RELATIONS)
        if name not in SIZES
    }


def _catalogue(url: str) -> list[str]:
    # The server parses each view anew, and prints a condition of three parts with other brackets.
    return [re.sub("[()]", "", line) for line in catalogue(url)]


def test_all_that_was_there(
    database_url: str, second_database_url: str, edition: str, programs: Path, tmp_path: Path
) -> None:
    """Every relation, rollup, chunk and job; the schema is verified, and writing goes on."""
    asyncio.run(_fill(database_url, edition))
    file = tmp_path / "observatory.dump"
    backup = run("backup.sh", file, url=database_url, programs=programs)
    assert backup.returncode == 0, backup.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == [file.name]

    rehearsed = run("restore.sh", "--dry-run", file, url=second_database_url, programs=programs)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "nothing was changed" in rehearsed.stdout
    assert query(second_database_url, RELATIONS) == []
    restore = run("restore.sh", file, url=second_database_url, programs=programs)
    assert restore.returncode == 0, restore.stderr

    rows = _rows(database_url)
    empty = {name for name, kind in query(database_url, RELATIONS) if kind == "r"} - {
        name for name, (count, _) in rows.items() if count
    }
    if edition == "community":  # which has these for what another edition left behind
        empty = {name for name in empty if not name.endswith(("_history", "changed_buckets"))}
    assert empty <= {"observatory_private.stale_buckets"}
    assert _rows(second_database_url) == rows
    assert _catalogue(second_database_url) == _catalogue(database_url)
    if edition != "postgres":
        chunks = query(database_url, CHUNKS)
        assert query(second_database_url, CHUNKS) == chunks
        assert any(compressed for *_, compressed in chunks) == (edition == "community")
        assert query(second_database_url, JOBS) == query(database_url, JOBS)
        assert query(second_database_url, "SHOW timescaledb.restoring") == [("off",)]
    migrator = Migrator(second_database_url)
    assert migrator.status() == Migrator(database_url).status()
    assert migrator.verify() == []

    asyncio.run(_go_on(second_database_url))


async def _go_on(url: str) -> None:
    """Store what is new, and what is late for a compressed chunk; all rollups follow."""
    late = span(900_001, start_time=now() - timedelta(days=6))
    async with Store.open(url) as store, open_pool(url) as pool:
        assert (await store.write_spans([*traffic(10, seed=5), late])).stored == 11
        await Rollups(pool).refresh()
        check(url)
        await maintain(pool)


def test_a_backup_is_never_overwritten(
    database_url: str, programs: Path, tmp_path: Path, edition: str
) -> None:
    """In a folder each has a name of its own; a file that is there stays as it is."""
    rehearsed = run("backup.sh", "--dry-run", tmp_path, url=database_url, programs=programs)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert list(tmp_path.iterdir()) == []
    if edition != "postgres":
        return
    assert run("backup.sh", tmp_path, url=database_url, programs=programs).returncode == 0
    [file] = tmp_path.iterdir()
    assert file.name.startswith("observatory-")
    size = file.stat().st_size
    again = run("backup.sh", file, url=database_url, programs=programs)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert file.stat().st_size == size
    onto = run("restore.sh", file, url=database_url, programs=programs)
    assert onto.returncode == 2
    assert "already" in onto.stderr
