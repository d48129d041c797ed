"""What is in the way of the scripts: one clear line, the documented exit code, nothing changed."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from deploy.scripts import FOLDER, NOWHERE, environment, run, shell
from observatory_store.devdb import Cluster, choose
from observatory_store.schema import Migrator

PASSWORD = "p@ss/w%rd:ü"  # noqa: S105 - it opens nothing but a database of this test

CALLS = [
    ("backup.sh", ["{folder}"]),
    ("backup.sh", ["--dry-run", "{folder}"]),
    ("restore.sh", ["{dump}"]),
    ("preflight.sh", []),
    ("migrate.sh", ["--wait", "0", "--skip-backup"]),
    ("migrate.sh", ["--wait", "0", "--yoyo"]),
    ("rollback.sh", ["--steps", "1", "--skip-backup", "--yes"]),
    ("verify.sh", []),
    ("wait-for-db.sh", ["--wait", "0"]),
]


@pytest.fixture(scope="module")
def dump(sound_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of an empty database."""
    file = tmp_path_factory.mktemp("dump") / "empty.dump"
    url = sound_cluster.create_database("nothing")
    programs = sound_cluster.installation.bin_dir
    assert run("backup.sh", file, url=url, programs=programs).returncode == 0
    return file


@pytest.fixture
def role(sound_cluster: Cluster) -> Iterator[str]:
    """A role that has to give PASSWORD."""
    name = f"keeper_{secrets.token_hex(4)}"
    with psycopg.connect(sound_cluster.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(
                sql.Identifier(name), PASSWORD
            )
        )
        yield name
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.parametrize(("script", "arguments"), CALLS)
def test_an_unreachable_server(
    script: str, arguments: list[str], own_programs: Path, dump: Path, tmp_path: Path
) -> None:
    """Exit code 3: to try again may help. The password stays private."""
    words = [word.format(folder=tmp_path, dump=dump) for word in arguments]
    done = run(script, *words, url=NOWHERE, programs=own_programs)
    _is_refused(done, script, "refused|Errno 111", tmp_path)


@pytest.mark.parametrize(("script", "arguments"), CALLS)
def test_a_wrong_password(
    *,
    script: str,
    arguments: list[str],
    sound_url: str,
    role: str,
    own_programs: Path,
    dump: Path,
    tmp_path: Path,
) -> None:
    """It says so, and does not ask for another on the terminal."""
    url = sound_url.replace("postgres@", f"{role}:secret@")
    words = [word.format(folder=tmp_path, dump=dump) for word in arguments]
    done = run(script, *words, url=url, programs=own_programs)
    _is_refused(done, script, "password authentication", tmp_path)


def _is_refused(
    done: subprocess.CompletedProcess[str], script: str, reason: str, folder: Path
) -> None:
    assert done.returncode == 3, done
    [line] = [line for line in done.stderr.splitlines() if re.search(reason, line)]
    assert line.startswith((f"{script}: ", "observatory-store: ", "wait-for-db.sh: "))
    assert len(done.stderr.splitlines()) == 1
    assert "/psql " not in line
    assert "secret" not in done.stdout + done.stderr
    assert list(folder.iterdir()) == []


def test_any_password_is_passed_on(
    sound_url: str, role: str, own_programs: Path, tmp_path: Path
) -> None:
    """As it stands in the URL, percent-encoded; where processes are listed it is not seen."""
    url = sound_url.replace("postgres@", f"{role}:{quote(PASSWORD, safe='')}@")
    done = run("backup.sh", tmp_path, url=url, programs=own_programs)
    assert done.returncode == 0, done.stderr
    command = ["sh", "-x", str(FOLDER / "backup.sh"), str(tmp_path / "again")]
    trace = shell(command, environment(url, own_programs)).stderr
    started = re.findall(r"^\+ .*--dbname=.*", trace, re.MULTILINE)
    assert any(line.startswith("+ pg_dump") for line in started)
    assert not any(quote(PASSWORD, safe="") in line for line in started)


def _without(folder: Path, *programs: str) -> dict[str, str]:
    """Return variables of a shell that finds all that the scripts start, but for these programs."""
    wanted = {
        *("sh", "dirname", "date", "sleep", "tail", "tr", "awk", "sed", "cat", "mv", "rm", "df"),
        *("find", "head", "grep", "pg_dump", "pg_restore", "psql", "observatory-store"),
    }
    variables = environment(None, choose("wheel").bin_dir)
    for name in wanted.difference(programs):
        found = shutil.which(name, path=variables["PATH"])
        assert found
        # Not a link: PostgreSQL's programs look for their libraries beside them.
        (folder / name).write_text(f'#!/bin/sh\nexec "{found}" "$@"\n')
        (folder / name).chmod(0o755)
    return variables | {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("script", "missing", "code", "said"),
    [
        ("backup.sh", "pg_dump", 2, "pg_dump is missing: install PostgreSQL's client programs"),
        ("restore.sh", "pg_restore", 2, "pg_restore is missing"),
        ("verify.sh", "observatory-store", 2, "pip install observatory-store"),
        ("migrate.sh", "observatory-store", 2, "install it, or say --yoyo"),
        ("preflight.sh", "pg_dump", 0, ""),
    ],
)
def test_a_program_that_is_missing(
    *, sound_url: str, dump: Path, tmp_path: Path, script: str, missing: str, code: int, said: str
) -> None:
    """It is named, with where it comes from."""
    programs = tmp_path / "programs"
    programs.mkdir()
    words = {
        "backup.sh": [str(tmp_path)],
        "restore.sh": [str(dump)],
        "migrate.sh": ["--backup-to", str(tmp_path)],
    }
    variables = _without(programs, missing) | {"OBSERVATORY_DATABASE_URL": sound_url}
    done = shell([str(FOLDER / script), *words.get(script, [])], variables)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    if script == "preflight.sh":
        assert "warning  pg_dump: PostgreSQL's client programs are missing here" in done.stdout
        needed = shell([str(FOLDER / script), "--backup-to", str(tmp_path)], variables)
        assert needed.returncode == 1
        assert "problem  pg_dump" in needed.stdout


def test_a_pg_dump_that_is_too_old(sound_url: str, tmp_path: Path) -> None:
    """It is known before anything is written, and by preflight."""
    programs = tmp_path / "programs"
    programs.mkdir()
    variables = _without(programs) | {"OBSERVATORY_DATABASE_URL": sound_url}
    (programs / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    done = shell([str(FOLDER / "backup.sh"), str(tmp_path / "file")], variables)
    assert done.returncode == 2
    assert "pg_dump is of PostgreSQL 9, the server of 18: install the client" in done.stderr
    preflight = str(FOLDER / "preflight.sh")
    done = shell([preflight, "--backup-to", str(tmp_path)], variables)
    assert done.returncode == 1
    assert "problem  pg_dump: pg_dump is of PostgreSQL 9" in done.stdout
    assert shell([preflight], variables).returncode == 0  # no backup will be made by it


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with room for 64 KiB."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_for_the_backup(sound_url: str, own_programs: Path, full_disk: Path) -> None:
    """Nothing is left that could be taken for a backup, and nothing is migrated without one."""
    Migrator(sound_url).apply()
    done = run("backup.sh", full_disk / "file", url=sound_url, programs=own_programs)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("backup.sh: pg_dump failed")
    assert list(full_disk.iterdir()) == []
    found = run("preflight.sh", "--backup-to", full_disk, url=sound_url, programs=own_programs)
    assert found.returncode == 1
    assert "problem  room: " in found.stdout

    Migrator(sound_url).rollback()
    before = Migrator(sound_url).status()
    for arguments in (["--backup-to", full_disk], ["--skip-preflight", "--backup-to", full_disk]):
        done = run("migrate.sh", *arguments, url=sound_url, programs=own_programs)
        assert done.returncode == 1
        assert "nothing was changed" in done.stderr
    assert Migrator(sound_url).status() == before


def test_a_restore_that_fails(
    sound_url: str, own_programs: Path, dump: Path, tmp_path: Path
) -> None:
    """A backup that was cut short is told from a whole one."""
    short = tmp_path / "short.dump"
    short.write_bytes(dump.read_bytes()[:100])
    done = run("restore.sh", short, url=sound_url, programs=own_programs)
    assert done.returncode == 2
    assert "is no backup" in done.stderr
