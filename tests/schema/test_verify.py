"""A database is compared with the snapshot of its edition that the package carries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from observatory_store.errors import MigrationError
from observatory_store.schema import Divergence, Migrator
from observatory_store.schema.connection import connect
from observatory_store.schema.snapshot import (
    Snapshot,
    load_snapshot,
    read_catalogue,
    write_snapshot,
)
from schema.test_migrations import FORWARD
from schema.test_migrator import execute, folder

__all__ = ["folder"]

LAST = FORWARD[-1].stem


def test_the_snapshots_are_of_these_migrations(database_url: str, edition: str) -> None:
    """`verify` would complain of a sound database. `make snapshots` takes them anew."""
    if os.environ.get("OBSERVATORY_WRITE_SNAPSHOTS"):
        write_snapshot(database_url, LAST)
    with connect(database_url, "test", reads_only=True) as connection:
        now = Snapshot(migration=LAST, catalogue=read_catalogue(connection, edition))
    assert load_snapshot(edition) == now, "run `make snapshots`"


def test_a_sound_database(database_url: str) -> None:
    """Also after it was used, and has chunks and indexes of words."""
    assert Migrator(database_url).verify() == []


DAMAGE = {
    "DROP INDEX observatory.spans_unpriced": "CREATE INDEX",
    "COMMENT ON COLUMN observatory.spans.name IS 'else'": "COMMENT ON COLUMN",
    "COMMENT ON TABLE observatory.logs IS NULL": "COMMENT ON TABLE",
    "ALTER TABLE observatory.projects ADD COLUMN colour text": "DROP COLUMN colour",
    "CREATE TABLE observatory.mine (x integer)": "DROP TABLE observatory.mine",
    "CREATE FUNCTION observatory.mine() RETURNS integer RETURN 1": "DROP FUNCTION",
    "CREATE OR REPLACE FUNCTION observatory.span_hex(span_id bytea) RETURNS text"
    " LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT ''x'''": "CREATE OR REPLACE FUNCTION",
    "ALTER TABLE observatory.api_keys ALTER COLUMN name DROP NOT NULL": "SET NOT NULL",
    "ALTER TABLE observatory.installation ALTER COLUMN installed_at DROP DEFAULT": "SET DEFAULT",
    "ALTER TABLE observatory.installation DROP CONSTRAINT installation_one_check": "ADD CONSTRAINT",
    "DROP VIEW observatory.models": "schema reapply 0010_models",
    "ALTER TABLE observatory.api_keys DROP COLUMN name": "ADD COLUMN name text NOT NULL",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_statement_that_is_printed_mends_it(damage: str, database_url: str) -> None:
    """Each divergence is told once, and what is told to be run is enough."""
    migrator = Migrator(database_url)
    execute(database_url, damage)
    found = migrator.verify()
    assert DAMAGE[damage] in found[0].mend
    _mend(database_url, migrator, found)


def test_what_only_its_migration_can_mend(database_url: str) -> None:
    """A table that is gone is made by the migration that made it; its parts are not told."""
    migrator = Migrator(database_url)
    execute(database_url, "DROP TABLE observatory.logs CASCADE")
    (table,) = [one for one in migrator.verify() if one.kind == "table"]
    assert table.mend == "observatory-store schema reapply 0007_logs"
    migrator.reapply("0007_logs")
    assert [one for one in migrator.verify() if "observatory.logs" in one.name] == []


@pytest.mark.editions("community")
def test_policies_of_timescaledb(database_url: str) -> None:
    """A job that was removed by hand, or that does not agree with the policy, is named."""
    migrator = Migrator(database_url)
    execute(
        database_url,
        "SELECT remove_retention_policy('observatory.spans')",
        "CALL remove_columnstore_policy('observatory.logs')",
        "SELECT set_chunk_time_interval('observatory.spans', interval '3 hours')",
        "SELECT remove_continuous_aggregate_policy('observatory_private.llm_usage_1d')",
    )
    found = migrator.verify()
    assert {(one.kind, one.name) for one in found} == {
        ("retention policy", "observatory.spans"),
        ("columnstore policy", "observatory.logs"),
        ("chunk interval", "observatory.spans"),
        ("refresh policy", "observatory_private.llm_usage_1d"),
    }
    _mend(database_url, migrator, found)


@pytest.mark.editions("postgres")
def test_another_version_has_nothing_to_compare_with(
    database_url: str, empty_database_url: str, folder: Path
) -> None:
    """Hundreds of divergences would hide the one reason."""
    with pytest.raises(MigrationError, match="no schema of ours"):
        Migrator(empty_database_url).verify()
    Migrator(database_url).apply()
    with (folder / "0002_projects.sql").open("a") as file:
        file.write("-- edited\n")
    (drift,) = Migrator(database_url, folder=folder).verify()
    assert drift.mend == "observatory-store schema reapply 0002_projects"
    Migrator(database_url).rollback()
    with pytest.raises(MigrationError, match=rf"not at this version \({LAST}\)"):
        Migrator(database_url).verify()


def _mend(url: str, migrator: Migrator, found: list[Divergence]) -> None:
    for divergence in found:
        command = "observatory-store schema reapply "
        if divergence.mend.startswith(command):
            migrator.reapply(divergence.mend.removeprefix(command))
        else:
            execute(url, divergence.mend)
    assert migrator.verify() == []
