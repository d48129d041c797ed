"""Seeing what a migration would do before it does it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from observatory_store.errors import MigrationError
from observatory_store.schema import Migrator, State
from schema.catalogue import catalogue
from schema.former import Formers
from schema.test_migrations import FORWARD
from schema.test_migrator import execute, folder, session
from schema.test_rollback import SPANS
from servers import Server

__all__ = ["folder"]

EDITIONS = ("postgres", "apache", "community")
IDS = [path.stem for path in FORWARD]


@pytest.fixture
def with_more(folder: Path) -> Path:
    """Return migrations of which the last do things to tables with data."""
    (folder / "0998_more.sql").write_text(
        "-- Reversible: yes\n\n"
        "CREATE TABLE IF NOT EXISTS observatory.colours (name text);\n"
        "CREATE INDEX IF NOT EXISTS colours_by_name ON observatory.colours (name);\n"
        "CREATE INDEX IF NOT EXISTS spans_by_kind ON observatory.spans (kind);\n"
    )
    (folder / "0998_more.rollback.sql").write_text(
        "DROP INDEX IF EXISTS observatory.spans_by_kind;\n"
        "DROP TABLE IF EXISTS observatory.colours;\n"
    )
    (folder / "0999_outside.sql").write_text(
        "-- transactional: false\n\nVACUUM observatory.projects;\n"
    )
    (folder / "0999_outside.rollback.sql").write_text("")
    return folder


def test_a_plan(database_url: str, with_more: Path) -> None:
    """A large table that would stand still is told from a new one, with its size."""
    pytest.importorskip("postgast")
    execute(database_url, SPANS, "ANALYZE observatory.spans")
    table, new_index, index, vacuum = Migrator(database_url, folder=with_more).plan()
    assert [one.migration for one in (table, vacuum)] == ["0998_more", "0999_outside"]
    assert table.effects == new_index.effects == []
    assert index.sql.startswith("CREATE INDEX IF NOT EXISTS spans_by_kind")
    (effect,) = index.effects
    assert (effect.relation, effect.lock, effect.work) == ("observatory.spans", "SHARE", "scan")
    assert (effect.waiting, effect.is_slow, effect.rows) == ("writers", True, 100)
    assert effect.bytes > 0
    assert not vacuum.transactional
    assert Migrator(database_url).plan() == []


@pytest.mark.editions("postgres")
def test_the_whole_schema_can_be_planned(empty_database_url: str) -> None:
    """On an empty database nobody waits for anything."""
    pytest.importorskip("postgast")
    planned = Migrator(empty_database_url).plan()
    assert list(dict.fromkeys(one.migration for one in planned)) == IDS
    assert not any(one.effects for one in planned)
    assert any(one.is_code for one in planned)


def test_a_rehearsal_beside_the_database(database_url: str, with_more: Path) -> None:
    """Up, down and up again in a scratch database of the same edition, which is gone after."""
    before = catalogue(database_url)
    steps = Migrator(database_url, folder=with_more).rehearse()
    assert [one.id for one in steps] == ["0998_more", "0999_outside"]
    assert all(one.seconds is not None for one in steps)
    assert catalogue(database_url) == before
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_database WHERE datname LIKE 'observatory_rehearsal_%'"
        ).fetchone()
    assert row == (0,)


def test_a_rehearsal_in_place(database_url: str, with_more: Path) -> None:
    """On the data themselves, with the locks that were really taken, and undone."""
    execute(database_url, SPANS)
    before = catalogue(database_url)
    first, second = Migrator(database_url, folder=with_more).rehearse(in_place=True)
    assert first.seconds is not None
    assert first.locks["observatory.spans"] == "SHARE"
    assert (second.id, second.seconds) == ("0999_outside", None)
    assert catalogue(database_url) == before
    assert Migrator(database_url).status().of(State.PENDING) == []


@pytest.mark.parametrize("built_for", EDITIONS)
def test_a_rehearsal_is_of_the_edition_of_the_database(
    server: Server, edition: str, built_for: str, tmp_path: Path, folder: Path
) -> None:
    """A server that came to offer more would otherwise have another schema rehearsed than runs."""
    if EDITIONS.index(built_for) > EDITIONS.index(edition):
        pytest.skip("the server cannot have built that")
    (folder / "0998_checks.sql").write_text(
        "DO $$ BEGIN\n"
        f"ASSERT observatory.edition() = '{built_for}';\n"
        "ASSERT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')"
        f" = {built_for != 'postgres'};\n"
        "ASSERT EXISTS (SELECT FROM pg_index WHERE indexrelid ="
        f" to_regclass('observatory.spans_brin')) = {built_for == 'postgres'};\n"
        "END $$;\n"
    )
    (folder / "0998_checks.rollback.sql").write_text("")
    formers = Formers(server, tmp_path / "formers")
    url = server.create_migrated() if built_for == edition else formers.create(built_for)
    try:
        steps = Migrator(url, folder=folder).rehearse()
    finally:
        server.drop(url)
        formers.close()
    assert [(one.id, one.edition) for one in steps] == [("0998_checks", built_for)]


@pytest.mark.editions("postgres")
def test_a_rehearsal_that_fails_or_finds_a_lock(database_url: str, with_more: Path) -> None:
    """Finding that out is what it is for; the database stays as it was."""
    before = catalogue(database_url)
    migrator = Migrator(database_url, folder=with_more)
    with (
        session(database_url, "LOCK TABLE observatory.spans IN ROW EXCLUSIVE MODE"),
        pytest.raises(MigrationError, match=r"0998_more, rehearsed and undone: .*lock timeout"),
    ):
        migrator.rehearse(in_place=True)
    with (with_more / "0998_more.sql").open("a") as file:
        file.write("\nSELECT 1/0;\n")
    for in_place in (True, False):
        with pytest.raises(MigrationError, match=r"0998_more.*division by zero"):
            Migrator(database_url, folder=with_more).rehearse(in_place=in_place)
    assert catalogue(database_url) == before
