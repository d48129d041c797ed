"""What a rollback takes away, and records that are made up for."""

from __future__ import annotations

import asyncio
import csv
import gzip
from pathlib import Path

import psycopg
import pytest

from observatory_store.errors import InvalidInputError, MigrationError
from observatory_store.schema import (
    Migrator,
    Patience,
    State,
    migrations_folder,
    new_migration,
)
from patience import until
from schema.test_migrations import FORWARD
from schema.test_migrator import HASTE, execute, folder, session

__all__ = ["folder"]

IDS = [path.stem for path in FORWARD]
SPANS = """
    INSERT INTO observatory.spans (project_id, start_nanos, duration_nanos, start_time,
        duration_us, resource_id, ingested_at, trace_id, span_id, name, kind, status, service_name,
        is_inference, source)
    SELECT 1, 0, 0, now() - n * interval '1 hour', 1, 1, now(), gen_random_uuid(),
        '\\x0102030405060708', 'a "name", ' || n, 'internal', 'unset', '', true, 'store'
    FROM generate_series(1, 100) AS n
"""


def test_what_would_be_lost_is_shown_and_exported(database_url: str, tmp_path: Path) -> None:
    """An operator sees rows and bytes before they are gone, and has them in a file after."""
    execute(database_url, SPANS)
    migrator = Migrator(database_url)
    before = {loss.relation: loss for loss in migrator.plan_rollback(to="0003_resources").losses}
    assert before["observatory.spans"].rows == 100
    assert before["observatory.spans"].bytes
    assert before["observatory.spans"].migration == "0004_spans"
    assert "observatory.span_payloads" not in before
    assert migrator.status().is_current

    done = migrator.rollback(to="0003_resources", export_to=tmp_path / "kept")
    assert [step.id for step in done] == IDS[:2:-1]
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == {f"{relation}.csv.gz" for relation in before}
    with gzip.open(tmp_path / "kept" / "observatory.spans.csv.gz", "rt", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {f'a "name", {n}' for n in range(1, 101)}


@pytest.mark.editions("postgres")
def test_an_export_overwrites_nothing(database_url: str, tmp_path: Path) -> None:
    """The file of an earlier rollback may be the only copy; then nothing is undone either."""
    execute(database_url, SPANS)
    (tmp_path / "observatory.spans.csv.gz").write_text("earlier")
    with pytest.raises(InvalidInputError, match="is there already"):
        Migrator(database_url).rollback(to="0003_resources", export_to=tmp_path)
    assert (tmp_path / "observatory.spans.csv.gz").read_text() == "earlier"
    assert Migrator(database_url).status().is_current


@pytest.mark.editions("postgres")
async def test_two_rollbacks_at_once(database_url: str) -> None:
    """Both were shown the same migration: the second must not undo the one before it."""
    migrator = Migrator(database_url, patience=Patience(lock_timeout_seconds=250))
    ids = migrator.plan_rollback().ids
    assert ids == IDS[-1:]
    told: list[str] = []
    with session(database_url, "LOCK TABLE observatory.policies") as user:
        first = asyncio.create_task(asyncio.to_thread(migrator.rollback, ids=ids))
        await until(lambda: bool(migrator.holders()))
        second = asyncio.create_task(
            asyncio.to_thread(migrator.rollback, ids=ids, progress=told.append)
        )
        await until(lambda: any("waiting for" in line for line in told))
        user.rollback()
        assert [step.id for step in await first] == ids
        with pytest.raises(MigrationError, match=rf"{IDS[-1]}.*are {IDS[-2]} now.*Nothing"):
            await second
    assert migrator.status().of(State.PENDING) == IDS[-1:]


@pytest.mark.editions("postgres")
def test_more_steps_than_there_are(database_url: str) -> None:
    """A typing error must not be taken for all of them."""
    migrator = Migrator(database_url)
    for refused in (migrator.plan_rollback, migrator.rollback):
        with pytest.raises(InvalidInputError, match=rf"undo 100 .*applied are {len(IDS)}"):
            refused(steps=100)
    assert migrator.status().is_current


@pytest.mark.editions("postgres")
def test_the_loss_of_a_column(database_url: str, folder: Path) -> None:
    """A column with data in it is a loss, one without is none."""
    (folder / "0998_more.sql").write_text(
        "ALTER TABLE observatory.projects ADD COLUMN IF NOT EXISTS colour text;\n"
        "ALTER TABLE observatory.projects ADD COLUMN IF NOT EXISTS size text;\n"
    )
    (folder / "0998_more.rollback.sql").write_text(
        "ALTER TABLE observatory.projects DROP COLUMN IF EXISTS colour;\n"
        "ALTER TABLE observatory.projects DROP COLUMN IF EXISTS size;\n"
    )
    migrator = Migrator(database_url, folder=folder)
    migrator.apply()
    execute(database_url, "UPDATE observatory.projects SET colour = 'blue'")
    assert [(loss.relation, loss.column) for loss in migrator.plan_rollback().losses] == [
        ("observatory.projects", "colour")
    ]


@pytest.mark.editions("postgres")
def test_a_baseline_of_what_was_run_by_hand(empty_database_url: str) -> None:
    """Records that were lost are made up for without running anything."""
    Migrator(empty_database_url).apply()
    execute(empty_database_url, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version, yoyo_lock")
    migrator = Migrator(empty_database_url)
    assert migrator.baseline(to=IDS[3]) == IDS[:4]
    assert migrator.baseline() == IDS[4:]
    assert migrator.status().of(State.UNVERIFIED) == IDS
    assert migrator.apply() == []


@pytest.mark.editions("postgres")
def test_a_baseline_of_what_was_not_run(empty_database_url: str) -> None:
    """A record of what is not there would keep it from ever being built."""
    Migrator(empty_database_url).apply(to=IDS[3])
    with pytest.raises(MigrationError, match=r"no table observatory.trace_days.*name the last one"):
        Migrator(empty_database_url).baseline()
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS[4:]


@pytest.mark.editions("postgres")
def test_an_edited_migration_is_run_again(database_url: str, folder: Path) -> None:
    """The way out after an edit that was meant; what yoyo applied becomes verified as well."""
    with (folder / "0002_projects.sql").open("a") as file:
        file.write("\nCOMMENT ON TABLE observatory.projects IS 'edited';\n")
    Migrator(database_url).apply()
    migrator = Migrator(database_url, folder=folder, patience=HASTE)
    assert migrator.status().of(State.DRIFTED) == ["0002_projects"]
    assert migrator.reapply("0002_projects").id == "0002_projects"
    assert migrator.status().of(State.APPLIED) == ["0002_projects"]
    assert migrator.status().is_current
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT obj_description('observatory.projects'::regclass)"
        ).fetchone()
    assert row == ("edited",)
    with pytest.raises(InvalidInputError, match="there is no migration"):
        migrator.reapply("0000_nothing")


def test_every_migration_can_be_reapplied(database_url: str) -> None:
    """The README demands it: whatever was killed amid its run can be run again."""
    migrator = Migrator(database_url)
    for id_ in IDS:
        migrator.reapply(id_)
    assert migrator.status().of(State.APPLIED) == IDS


def test_a_new_migration(folder: Path) -> None:
    """It is numbered next, depends on the last, and has a rollback."""
    paths = new_migration(folder, "budgets")
    number = int(IDS[-1][:4]) + 1
    assert [path.name for path in paths] == [
        f"{number:04}_budgets.sql",
        f"{number:04}_budgets.rollback.sql",
    ]
    assert f"-- depends: {IDS[-1]}" in paths[0].read_text()
    with pytest.raises(InvalidInputError, match="named by"):
        new_migration(folder, "Drop Everything")
    with pytest.raises(InvalidInputError, match="no migrations in"):
        new_migration(migrations_folder().parent / "docs", "x")
