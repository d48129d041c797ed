"""``deploy_scripts``: well-formed, and right about how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.scripts import FOLDER, NOWHERE, ROOT, SCRIPTS, environment, run, shell
from observatory_store.schema import Migrator

SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")


def test_there_are_all() -> None:
    """What the documentation offers."""
    names = "backup migrate preflight restore rollback verify wait-for-db"
    assert [f"{name}.sh" for name in names.split()] == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_help(script: str) -> None:
    """Each explains itself, can be rehearsed, and is well-formed shell."""
    shown = run(script, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"Usage: {script}")
    assert "--dry-run" in shown.stdout
    assert "Exit codes:" in shown.stdout
    assert os.access(FOLDER / script, os.X_OK)
    subprocess.run(["sh", "-n", FOLDER / script], check=True)


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed")
def test_shellcheck() -> None:
    """Quoting mistakes show themselves on the day of the restore."""
    done = subprocess.run(
        [str(SHELLCHECK), "--external-sources", "--source-path=SCRIPTDIR", *FOLDER.glob("*.sh")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("script", "arguments", "url", "said"),
    [
        ("migrate.sh", ("--yoyo",), None, "OBSERVATORY_DATABASE_URL is not set"),
        ("migrate.sh", ("--yoyo",), "mysql://host/db", "must begin with postgresql://"),
        ("migrate.sh", ("--wait", "long"), NOWHERE, "--wait needs a number, not 'long'"),
        ("migrate.sh", ("--wiat", "5"), NOWHERE, "unknown argument"),
        ("migrate.sh", ("--yoyo", "--migrations", "/none"), NOWHERE, "there is no folder /none"),
        ("migrate.sh", (), NOWHERE, "--backup-to, or say --skip-backup"),
        ("migrate.sh", ("--backup-to", "/none"), NOWHERE, "there is no folder /none"),
        ("backup.sh", (), NOWHERE, "name the file"),
        (
            "backup.sh",
            ("--dry-run", "--jobs=2"),
            NOWHERE,
            "--jobs=2; options of pg_dump come after",
        ),
        ("backup.sh", ("/dev/null",), NOWHERE, "exists already"),
        ("backup.sh", ("/none/file",), NOWHERE, "there is no folder /none"),
        ("restore.sh", ("/none",), NOWHERE, "cannot be read"),
        ("restore.sh", (__file__,), NOWHERE, "is no backup"),
        ("preflight.sh", ("--backups", "/none"), NOWHERE, "there is no /none"),
        ("preflight.sh", ("--max-age", "1d"), NOWHERE, "--max-age needs a number"),
        ("rollback.sh", ("--skip-backup",), NOWHERE, "--steps N or --to ID"),
        ("rollback.sh", ("--steps", "1", "--to", "x"), NOWHERE, "once"),
        ("rollback.sh", ("--steps", "1"), NOWHERE, "--backup-to, or say --skip-backup"),
        ("verify.sh", ("now",), NOWHERE, "unknown argument"),
        ("wait-for-db.sh", ("--wait",), NOWHERE, "needs a number"),
    ],
)
def test_wrong_use(script: str, arguments: tuple[str, ...], url: str | None, said: str) -> None:
    """Exit code 2: to try again would not help."""
    outcome = run(script, *arguments, url=url)
    assert outcome.returncode == 2
    assert said in outcome.stderr
    assert outcome.stderr.splitlines()[-1].startswith(f"{script}: ")


@pytest.mark.editions("postgres")
def test_wait(empty_database_url: str, tmp_path: Path) -> None:
    """The command takes the place of the script: its exit code is what is seen."""
    command = ["--", "sh", "-c", "echo here; exit 7"]
    done = run("wait-for-db.sh", *command, url=empty_database_url)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (7, "here")
    rehearsed = run("wait-for-db.sh", "--dry-run", *command, url=empty_database_url)
    assert rehearsed.returncode == 0
    assert "would run: sh -c" in rehearsed.stdout
    without_psql = environment(empty_database_url) | {"PATH": str(tmp_path)}
    for name in ("sh", "dirname", "date", "sleep", "observatory-store"):
        found = shutil.which(name, path=environment(None)["PATH"])
        (tmp_path / name).symlink_to(str(found))
    done = shell([str(FOLDER / "wait-for-db.sh"), *command], without_psql)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (7, "here"), done.stderr


def test_plain_yoyo(empty_database_url: str) -> None:
    """The schema is whole afterwards, and to run it again does nothing."""
    listed = run("migrate.sh", "--yoyo", "--dry-run", url=empty_database_url)
    assert listed.returncode == 0, listed.stderr
    assert "0001_schema" in listed.stdout
    for _ in range(2):
        outcome = run("migrate.sh", "--yoyo", url=empty_database_url)
        assert outcome.returncode == 0, outcome.stderr
    assert Migrator(empty_database_url).status().is_current


@pytest.mark.editions("postgres")
def test_a_migration_of_yoyo_that_fails(empty_database_url: str, tmp_path: Path) -> None:
    """Exit code 1, so that the deploy stops before the new version starts."""
    (tmp_path / "0001_bad.sql").write_text("SELECT 1 / 0;\n")
    outcome = run("migrate.sh", "--yoyo", "--migrations", tmp_path, url=empty_database_url)
    assert outcome.returncode == 1
    assert "division by zero" in outcome.stderr


@pytest.mark.editions("postgres")
def test_yoyo_apply_as_the_contract_has_it(empty_database_url: str) -> None:
    """`yoyo apply --database … ./migrations` from the top of a checkout, with yoyo.ini there."""
    url = empty_database_url.replace("postgresql://", "postgresql+psycopg://")
    yoyo = shutil.which("yoyo", path=str(Path(sys.executable).parent))
    if yoyo is None:
        pytest.skip("the yoyo command is not installed")
    for sources in (["./migrations"], []):
        done = subprocess.run(
            [yoyo, "apply", "--database", url, *sources],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert Migrator(empty_database_url).status().is_current
