"""The lock of the migrator: it ends with the work, and the work with it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from observatory_store.errors import MigrationError, UnavailableError
from observatory_store.schema import Migrator, Patience, State
from patience import until
from schema.test_migrations import FORWARD, run_yoyo
from schema.test_migrator import execute, folder, session
from storage.samples import query

__all__ = ["folder"]

IDS = [path.stem for path in FORWARD]
GATE = "SELECT pg_advisory_xact_lock(42)"
IN_USE = "LOCK TABLE observatory.policies IN ROW EXCLUSIVE MODE"
PATIENT = Patience(lock_timeout_seconds=250)
MIGRATING = """
    SELECT pid FROM pg_stat_activity AS a
    WHERE datname = current_database() AND application_name LIKE 'observatory-store schema apply %'
        AND {which}
"""
WAITS = "wait_event_type = 'Lock'"
KEEPS_YOYO_OUT = """
    state = 'idle in transaction' AND EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.pid = a.pid AND relation = 'yoyo_lock'::regclass AND granted)
"""


@pytest.mark.editions("postgres")
async def test_who_loses_the_lock_stops(database_url: str) -> None:
    """What an ended migrator was doing must not be committed after another one has had its turn."""
    migrator = Migrator(database_url, patience=PATIENT)
    migrator.rollback()
    with session(database_url, IN_USE):
        ended = asyncio.create_task(asyncio.to_thread(migrator.apply))
        await until(lambda: bool(query(database_url, MIGRATING.format(which=WAITS))))
        migrator.unlock(migrator.holders())
        assert migrator.holders() == []
        with pytest.raises(UnavailableError, match="run it again"):
            await ended
        assert [step.id for step in migrator.rollback()] == IDS[-2:-1]
    assert migrator.status().of(State.PENDING) == IDS[-2:]
    assert [step.id for step in migrator.apply()] == IDS[-2:]
    assert migrator.verify() == []


@pytest.mark.editions("postgres")
def test_only_who_was_shown_is_ended(database_url: str) -> None:
    """A session that let go of the lock since then does something else by now."""
    hold = f"SELECT pg_advisory_lock({0x6F62735F6D696772})"
    migrator = Migrator(database_url)
    with session(database_url, hold) as other:
        holders = migrator.holders()
        other.execute("SELECT pg_advisory_unlock_all()")
        migrator.unlock(holders)
        assert other.execute("SELECT 1").fetchall() == [(1,)]


@pytest.mark.editions("postgres")
async def test_who_keeps_yoyo_out_no_more_records_nothing(
    empty_database_url: str, folder: Path
) -> None:
    """Yoyo may have applied the same meanwhile; it goes on, and nothing is recorded twice."""
    path = folder / "0002_projects.sql"
    path.write_text(f"{GATE};\n{path.read_text()}")
    migrator = Migrator(empty_database_url, folder=folder)
    with session(empty_database_url, GATE) as gate:
        applying = asyncio.create_task(asyncio.to_thread(migrator.apply))
        await until(lambda: bool(query(empty_database_url, MIGRATING.format(which=WAITS))))
        keeping = MIGRATING.format(which=KEEPS_YOYO_OUT)
        execute(
            empty_database_url, f"SELECT pg_terminate_backend(pid, 5000) FROM ({keeping}) AS guard"
        )
        gate.rollback()
        with pytest.raises(MigrationError, match=r"kept plain yoyo out has ended.*run it again"):
            await applying
    assert migrator.status().of(State.APPLIED) == IDS[:1]
    run_yoyo("apply", empty_database_url)
    assert Migrator(empty_database_url).status().of(State.PENDING) == []


@pytest.mark.editions("postgres")
def test_a_guard_that_outlives_its_migrator_is_a_holder(
    empty_database_url: str, folder: Path
) -> None:
    """The process of an ended migrator may stand still: what it has left keeps yoyo waiting."""
    execute(empty_database_url, "CREATE TABLE yoyo_lock (locked int, ctime timestamp, pid int)")
    with session(empty_database_url, "LOCK TABLE yoyo_lock IN SHARE MODE") as guard:
        migrator = Migrator(empty_database_url, folder=folder)
        (holder,) = migrator.holders()
        assert holder.pid == guard.info.backend_pid
        migrator.unlock([holder])
        with pytest.raises(psycopg.OperationalError):
            guard.execute("SELECT 1")
        guard.close()
    assert migrator.holders() == []


@pytest.mark.editions("postgres")
def test_time_limits_of_the_database_end_no_migration(
    empty_database_url: str, folder: Path
) -> None:
    """They are meant for queries; one of them would end the session that keeps yoyo out."""
    path = folder / "0002_projects.sql"
    path.write_text(f"{path.read_text()}\nSELECT pg_sleep(0.3);\n")
    names = query(
        empty_database_url,
        "SELECT name FROM pg_settings"
        " WHERE name ~ '^(statement|transaction|idle(_in_transaction)?_session)_timeout$'",
    )
    database = query(empty_database_url, "SELECT quote_ident(current_database())")[0][0]
    execute(
        empty_database_url,
        *(f"ALTER DATABASE {database} SET {name} = '100ms'" for (name,) in names),
    )
    Migrator(empty_database_url, folder=folder).apply()
    assert Migrator(empty_database_url, folder=folder).status().of(State.PENDING) == []
