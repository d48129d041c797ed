"""``preflight.sh``, ``migrate.sh``, ``rollback.sh`` and ``verify.sh``: from version to version."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import psycopg

from deploy.scripts import run
from observatory_store.cli.doctor import known_migrations
from observatory_store.schema import Migrator, State
from storage.samples import query

IDS = list(known_migrations())
LATER = "INSERT INTO _yoyo_migration VALUES ('x', '9999_later', now())"
EDITED = """
    UPDATE _yoyo_log SET comment = overlay(comment PLACING repeat('0', 64) FROM 1 FOR 64)
    WHERE operation = 'checksum' AND migration_id = %s
"""
"""As if another text than the package's had been applied."""
HOUR = 3600


def _steps(text: str) -> list[str]:
    return [line.removeprefix("== ") for line in text.splitlines() if line.startswith("== ")]


def test_from_nothing_to_a_version_and_back(
    empty_database_url: str, programs: Path, tmp_path: Path
) -> None:
    """On each edition: a rehearsal that changes nothing, the schema, a step back, and again."""
    url, folder = empty_database_url, ["--backup-to", tmp_path]
    rehearsed = run("migrate.sh", "--dry-run", *folder, url=url, programs=programs)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert _steps(rehearsed.stdout) == ["wait", "preflight", "status", "plan", "rehearsal"]
    assert Migrator(url).status().of(State.PENDING) == IDS
    done = run("migrate.sh", *folder, url=url, programs=programs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _steps(done.stdout) == ["wait", "preflight", "status", "apply", "verify", "report"]
    assert Migrator(url).status().is_current
    assert list(tmp_path.iterdir()) == []  # there was nothing to back up
    again = run("migrate.sh", *folder, url=url, programs=programs)
    assert again.returncode == 0, again.stderr
    assert "nothing is pending" in again.stdout

    back = ["--to", IDS[-2], "--backup-to", tmp_path, "--yes"]
    rehearsed = run("rollback.sh", *back, "--dry-run", url=url, programs=programs)
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert Migrator(url).status().is_current
    undone = run("rollback.sh", *back, url=url, programs=programs)
    assert undone.returncode == 0, undone.stderr
    assert _steps(undone.stdout) == ["status", "what would be lost", "backup", "rollback", "report"]
    assert Migrator(url).status().of(State.PENDING) == IDS[-1:]
    assert len(list(tmp_path.iterdir())) == 1
    forward = run("migrate.sh", *folder, url=url, programs=programs)
    assert forward.returncode == 0, forward.stderr
    assert f"The backup is {tmp_path}" in forward.stdout
    assert Migrator(url).verify() == []


def test_a_rollback_shows_asks_and_exports(
    sound_url: str, own_programs: Path, tmp_path: Path
) -> None:
    """Nothing is undone unless somebody said so, having seen what would go."""
    Migrator(sound_url).apply()
    arguments = ["--to", "0015_usage_by", "--skip-backup"]
    query(
        sound_url,
        "INSERT INTO observatory.recosts"
        " (range_start, range_end, cost_source, bundled_prices, done_day, done_before)"
        " VALUES (now() - interval '1 day', now(), 'computed', 'none', now(), now())",
    )
    asked = run("rollback.sh", *arguments, url=sound_url, programs=own_programs)
    assert asked.returncode == 2
    assert "observatory.recosts" in asked.stdout
    assert "say --yes" in asked.stderr
    rehearsed = run("rollback.sh", *arguments, "--dry-run", url=sound_url)
    assert rehearsed.returncode == 0
    assert "observatory.recosts" in rehearsed.stdout
    assert Migrator(sound_url).status().is_current
    kept = tmp_path / "kept"
    undone = run("rollback.sh", *arguments, "--yes", "--export", kept, url=sound_url)
    assert undone.returncode == 0, undone.stderr
    assert [path.name for path in kept.iterdir()] == ["observatory.recosts.csv.gz"]
    assert Migrator(sound_url).status().database_schema == "0015_usage_by"


def test_a_rollback_of_what_was_shown(sound_url: str, tmp_path: Path) -> None:
    """Who undoes the latest while the backup is made must not have another one undone."""
    Migrator(sound_url).apply()
    program = Path(sys.executable).with_name("observatory-store")
    other = tmp_path / program.name
    other.write_text(
        f"#!/bin/sh\ncase $* in *--yes*) {program} schema rollback --yes >&2 ;; esac\n"
        f'exec {program} "$@"\n'
    )
    other.chmod(0o755)
    arguments = ("--steps", "1", "--skip-backup", "--yes")
    done = run("rollback.sh", *arguments, url=sound_url, programs=tmp_path)
    assert done.returncode == 1
    assert f"\n  {IDS[-1]}\n" in done.stdout
    assert f"those are {IDS[-2]} now" in done.stderr
    assert Migrator(sound_url).status().of(State.PENDING) == IDS[-1:]


def test_a_rollback_that_cannot_be(sound_url: str) -> None:
    """The migrator's own words tell why."""
    Migrator(sound_url).apply()
    query(sound_url, LATER)
    done = run("rollback.sh", "--steps", "1", "--skip-backup", "--yes", url=sound_url)
    assert done.returncode == 1
    assert "no file to undo 9999_later" in done.stderr
    assert "nothing was changed" in done.stderr


def test_an_older_version_starts_beside(sound_url: str) -> None:
    """Its migration job must not fail when a deploy is taken back."""
    Migrator(sound_url).apply()
    query(sound_url, LATER)
    done = run("migrate.sh", "--skip-backup", url=sound_url)
    assert done.returncode == 0, done.stderr
    assert "newer than this version" in done.stdout


def test_a_preflight_that_stops_a_migration(sound_url: str, own_programs: Path) -> None:
    """It is told which problem, and how to go on all the same."""
    Migrator(sound_url).apply()
    Migrator(sound_url).rollback()
    query(sound_url, LATER)
    found = run("preflight.sh", url=sound_url, programs=own_programs)
    assert found.returncode == 1
    assert "problem  schema: The database has migrations that this version does not" in found.stdout
    done = run("migrate.sh", "--skip-backup", url=sound_url, programs=own_programs)
    assert done.returncode == 1
    assert _steps(done.stdout) == ["wait", "preflight"]
    assert "--skip-preflight" in done.stderr
    done = run("migrate.sh", "--skip-backup", "--skip-preflight", url=sound_url)
    assert done.returncode == 1
    assert "Upgrade observatory-store first" in done.stderr
    assert "docs/runbook.md" in done.stderr


def test_a_file_that_was_edited(sound_url: str, own_programs: Path, tmp_path: Path) -> None:
    """It stops a deploy before a backup of hours, also where preflight was left out."""
    Migrator(sound_url).apply()
    Migrator(sound_url).rollback()
    query(sound_url, EDITED, IDS[2])
    query(sound_url, EDITED, IDS[3])
    found = run("preflight.sh", url=sound_url, programs=own_programs)
    assert found.returncode == 1
    assert f"problem  schema: {IDS[2]} was edited after it was applied" in found.stdout
    folder = ["--backup-to", tmp_path]
    done = run("migrate.sh", *folder, url=sound_url, programs=own_programs)
    assert done.returncode == 1
    assert _steps(done.stdout) == ["wait", "preflight"]
    done = run("migrate.sh", *folder, "--skip-preflight", url=sound_url, programs=own_programs)
    assert done.returncode == 1
    assert _steps(done.stdout) == ["wait", "status"]
    assert f"nothing was changed: {IDS[2]}, {IDS[3]} was edited" in done.stderr
    assert f"`observatory-store schema reapply {IDS[2]}`, then" in done.stderr
    assert list(tmp_path.iterdir()) == []
    for id_ in IDS[2:4]:
        Migrator(sound_url).reapply(id_)
    done = run("migrate.sh", *folder, url=sound_url, programs=own_programs)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_migration_that_leaves_a_divergence(sound_url: str, own_programs: Path) -> None:
    """The deploy stops, with the statement that mends it."""
    Migrator(sound_url).apply()
    query(sound_url, "DROP INDEX observatory.spans_by_time")
    done = run("migrate.sh", "--skip-backup", url=sound_url, programs=own_programs)
    assert done.returncode == 1
    assert "CREATE INDEX" in done.stdout
    verified = run("verify.sh", "--schema-only", url=sound_url)
    assert verified.returncode == 1
    assert "see above what mends it" in verified.stderr


def test_verify(sound_url: str) -> None:
    """The schema, and all that the doctor asks."""
    Migrator(sound_url).apply()
    done = run("verify.sh", url=sound_url)
    assert done.returncode == 0, done.stdout
    assert "all as it should be" in done.stdout
    assert "durability" in done.stdout
    query(
        sound_url,
        "INSERT INTO observatory_private.changed_buckets"
        " VALUES (1, '2026-01-01Z', now() - interval '1 day')",
    )
    assert run("verify.sh", url=sound_url).returncode == 1
    assert run("verify.sh", "--schema-only", url=sound_url).returncode == 0


def test_preflight_looks_at_the_backups(sound_url: str, own_programs: Path, tmp_path: Path) -> None:
    """One that is too old, empty or unfinished is none."""
    backups = tmp_path / "backups"
    backups.mkdir()

    def preflight(*arguments: object) -> tuple[int, list[str]]:
        done = run("preflight.sh", *arguments, url=sound_url, programs=own_programs)
        return done.returncode, [line for line in done.stdout.splitlines() if "backup: " in line]

    (backups / "empty.dump").touch()
    (backups / "new.dump.partial").write_text("half")
    old = backups / "old.dump"
    old.write_text("whole")
    os.utime(old, (time.time() - 30 * HOUR,) * 2)
    code, [line] = preflight("--backups", backups)
    assert (code, line.split()[0]) == (1, "problem")
    code, [line] = preflight("--backups", backups, "--max-age", "31")
    assert (code, line.split()[0]) == (0, "ok")
    assert str(old) in line
    assert preflight("--backups", old)[0] == 1
    assert preflight() == (0, [])


def test_preflight_names_the_version_of_pg_dump(sound_url: str, own_programs: Path) -> None:
    """A newer one than the server's makes what the server's own may not restore."""
    found = run("preflight.sh", url=sound_url, programs=own_programs)
    assert found.returncode == 0
    assert "ok       pg_dump: pg_dump is of the server's version" in found.stdout


def test_dry_runs_change_nothing(sound_url: str, own_programs: Path, tmp_path: Path) -> None:
    """Of all of them, on a database that has something to do."""
    Migrator(sound_url).apply()
    dump = tmp_path / "file.dump"
    assert run("backup.sh", dump, url=sound_url, programs=own_programs).returncode == 0
    Migrator(sound_url).rollback()
    before, folder = Migrator(sound_url).status(), sorted(tmp_path.iterdir())
    for script, *arguments in (
        ("backup.sh", tmp_path),
        ("migrate.sh", "--backup-to", tmp_path),
        ("migrate.sh", "--yoyo"),
        ("preflight.sh", "--backups", tmp_path, "--backup-to", tmp_path),
        ("rollback.sh", "--steps", "2", "--backup-to", tmp_path, "--export", tmp_path / "kept"),
        ("verify.sh", "--schema-only"),
        ("wait-for-db.sh", "--", "touch", tmp_path / "touched"),
    ):
        done = run(script, "--dry-run", *arguments, url=sound_url, programs=own_programs)
        assert done.returncode == (script == "verify.sh"), (script, done.stderr)
    assert Migrator(sound_url).status() == before
    assert sorted(tmp_path.iterdir()) == folder
    with psycopg.connect(sound_url) as connection:
        left = connection.execute("SELECT datname FROM pg_database WHERE datname ~ 'rehears'")
        assert left.fetchall() == []
