"""A database is compared with the snapshot of its edition that the package carries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from observatory_store import Store
from observatory_store.errors import MigrationError
from observatory_store.schema import Divergence, Migrator
from observatory_store.schema.connection import connect
from observatory_store.schema.snapshot import (
    Snapshot,
    load_snapshot,
    read_catalogue,
    write_snapshot,
)
from observatory_store.schema.verify import essence
from schema.test_migrations import FORWARD
from schema.test_migrator import execute, folder
from schema.test_promote import formers, promotable_url, signals, write
from storage.samples import query

__all__ = ["folder", "formers", "promotable_url"]

LAST = FORWARD[-1].stem


def test_the_snapshots_are_of_these_migrations(database_url: str, edition: str) -> None:
    """`verify` would complain of a sound database. `make snapshots` takes them anew."""
    if os.environ.get("OBSERVATORY_WRITE_SNAPSHOTS"):
        write_snapshot(database_url, LAST)
    with connect(database_url, "test", reads_only=True) as connection:
        now = Snapshot(migration=LAST, catalogue=read_catalogue(connection, edition))
    assert load_snapshot(edition) == now, "run `make snapshots`"


async def test_a_sound_database(database_url: str) -> None:
    """Also after it was used, and has chunks and statistics that give another plan each time."""
    async with Store.open(database_url) as store:
        await write(store, signals(1, spans=60, days=20))
    execute(database_url, "VACUUM ANALYZE")
    name = database_url.rpartition("/")[2].partition("?")[0]
    for join in ("nestloop", "hashjoin", "mergejoin"):
        execute(database_url, f"ALTER DATABASE {name} SET enable_{join} = off")
        assert Migrator(database_url).verify() == []
        execute(database_url, f"ALTER DATABASE {name} RESET enable_{join}")


@pytest.mark.editions("apache", "community")
@pytest.mark.parametrize("before", ["postgres"])
def test_a_sound_database_without_timescaledb(promotable_url: str) -> None:
    """Its server may be older than that of the snapshot, and print what it holds otherwise."""
    assert Migrator(promotable_url).verify() == []


@pytest.mark.parametrize(
    ("older", "newer", "other"),
    [
        ('SELECT logs.id, logs."time" FROM logs', 'SELECT id, "time" FROM logs', "time"),
        ("CHECK ((one = ANY (ARRAY['a'::text])))", "CHECK (one = ANY (ARRAY['a']))", "'a'"),
        (" SELECT s.a,\n    s.b\n   FROM s", "SELECT a, b FROM s", "b"),
    ],
)
def test_what_two_versions_of_the_server_print(older: str, newer: str, other: str) -> None:
    """One is no divergence from the other; what is another column, or another value, is."""
    assert essence(older) == essence(newer)
    assert essence(older.replace(other, "other")) != essence(newer)


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


FAILED = """
    WITH failed AS (
        INSERT INTO _timescaledb_internal.bgw_job_stat
        SELECT job_id, now() - interval '1 hour', now(), now() + interval '1 day', '-infinity',
            false, 3, '1 s', '1 s', 0, 3, 0, 3, 0
        FROM timescaledb_information.jobs WHERE proc_name = '{job}' AND hypertable_schema ~ 'observ'
        RETURNING job_id
    )
    INSERT INTO _timescaledb_internal.bgw_job_stat_history
        (job_id, pid, execution_start, execution_finish, succeeded, data)
    SELECT job_id, 1, now(), now(), false, '{{"error_data": {{"message": "{error}"}}}}' FROM failed
"""
"""Have all jobs of a procedure failed, as the scheduler would note it: test servers run none."""


@pytest.mark.editions("community")
def test_jobs_that_failed_alike_are_told_once(database_url: str) -> None:
    """Eighty lines of one reason would hide another; what is printed runs all of them."""
    migrator = Migrator(database_url)
    execute(
        database_url,
        "SELECT remove_retention_policy("
        "format('%I.%I', hypertable_schema, hypertable_name)::regclass)"
        " FROM timescaledb_information.jobs"
        " WHERE proc_name = 'policy_retention' AND hypertable_name <> 'span_payloads'",
        "UPDATE observatory.policies SET retention = NULL WHERE relation <> 'span_payloads'",
        FAILED.format(job="policy_refresh_continuous_aggregate", error="no space left"),
        FAILED.format(job="policy_retention", error="a view depends on it"),
    )
    one, many = sorted(migrator.verify(), key=lambda found: found.found or "")
    assert {one.kind, many.kind} == {"job"}
    assert "policy_retention of observatory.span_payloads" in one.name
    assert one.found == "failed 3 times: a view depends on it"
    ((jobs,),) = query(
        database_url,
        "SELECT count(*) FROM timescaledb_information.job_stats WHERE last_run_status = 'Failed'",
    )
    assert str(many).startswith(f"job {jobs - 1} of TimescaleDB's jobs is ")
    assert (many.found or "").endswith(" times: no space left")
    waiting = (
        "SELECT count(*) FROM timescaledb_information.job_stats"
        " WHERE last_run_status = 'Failed' AND next_start > now()"
    )
    execute(database_url, one.mend)
    assert query(database_url, waiting) == [(jobs - 1,)]
    execute(database_url, many.mend)
    assert query(database_url, waiting) == [(0,)]


class _StoppedError(Exception):
    """Somebody has stopped it."""


@pytest.mark.editions("community")
@pytest.mark.parametrize("before", ["postgres"])
async def test_a_promotion_that_was_stopped(promotable_url: str) -> None:
    """It is to go on; whoever dropped what it has built so far would lose data."""
    migrator = Migrator(promotable_url)
    async with Store.open(promotable_url) as store:
        await write(store, signals(1, spans=20, days=3))
    assert not migrator.status().promoting
    for phase in ("spans ", "hypertables ", "aggregate 2/"):

        def told(line: str, phase: str = phase) -> None:
            if line.startswith(phase):
                raise _StoppedError

        with pytest.raises(_StoppedError):
            migrator.promote(progress=told)
        (found,) = migrator.verify()
        assert str(found).startswith("promotion of the database is 'under way, or was stopped'")
        assert found.mend == "observatory-store schema promote"
        assert migrator.status().promoting
    migrator.promote()
    assert migrator.verify() == []
    assert not migrator.status().promoting


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
