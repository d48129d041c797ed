"""The migrator: where a schema stands, and bringing it up and down among others."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from observatory_store.errors import InvalidInputError, MigrationError, UnavailableError
from observatory_store.schema import Migrator, Patience, State, migrations_folder
from patience import until
from schema.catalogue import strangers
from schema.test_migrations import FORWARD, run_yoyo

IDS = [path.stem for path in FORWARD]
HASTE = Patience(lock_timeout_seconds=0.05, lock_wait_seconds=0.7, turn_wait_seconds=0.5)


@contextmanager
def session(url: str, *statements: str) -> Iterator[psycopg.Connection]:
    """Keep a transaction open in which these were run."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        if not connection.closed:
            connection.rollback()


def execute(url: str, *statements: str) -> None:
    """Run these, each on its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the migrations that a test may edit."""
    return Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))


def apply_in_a_process(url: str, folder: Path | None = None) -> list[str]:
    """Return what one of many pods applied."""
    return [step.id for step in Migrator(url, folder=folder).apply()]


@pytest.mark.editions("postgres")
def test_looking_writes_nothing(empty_database_url: str) -> None:
    """`status` may be asked by a role that can only read, and of a standby."""
    status = Migrator(empty_database_url).status()
    assert status.of(State.PENDING) == IDS
    assert (status.database_schema, status.package_schema) == (None, IDS[-1])
    assert (status.edition, status.is_current) == (None, False)
    with psycopg.connect(empty_database_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert found == (0,)


def test_status_tells_what_the_database_is(database_url: str, edition: str) -> None:
    """Whoever is called at night sees the edition and the versions at once."""
    status = Migrator(database_url).status()
    assert status.edition == edition
    assert (status.timescaledb is None) == (edition == "postgres")
    assert status.database_schema == status.package_schema == IDS[-1]
    assert not status.read_only


@pytest.mark.editions("postgres")
def test_what_yoyo_applied_is_adopted_as_unverified(empty_database_url: str, folder: Path) -> None:
    """Plain yoyo keeps no checksums: what it applied is told apart, and watched from then on."""
    run_yoyo("apply", empty_database_url)
    migrator = Migrator(empty_database_url, folder=folder)
    assert migrator.status().of(State.UNVERIFIED) == IDS
    assert migrator.status().is_current
    assert migrator.apply() == []
    assert migrator.status().of(State.UNVERIFIED) == IDS

    with (folder / "0003_resources.sql").open("a") as file:
        file.write("-- edited\n")
    assert Migrator(empty_database_url, folder=folder).status().of(State.DRIFTED) == [
        "0003_resources"
    ]


@pytest.mark.editions("postgres")
def test_yoyo_and_the_migrator_take_turns(empty_database_url: str) -> None:
    """Each knows what the other applied, and undoes it; a checksum does not outlive that."""
    migrator = Migrator(empty_database_url)
    migrator.apply(to=IDS[3])
    run_yoyo("apply", empty_database_url)
    status = migrator.status()
    assert status.of(State.APPLIED) == IDS[:4]
    assert status.of(State.UNVERIFIED) == IDS[4:]

    assert [step.id for step in migrator.rollback(to=IDS[5])] == IDS[:5:-1]
    run_yoyo("rollback", empty_database_url, "--all")
    assert strangers(empty_database_url) == set()
    run_yoyo("apply", empty_database_url)
    assert migrator.status().of(State.UNVERIFIED) == IDS


@pytest.mark.editions("postgres")
def test_an_edited_migration_stops_everything(empty_database_url: str, folder: Path) -> None:
    """What the database was built from is no longer what the package says."""
    Migrator(empty_database_url, folder=folder).apply(to=IDS[2])
    with (folder / "0002_projects.sql").open("a") as file:
        file.write("\nSELECT 1;\n")
    with pytest.raises(MigrationError, match=r"0002_projects was edited.*schema reapply"):
        Migrator(empty_database_url, folder=folder).apply()
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS[3:]


@pytest.mark.editions("postgres")
def test_line_ends_are_no_edit(empty_database_url: str, folder: Path) -> None:
    """A checkout on another system has other line ends, and the same migrations."""
    Migrator(empty_database_url, folder=folder).apply()
    for path in folder.glob("*.sql"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert Migrator(empty_database_url, folder=folder).status().is_current


@pytest.mark.editions("postgres")
def test_twenty_processes_that_start_at_once(empty_database_url: str) -> None:
    """Twenty pods of one deploy: each migration is applied once, and nobody fails."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(20) as pool:
        applied = pool.map(apply_in_a_process, [empty_database_url] * 20, chunksize=1)
    assert [id_ for ids in applied for id_ in ids] == IDS
    with psycopg.connect(empty_database_url) as connection:
        rows = connection.execute(
            "SELECT migration_id FROM _yoyo_log WHERE operation = 'apply' ORDER BY created_at_utc"
        ).fetchall()
    assert [row[0] for row in rows] == IDS


@pytest.mark.editions("postgres")
async def test_a_lock_of_live_traffic_is_not_queued_for(empty_database_url: str) -> None:
    """A migration that waits behind a long query stops all queries behind it: it steps back, and
    goes on when the query is done.
    """
    migrator = Migrator(
        empty_database_url, patience=Patience(lock_timeout_seconds=0.05, lock_wait_seconds=60)
    )
    migrator.apply()
    told: list[str] = []
    with session(empty_database_url, "SELECT FROM observatory.policies") as reader:
        user = f"process {reader.info.backend_pid} ("
        rollback = asyncio.create_task(
            asyncio.to_thread(migrator.rollback, steps=len(IDS), progress=told.append)
        )
        await until(lambda: any("steps back" in line for line in told))
        with psycopg.connect(empty_database_url) as other:
            other.execute("SET lock_timeout = '30s'")
            other.execute("SELECT FROM observatory.policies")
        reader.rollback()
        await rollback
    assert strangers(empty_database_url) == set()
    assert any(user in line for line in told)


@pytest.mark.editions("postgres")
def test_a_lock_that_stays_is_given_up(empty_database_url: str) -> None:
    """After its patience the migration is undone, and the message names who was in the way."""
    Migrator(empty_database_url).apply()
    with (
        session(empty_database_url, "SELECT FROM observatory.resources") as user,
        pytest.raises(MigrationError, match=rf"no lock within .*{user.info.backend_pid}.*run it"),
    ):
        Migrator(empty_database_url, patience=HASTE).rollback(steps=len(IDS))
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS[3:]


@pytest.mark.editions("postgres")
def test_who_holds_the_lock_is_named_and_can_be_ended(empty_database_url: str) -> None:
    """At three in the morning nobody should have to look up how to find a session."""
    Migrator(empty_database_url).apply(to=IDS[0])
    migrator = Migrator(empty_database_url, patience=HASTE)
    hold = f"SELECT pg_advisory_lock({0x6F62735F6D696772})"
    with session(empty_database_url, "SET application_name = 'the other'", hold) as other:
        with pytest.raises(
            MigrationError, match=r"the other .*\(process \d+ since .*schema unlock"
        ):
            migrator.apply()
        holders = migrator.holders()
        assert [(one.pid, one.is_session) for one in holders] == [(other.info.backend_pid, True)]
        migrator.unlock(holders)
        other.close()
    assert migrator.holders() == []
    assert [step.id for step in migrator.apply()] == IDS[1:]


@pytest.mark.editions("postgres")
def test_a_killed_yoyo_is_named_and_its_lock_removed(empty_database_url: str) -> None:
    """A killed `yoyo apply` leaves its lock; the message says what to do about it."""
    migrator = Migrator(empty_database_url)
    migrator.apply(to=IDS[0])
    execute(empty_database_url, "INSERT INTO yoyo_lock VALUES (1, now(), 999999)")
    with pytest.raises(MigrationError, match=r"yoyo \(process 999999 since .*schema unlock"):
        migrator.apply()
    migrator.unlock(migrator.holders())
    assert [step.id for step in migrator.apply()] == IDS[1:]


@pytest.mark.editions("postgres")
def test_a_yoyo_that_was_killed_at_its_very_start(empty_database_url: str) -> None:
    """It leaves the table of its lock, and no other."""
    execute(
        empty_database_url,
        "CREATE TABLE yoyo_lock (locked int DEFAULT 1, ctime timestamp, pid int NOT NULL,"
        " PRIMARY KEY (locked))",
        "INSERT INTO yoyo_lock VALUES (1, now(), 999999)",
    )
    migrator = Migrator(empty_database_url)
    with pytest.raises(MigrationError, match=r"yoyo \(process 999999 since .*schema unlock"):
        migrator.apply()
    migrator.unlock(migrator.holders())
    assert [step.id for step in migrator.apply()] == IDS


@pytest.mark.editions("postgres")
async def test_yoyo_waits_for_the_migrator(empty_database_url: str, folder: Path) -> None:
    """Plain yoyo at the same time must not apply anything twice."""
    (folder / "0002_projects.sql").write_text(
        "SELECT pg_advisory_xact_lock(42);\n" + (folder / "0002_projects.sql").read_text()
    )
    with session(empty_database_url, "SELECT pg_advisory_xact_lock(42)") as gate:
        migrator = asyncio.create_task(
            asyncio.to_thread(Migrator(empty_database_url, folder=folder).apply)
        )
        await until(lambda: _waits(empty_database_url, "advisory"))
        yoyo = asyncio.create_task(asyncio.to_thread(run_yoyo, "apply", empty_database_url))
        await until(lambda: _waits(empty_database_url, "relation"))
        gate.rollback()
        await asyncio.gather(migrator, yoyo)
    assert Migrator(empty_database_url, folder=folder).status().of(State.APPLIED) == IDS


@pytest.mark.editions("postgres")
async def test_a_run_that_is_killed(empty_database_url: str, folder: Path) -> None:
    """Nothing is half-applied, no lock stays, and the next run goes on."""
    (folder / "0002_projects.sql").write_text(
        (folder / "0002_projects.sql").read_text() + "\nSELECT pg_advisory_xact_lock(42);\n"
    )
    context = multiprocessing.get_context("spawn")
    with session(empty_database_url, "SELECT pg_advisory_xact_lock(42)"):
        process = context.Process(target=apply_in_a_process, args=(empty_database_url, folder))
        process.start()
        await until(lambda: _waits(empty_database_url, "advisory"))
        process.kill()
        process.join()
        await until(lambda: not _waits(empty_database_url, "advisory"))
    migrator = Migrator(empty_database_url)
    assert migrator.status().of(State.APPLIED) == IDS[:1]
    assert [step.id for step in migrator.apply()] == IDS[1:]
    assert migrator.holders() == []


@pytest.mark.editions("postgres")
def test_what_a_killed_run_left_is_taken_up(empty_database_url: str) -> None:
    """Plain yoyo applies and records in two transactions: killed in between, it is run again."""
    run_yoyo("apply", empty_database_url)
    execute(empty_database_url, f"DELETE FROM _yoyo_migration WHERE migration_id >= '{IDS[5]}'")
    assert [step.id for step in Migrator(empty_database_url).apply()] == IDS[5:]


@pytest.mark.editions("postgres")
def test_rollback_names_what_it_cannot(empty_database_url: str) -> None:
    """A wrong word must not undo anything."""
    migrator = Migrator(empty_database_url)
    migrator.apply(to=IDS[2])
    with pytest.raises(InvalidInputError, match="not applied"):
        migrator.rollback(to=IDS[5])
    with pytest.raises(InvalidInputError, match="at least 1"):
        migrator.rollback(steps=0)
    with pytest.raises(InvalidInputError, match="there is no migration"):
        migrator.apply(to="0000_nothing")
    with pytest.raises(InvalidInputError, match=r"there is no migration '99': .*schema status"):
        migrator.rollback(to="99")
    assert [step.id for step in migrator.rollback()] == IDS[2:3]
    assert [step.id for step in migrator.rollback(to=IDS[0][:4])] == IDS[1:2]
    assert [step.id for step in migrator.apply(to=IDS[1][:4])] == IDS[1:2]


@pytest.mark.editions("postgres")
def test_an_irreversible_migration_refuses(empty_database_url: str, folder: Path) -> None:
    """Then a rollback of several steps does not begin."""
    path = folder / "0002_projects.sql"
    path.write_text(path.read_text().replace("-- Reversible: yes", "-- Reversible: no"))
    migrator = Migrator(empty_database_url, folder=folder)
    migrator.apply(to=IDS[2])
    with pytest.raises(MigrationError, match=r"0002_projects cannot be undone.*Nothing"):
        migrator.rollback(steps=2)
    assert migrator.status().of(State.APPLIED) == IDS[:3]


@pytest.mark.editions("postgres")
def test_a_failing_migration_is_named_and_undone(empty_database_url: str, folder: Path) -> None:
    """The migrations before it stay, and its own beginnings do not."""
    with (folder / "0003_resources.sql").open("a") as file:
        file.write("\nSELECT 1/0;\n")
    with pytest.raises(MigrationError, match="migration 0003_resources: division by zero"):
        Migrator(empty_database_url, folder=folder).apply()
    assert Migrator(empty_database_url, folder=folder).status().of(State.APPLIED) == IDS[:2]
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT to_regclass('observatory.resources')").fetchone()
    assert row == (None,)


@pytest.mark.editions("postgres")
def test_a_step_outside_a_transaction_is_taken_up_again(
    empty_database_url: str, folder: Path
) -> None:
    """A killed index build leaves an invalid index, which IF NOT EXISTS takes for done."""
    (folder / "0999_index.sql").write_text(
        "-- transactional: false\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS logs_invalid"
        " ON observatory.logs (body);\n"
    )
    (folder / "0999_index.rollback.sql").write_text("DROP INDEX observatory.logs_invalid;\n")
    migrator = Migrator(empty_database_url, folder=folder)
    migrator.apply(to=IDS[-1])
    execute(
        empty_database_url,
        "CREATE INDEX logs_invalid ON observatory.logs (body)",
        "UPDATE pg_index SET indisvalid = false"
        " WHERE indexrelid = 'observatory.logs_invalid'::regclass",
    )
    assert [step.id for step in migrator.apply()] == ["0999_index"]
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute(
            "SELECT indisvalid FROM pg_index"
            " WHERE indexrelid = 'observatory.logs_invalid'::regclass"
        ).fetchone()
    assert row == (True,)
    assert [step.id for step in migrator.rollback()] == ["0999_index"]


def test_a_server_that_is_away_is_one_clear_error() -> None:
    """No traceback of the driver, and no password in the message."""
    with pytest.raises(UnavailableError, match="cannot connect to postgresql://me@") as caught:
        Migrator("postgresql://me:secret@127.0.0.1:1/x").status()
    assert "secret" not in str(caught.value)


def _waits(url: str, kind: str) -> bool:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [kind],
        ).fetchone()
    assert row is not None
    return bool(row[0])
