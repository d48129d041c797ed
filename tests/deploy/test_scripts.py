"""``deploy_scripts``: run on real databases."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from observatory_store import LLMCall, Store
from observatory_store.devdb import Installation, choose, find_installations
from observatory_store.errors import DevServerError
from observatory_store.schema import Migrator
from patience import PATIENCE_SECONDS

SCRIPTS = Path(__file__).parents[2] / "deploy_scripts"
NOWHERE = "postgresql://postgres:secret@127.0.0.1:1/observatory"


def _run(
    script: str, *arguments: str, url: str | None = None, programs: Path | None = None
) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "OBSERVATORY_DATABASE_URL"}
    folders = [str(Path(sys.executable).parent), environment["PATH"]]
    environment["PATH"] = os.pathsep.join([str(programs), *folders] if programs else folders)
    if url is not None:
        environment["OBSERVATORY_DATABASE_URL"] = url
    return subprocess.run(
        [SCRIPTS / script, *arguments],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.iterdir()))
def test_help(script: str) -> None:
    """Each explains itself, and is well-formed shell."""
    shown = _run(script, "--help")
    assert shown.returncode == 0
    assert shown.stdout.startswith(f"Usage: {script}")
    assert "Exit codes:" in shown.stdout
    subprocess.run(["sh", "-n", SCRIPTS / script], check=True)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck() -> None:
    """Quoting mistakes show themselves on the day of the restore."""
    subprocess.run(["shellcheck", *SCRIPTS.iterdir()], check=True)


@pytest.mark.parametrize(
    ("script", "arguments", "url", "said"),
    [
        ("migrate.sh", (), None, "OBSERVATORY_DATABASE_URL is not set"),
        ("migrate.sh", (), "mysql://host/db", "must begin with postgresql://"),
        ("migrate.sh", ("--wait", "long"), NOWHERE, "a number of seconds"),
        ("migrate.sh", ("--wiat", "5"), NOWHERE, "unknown argument"),
        ("migrate.sh", ("--migrations", "/nowhere"), NOWHERE, "there is no folder"),
        ("backup.sh", (), NOWHERE, "name the file"),
        ("backup.sh", ("/",), NOWHERE, "exists already"),
        ("restore.sh", ("/nowhere",), NOWHERE, "cannot be read"),
    ],
)
def test_wrong_use(script: str, arguments: tuple[str, ...], url: str | None, said: str) -> None:
    """Exit code 2: to try again would not help."""
    outcome = _run(script, *arguments, url=url)
    assert outcome.returncode == 2
    assert said in outcome.stderr


def test_migrate_without_a_database() -> None:
    """Exit code 3: to try again may help. The password stays private."""
    outcome = _run("migrate.sh", "--wait", "0", url=NOWHERE)
    assert outcome.returncode == 3
    assert "did not answer within 0 s" in outcome.stderr
    assert "secret" not in outcome.stdout + outcome.stderr


def test_migrate(empty_database_url: str) -> None:
    """The schema is whole afterwards, and to run it again does nothing."""
    for _ in range(2):
        outcome = _run("migrate.sh", url=empty_database_url)
        assert outcome.returncode == 0, outcome.stderr
    assert Migrator(empty_database_url).status().is_current


@pytest.mark.editions("postgres")
def test_a_migration_that_fails(empty_database_url: str, tmp_path: Path) -> None:
    """Exit code 1, so that the deploy stops before the new version starts."""
    (tmp_path / "0001_bad.sql").write_text("SELECT 1 / 0;\n")
    outcome = _run("migrate.sh", "--migrations", str(tmp_path), url=empty_database_url)
    assert outcome.returncode == 1
    assert "division by zero" in outcome.stderr


@pytest.fixture
def programs(database_url: str) -> Path:
    """Client programs that are not older than the server."""
    with psycopg.connect(database_url) as connection:
        major = connection.info.server_version // 10_000
    fitting = [i.bin_dir for i in _installations() if i.major >= major and _has_clients(i)]
    if not fitting:
        pytest.skip(f"no pg_dump of PostgreSQL {major} or newer here")
    return fitting[0]


def _installations() -> list[Installation]:
    installed = find_installations()
    try:
        return [*installed, choose("wheel")]
    except DevServerError:
        return installed


def _has_clients(installation: Installation) -> bool:
    return all((installation.bin_dir / name).exists() for name in ("pg_dump", "pg_restore", "psql"))


@pytest.fixture
def second_database_url(database_url: str) -> Iterator[str]:
    """An empty database beside the first."""
    server, _, name = database_url.rpartition("/")
    other = f"{name}_restored"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(other))
        )
        yield f"{server}/{other}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(other)))


def test_backup_and_restore(
    database_url: str, second_database_url: str, programs: Path, tmp_path: Path
) -> None:
    """What was stored is there in the restored database, which takes new spans, and jobs run."""
    asyncio.run(_record(database_url))
    file = tmp_path / "observatory.dump"
    backup = _run("backup.sh", str(file), url=database_url, programs=programs)
    assert backup.returncode == 0, backup.stderr
    assert file.stat().st_mode & 0o077 == 0
    again = _run("backup.sh", str(file), url=database_url, programs=programs)
    assert again.returncode == 2

    restore = _run("restore.sh", str(file), url=second_database_url, programs=programs)
    assert restore.returncode == 0, restore.stderr
    assert _spans(second_database_url) == _spans(database_url) == 1
    asyncio.run(_record(second_database_url))
    assert _spans(second_database_url) == 2
    assert Migrator(second_database_url).status().is_current
    with psycopg.connect(second_database_url) as connection:
        row = connection.execute("SELECT current_setting('timescaledb.restoring', true)").fetchone()
    assert row in {(None,), ("off",)}

    onto = _run("restore.sh", str(file), url=second_database_url, programs=programs)
    assert onto.returncode == 2
    assert "already" in onto.stderr


async def _record(url: str) -> None:
    async with Store.open(url) as store:
        await store.record(LLMCall(provider="openai", model="gpt-4o", input_tokens=812))


def _spans(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM observatory.spans").fetchone()
    assert row is not None
    count: int = row[0]
    return count


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
            cwd=SCRIPTS.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert Migrator(empty_database_url).status().is_current
