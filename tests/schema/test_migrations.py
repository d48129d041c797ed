"""The migrations: built by yoyo alone, repeatable, and undone without a trace."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from observatory_store.database import for_yoyo
from observatory_store.schema import Migrator, migrations_folder
from patience import PATIENCE_SECONDS
from schema.catalogue import OURS, catalogue, strangers
from servers import Server

FORWARD = sorted(
    path for path in migrations_folder().glob("*.sql") if not path.name.endswith(".rollback.sql")
)


def run_yoyo(verb: str, url: str, *options: str) -> str:
    """Run yoyo's own command, as a deploy does."""
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("yoyo")),
            verb,
            *options,
            "--batch",
            "--no-config-file",
            "--database",
            for_yoyo(url),
            str(migrations_folder()),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_yoyo_alone_builds_the_schema_and_undoes_it(empty_database_url: str) -> None:
    """A deploy that only has yoyo gets the whole schema, a second run changes nothing, and rolling
    back leaves no more behind than yoyo's tables and the extension.
    """
    assert run_yoyo("apply", empty_database_url) == ""
    built = catalogue(empty_database_url)

    assert run_yoyo("apply", empty_database_url) == ""
    assert catalogue(empty_database_url) == built

    run_yoyo("rollback", empty_database_url, "--all")
    assert strangers(empty_database_url) == set()

    run_yoyo("apply", empty_database_url)
    assert catalogue(empty_database_url) == built


def test_rolling_back_with_data_leaves_nothing(database_url: str) -> None:
    """Chunks, aggregates and jobs that exist because data came in are undone as well."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO observatory.spans (project_id, start_nanos, duration_nanos, start_time,"
            " duration_us, resource_id, ingested_at, trace_id, span_id, name, kind, status,"
            " service_name, is_inference, source) SELECT 1, 0, 0, now() - n * interval '1 hour', 1,"
            " 1, now(), gen_random_uuid(), '\\x0102030405060708', '', 'internal', 'unset', '',"
            " true, 'store' FROM generate_series(1, 100) AS n"
        )
    assert len(Migrator(database_url).rollback(steps=len(FORWARD))) == len(FORWARD)
    assert strangers(database_url) == set()


def test_each_step_up_and_down_restores_the_catalogue(empty_database_url: str) -> None:
    """Rolling back one migration gives exactly what was there before it."""
    migrator = Migrator(empty_database_url)
    migrator.apply()
    full = catalogue(empty_database_url)
    for steps in range(1, len(FORWARD)):
        migrator.rollback(steps=steps)
        migrator.apply()
        assert catalogue(empty_database_url) == full


def test_many_that_start_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    """Pods that start together must not fail or apply a migration twice."""
    with ThreadPoolExecutor(6) as threads:
        applied = list(threads.map(lambda _: Migrator(empty_database_url).apply(), range(6)))
    assert [step.id for steps in applied for step in steps] == [path.stem for path in FORWARD]
    assert sum(1 for steps in applied if steps) == 1
    assert Migrator(empty_database_url).status().is_current


def test_everything_has_a_comment(database_url: str) -> None:
    r"""`\d+` teaches: every table, view, column and function says what it is."""
    with psycopg.connect(database_url) as connection:
        missing = connection.execute(
            f"""
            SELECT c.oid::regclass::text FROM pg_class c
            JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname IN {OURS} AND relkind IN ('r', 'v', 'm')
                AND obj_description(c.oid, 'pg_class') IS NULL
            UNION ALL
            SELECT c.oid::regclass || '.' || attname FROM pg_attribute a
            JOIN pg_class c ON c.oid = attrelid
            JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname = 'observatory' AND relkind IN ('r', 'v') AND attnum > 0
                AND NOT attisdropped AND col_description(c.oid, attnum) IS NULL
            UNION ALL
            SELECT p.oid::regprocedure::text FROM pg_proc p
            JOIN pg_namespace n ON n.oid = pronamespace
            WHERE nspname IN {OURS} AND obj_description(p.oid, 'pg_proc') IS NULL
            """
        ).fetchall()
    assert missing == []


@pytest.mark.parametrize("path", FORWARD, ids=lambda path: path.stem)
def test_each_migration_has_a_header_and_a_rollback(path: Path) -> None:
    """Whoever reads a migration at three in the morning learns what it does and costs."""
    header = path.read_text().split("\n\n")[0]
    for word in ("-- What:", "-- Why:", "-- Locks:", "-- Reversible:"):
        assert word in header
    assert path.with_suffix(".rollback.sql").is_file()
    assert re.fullmatch(r"\d{4}_[a-z_0-9]+", path.stem)


@pytest.mark.editions("community", "apache")
def test_an_owner_who_is_no_superuser_gets_hypertables(server: Server) -> None:
    """The extension is a trusted one: whoever owns the database may create it."""
    role = f"owner_{secrets.token_hex(4)}"
    url = server.create_empty()
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"ALTER DATABASE {name} OWNER TO {role}")
    try:
        Migrator(url.replace("postgres@", f"{role}@")).apply()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT observatory.edition()").fetchone() == (
                server.versions.edition,
            )
    finally:
        server.drop(url)
