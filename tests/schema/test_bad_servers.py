"""What a server, or who reaches it, has in the way of a migration: one line with the next step."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from observatory_store.devdb import Cluster, choose
from observatory_store.errors import MigrationError, UnavailableError
from observatory_store.schema import Migrator, State, migrations_folder
from patience import until
from schema.test_migrations import FORWARD
from schema.test_migrator import apply_in_a_process, execute, session
from servers.source import memory_folder
from storage.samples import query

IDS = [path.stem for path in FORWARD]
GATE = "SELECT pg_advisory_xact_lock(42)"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE wait_event = 'advisory' AND datname = current_database()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server that may have standbys, and wants a password from all but its superuser."""
    with Cluster(choose("wheel"), temporary_in=memory_folder()) as cluster:
        (cluster.data_dir / "pg_hba.conf").write_text(
            "host all,replication postgres 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n"
        )
        execute(
            cluster.url,
            "SELECT pg_reload_conf()",
            "CREATE ROLE keeper SUPERUSER LOGIN PASSWORD 'right'",
        )
        yield cluster


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """URL of a database that has some of the migrations."""
    url = cluster.create_database("half")
    Migrator(url).apply(to=IDS[3])
    yield url
    execute(cluster.url, "DROP DATABASE half WITH (FORCE)")


def everything(cluster: Cluster, url: str) -> str:
    """Return all that the database holds, as text."""
    return run(cluster, "pg_dump", f"--dbname={url}", "--restrict-key=same").stdout


def run(cluster: Cluster, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the server's own."""
    command = [str(cluster.installation.bin_dir / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.mark.parametrize(
    ("password", "said"),
    [(":wrong", "authentication failed.*: check the password"), ("", "no password.*: give the pa")],
)
@pytest.mark.parametrize("verb", ["status", "apply", "rollback", "verify", "baseline"])
def test_a_wrong_password(
    *, cluster: Cluster, url: str, password: str, said: str, verb: str
) -> None:
    """It is told from a server that is away, and is not repeated in the message."""
    before = everything(cluster, url)
    with pytest.raises(UnavailableError, match=rf"(?s)cannot connect.*{said}") as caught:
        getattr(Migrator(url.replace("postgres@", f"keeper{password}@")), verb)()
    assert "wrong" not in str(caught.value)
    assert everything(cluster, url) == before
    assert Migrator(url.replace("postgres@", "keeper:right@")).status().of(State.PENDING) == IDS[4:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the migrations that a test may edit."""
    return Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))


@pytest.mark.parametrize("verb", ["apply", "rehearse", "plan"])
def test_an_edited_migration(cluster: Cluster, url: str, folder: Path, verb: str) -> None:
    """What is pending is not built on what is not known."""
    with (folder / f"{IDS[1]}.sql").open("a") as file:
        file.write("SELECT 1;\n")
    before = everything(cluster, url)
    with pytest.raises(MigrationError, match=rf"{IDS[1]} was edited.*restore .*schema reapply"):
        getattr(Migrator(url, folder=folder), verb)()
    assert everything(cluster, url) == before


async def test_a_run_that_is_killed(cluster: Cluster, url: str, folder: Path) -> None:
    """Of the migration under way nothing is left, and the next run goes on."""
    with (folder / f"{IDS[4]}.sql").open("a") as file:
        file.write(f"\n{GATE};\n")
    before = everything(cluster, url)
    with session(url, GATE):
        process = multiprocessing.get_context("spawn").Process(
            target=apply_in_a_process, args=(url, folder)
        )
        process.start()
        await until(lambda: query(url, WAITING) == [(1,)])
        process.kill()
        process.join()
        await until(lambda: query(url, WAITING) == [(0,)])
    assert everything(cluster, url) == before
    assert [step.id for step in Migrator(url).apply()] == IDS[4:]


@pytest.fixture
def standby_url(cluster: Cluster, url: str) -> Iterator[str]:
    """URL of the same database on a standby that has caught up."""
    name = url.rpartition("/")[2]
    folder = cluster.data_dir.parent / "standby"
    where = (f"--pgdata={folder}", f"--dbname={cluster.url}")
    run(cluster, "pg_basebackup", *where, "--write-recovery-conf", "--checkpoint=fast")
    owner = cluster.data_dir.stat()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    try:
        with Cluster(cluster.installation, folder) as standby:
            yield standby.database_url(name)
    finally:
        shutil.rmtree(folder)


async def test_a_standby(cluster: Cluster, url: str, standby_url: str) -> None:
    """After a failover the URL of yesterday is that of a standby: looking is allowed there."""
    status = Migrator(standby_url).status()
    assert status.read_only
    assert status.of(State.PENDING) == IDS[4:]
    assert [one.migration for one in Migrator(standby_url).plan()]
    before = everything(cluster, url)
    for verb in ("apply", "rollback", "baseline", "promote", "rehearse"):
        with pytest.raises(UnavailableError, match=r"takes no writes.*URL of the primary"):
            getattr(Migrator(standby_url), verb)()
    assert everything(cluster, url) == before

    Migrator(url).apply()
    await until(lambda: not Migrator(standby_url).status().of(State.PENDING))
    assert Migrator(standby_url).apply() == []
    assert Migrator(standby_url).verify() == []
