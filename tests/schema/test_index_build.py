"""An index on a table with data, built beside writers, killed midway and built again."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import psycopg
import pytest
import yoyo

from observatory_store.database import for_yoyo
from observatory_store.errors import MigrationError, UnavailableError
from observatory_store.schema import Migrator, Patience, State, migrations_folder
from patience import until
from schema.test_migrations import FORWARD
from schema.test_migrator import execute, session
from storage.samples import query

ID = "0999_spans_by_kind"
IDS = [path.stem for path in FORWARD]
BUILD = """-- What: an index, on which a test builds.
-- depends: {depends}
-- transactional: false

CREATE INDEX /* CONCURRENTLY */ IF NOT EXISTS spans_by_kind
    ON observatory.spans (project_id, kind)
    /* WITH (timescaledb.transaction_per_chunk) */
    WHERE kind <> 'internal';
"""
UNDO = "DROP INDEX IF EXISTS observatory.spans_by_kind;\n"
DAYS = 5
SPANS = """
    INSERT INTO observatory.spans (project_id, start_nanos, duration_nanos, start_time, duration_us,
        resource_id, ingested_at, trace_id, span_id, name, kind, status, service_name,
        is_inference, source)
    SELECT 1, 0, 0, date_trunc('day', now()) - {day} * interval '1 day', 1, 1, now(),
        gen_random_uuid(), '\\x0102030405060708', '', 'client', 'unset', '', true, 'store'
    FROM generate_series(1, {number})
"""
INDEXES = """
    SELECT t.relname, i.indisvalid AND i.indisready
    FROM pg_index AS i
    JOIN pg_class AS t ON t.oid = i.indrelid
    WHERE t.relname <> 'spans' AND pg_get_indexdef(indexrelid) LIKE '%(project_id, kind)%'
"""
CHUNKS = """
    SELECT relname, format('%I.%I', nspname, relname) FROM pg_inherits
    JOIN pg_class AS c ON c.oid = inhrelid
    JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE inhparent = 'observatory.spans'::regclass
    ORDER BY c.oid
"""
STATE = (
    "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('observatory.spans_by_kind')"
)
BUILDING = """
    SELECT a.pid FROM pg_stat_activity AS a
    WHERE a.query LIKE '%CREATE INDEX%spans_by_kind%' AND a.pid <> pg_backend_pid()
        AND a.wait_event_type = 'Lock' AND a.datname = current_database()
"""
PATIENT = Patience(lock_timeout_seconds=250, lock_wait_seconds=250)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the migrations, and one more that builds an index."""
    folder = Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))
    (folder / f"{ID}.sql").write_text(BUILD.format(depends=IDS[-1]))
    (folder / f"{ID}.rollback.sql").write_text(UNDO)
    return folder


@pytest.fixture
def url(database_url: str) -> str:
    """URL of a database with spans of some days."""
    execute(database_url, *(SPANS.format(day=day, number=20) for day in range(DAYS)))
    return database_url


def _assert_built(url: str, edition: str) -> None:
    assert query(url, STATE) == [(True,)]
    chunks = [name for name, _ in query(url, CHUNKS)]
    assert len(chunks) == (0 if edition == "postgres" else DAYS)
    assert sorted(query(url, INDEXES)) == sorted((name, True) for name in chunks)


def _hold(url: str, day: int, edition: str) -> str:
    """Return a statement that keeps a build waiting, on a hypertable at the chunk of a day."""
    if edition == "postgres":
        return SPANS.format(day=day, number=1)
    return f"LOCK TABLE {query(url, CHUNKS)[day][1]} IN ROW EXCLUSIVE MODE"


async def test_a_build_that_is_killed_midway(url: str, folder: Path, edition: str) -> None:
    """What it left is not taken for done: the next run builds the index on every chunk, once."""
    migrator = Migrator(url, folder=folder, patience=PATIENT)
    with session(url, _hold(url, DAYS // 2, edition)):
        building = asyncio.create_task(asyncio.to_thread(migrator.apply))
        await until(lambda: bool(query(url, BUILDING)))
        execute(url, f"SELECT pg_terminate_backend(pid) FROM ({BUILDING}) AS building")
        with pytest.raises(UnavailableError, match=f"{ID}: .*run it again"):
            await building
    assert query(url, STATE) == [(False,)]
    assert migrator.status().of(State.PENDING) == [ID]

    assert [step.id for step in migrator.apply()] == [ID]
    _assert_built(url, edition)
    recorded = "SELECT count(*) FROM _yoyo_log WHERE operation = 'apply' AND migration_id = %s"
    assert query(url, recorded, ID) == [(1,)]
    migrator.rollback()
    assert query(url, STATE) == []
    assert query(url, INDEXES) == []


async def test_a_writer_goes_on_during_a_build(url: str, folder: Path, edition: str) -> None:
    """On a plain table nobody waits; on a hypertable, who writes to the chunk that is built on."""
    with session(url, _hold(url, 0, edition)) as writer:
        migrator = Migrator(url, folder=folder, patience=PATIENT)
        building = asyncio.create_task(asyncio.to_thread(migrator.apply))
        await until(lambda: bool(query(url, BUILDING)))
        with psycopg.connect(url) as other:
            other.execute("SET lock_timeout = '1s'")
            for day in range(edition != "postgres", DAYS):
                other.execute(SPANS.format(day=day, number=1).encode())
        writer.commit()
        assert [step.id for step in await building] == [ID]
    _assert_built(url, edition)


def test_its_plan(url: str, folder: Path, edition: str) -> None:
    """It shows what would run here, and that no table stands still for it."""
    pytest.importorskip("postgast")
    execute(url, "ANALYZE observatory.spans")
    (statement,) = Migrator(url, folder=folder).plan()
    assert ("INDEX CONCURRENTLY IF" in statement.sql) == (edition == "postgres")
    assert ("/* WITH (" in statement.sql) == (edition == "postgres")
    (effect,) = statement.effects
    assert (effect.relation, effect.is_slow) == ("observatory.spans", False)
    assert effect.rows > 0
    assert effect.waiting == ("nobody" if edition == "postgres" else "writers of a chunk")


def test_plain_yoyo_builds_it_as_well(url: str, folder: Path, edition: str) -> None:
    """It takes the words in comments for comments, and keeps writers waiting."""
    backend = yoyo.get_backend(for_yoyo(url))
    try:
        backend.apply_migrations(backend.to_apply(yoyo.read_migrations(str(folder))))
    finally:
        backend.connection.close()
    _assert_built(url, edition)
    assert Migrator(url, folder=folder).status().is_current


def test_a_transaction_that_does_not_end(url: str, folder: Path, edition: str) -> None:
    """After its patience the build is given up, and names whom it waited for and what is left."""
    haste = Patience(lock_timeout_seconds=0.05, lock_wait_seconds=0.3)
    with (
        session(url, _hold(url, DAYS // 2, edition)) as writer,
        pytest.raises(
            MigrationError,
            match=rf"{ID}: no lock within .*{writer.info.backend_pid}.*left unfinished.*run it",
        ),
    ):
        Migrator(url, folder=folder, patience=haste).apply()
    assert query(url, STATE) == [(False,)]
    assert [step.id for step in Migrator(url, folder=folder).apply()] == [ID]
    assert query(url, STATE) == [(True,)]


@pytest.mark.editions("apache", "community")
def test_a_build_takes_its_time(url: str, folder: Path) -> None:
    """Patience is for waiting: after a long build the first lock in use does not end it."""
    path = folder / f"{ID}.sql"
    path.write_text(path.read_text().replace("CREATE INDEX", "SELECT pg_sleep(2);\nCREATE INDEX"))
    patience = Patience(lock_timeout_seconds=0.05, lock_wait_seconds=2)
    with session(url, SPANS.format(day=1, number=1)) as writer:

        def release(line: str) -> None:
            if "steps back" in line:
                writer.rollback()

        (step,) = Migrator(url, folder=folder, patience=patience).apply(progress=release)
    assert (step.id, step.retries) == (ID, 1)
    assert query(url, STATE) == [(True,)]


async def test_a_build_whose_migrator_is_ended(url: str, folder: Path, edition: str) -> None:
    """Nothing is recorded of it, nobody is kept out, and the next run builds it anew."""
    migrator = Migrator(url, folder=folder, patience=PATIENT)
    with session(url, _hold(url, DAYS // 2, edition)):
        building = asyncio.create_task(asyncio.to_thread(migrator.apply))
        await until(lambda: bool(query(url, BUILDING)))
        migrator.unlock(migrator.holders())
        with pytest.raises(UnavailableError, match=f"{ID}: .*run it again"):
            await building
        assert migrator.holders() == []
        assert query(url, STATE) == [(False,)]
        assert migrator.status().of(State.PENDING) == [ID]
    assert [step.id for step in migrator.apply()] == [ID]
    _assert_built(url, edition)
