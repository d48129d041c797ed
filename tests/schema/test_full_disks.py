"""A disk that fills during a migration: one line with the next step, and nothing half-done."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from observatory_store.devdb import Cluster, choose
from observatory_store.errors import MigrationError, UnavailableError
from observatory_store.schema import Migrator, migrations_folder
from patience import until
from schema.test_bad_servers import IDS, everything
from schema.test_migrator import execute
from servers.source import memory_folder
from storage.samples import query

DATA_DISK = "12m"
"""Enough for an empty database."""
LOG_DISK = "100m"
"""Enough for some files of the write-ahead log."""
MUCH_LOG = "SELECT count(pg_logical_emit_message(true, '', repeat('x', 60000000)))"
RELATIONS = "SELECT oid, relname FROM pg_class ORDER BY 1"


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A server of this test's own."""
    with Cluster(choose("wheel"), temporary_in=memory_folder()) as cluster:
        yield cluster


@contextmanager
def small_disk(folder: Path, size: str, owner: Path) -> Iterator[None]:
    """Mount a small disk that the server may write to."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        give_to(owner, folder)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def give_to(owner: Path, *paths: Path) -> None:
    """Let the server's account have these."""
    account = owner.stat()
    for path in paths:
        os.chown(path, account.st_uid, account.st_gid)


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


@pytest.fixture
def data_disk(cluster: Cluster) -> Iterator[Path]:
    """The disk of the database `small`, which has room for little."""
    folder = cluster.data_dir.parent / "small"
    folder.mkdir()
    with small_disk(folder, DATA_DISK, cluster.data_dir):
        (folder / "tablespace").mkdir()
        give_to(cluster.data_dir, folder / "tablespace")
        execute(
            cluster.url,
            f"CREATE TABLESPACE small LOCATION '{folder}/tablespace'",
            "CREATE DATABASE small TABLESPACE small TEMPLATE template0",
        )
        yield folder
        execute(cluster.url, "DROP DATABASE small WITH (FORCE)", "DROP TABLESPACE small")


def test_a_full_disk(cluster: Cluster, data_disk: Path) -> None:
    """What was begun is undone, and when there is room again the same command goes on."""
    url = cluster.database_url("small")
    migrator = Migrator(url)
    migrator.apply(to=IDS[3])
    execute(url, "VACUUM FULL", "CHECKPOINT")
    before = everything(cluster, url)
    filler = fill(data_disk)
    for attempt in (migrator.apply, partial(migrator.rehearse, in_place=True)):
        with pytest.raises(MigrationError, match="No space left on device: free space on the"):
            attempt()
    filler.unlink()
    assert everything(cluster, url) == before
    assert [step.id for step in migrator.apply()] == IDS[4:]
    assert migrator.verify() == []


def test_a_disk_that_is_full_from_the_beginning(cluster: Cluster, data_disk: Path) -> None:
    """Nothing is in the database afterwards, not even what yoyo would record in."""
    url = cluster.database_url("small")
    execute(url, "VACUUM FULL", "CHECKPOINT")
    before = query(url, RELATIONS)
    filler = fill(data_disk)
    with pytest.raises(MigrationError, match="No space left on device: free space on the"):
        Migrator(url).apply()
    filler.unlink()
    assert query(url, RELATIONS) == before
    assert [step.id for step in Migrator(url).apply()] == IDS


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Cluster]:
    """A server, stopped, whose write-ahead log is on a small disk; its database has no schema."""
    cluster = Cluster(choose("wheel"), tmp_path / "data")
    with cluster:
        cluster.create_database("one")
    log = cluster.data_dir / "pg_wal"
    kept = Path(shutil.copytree(log, tmp_path / "kept"))
    with small_disk(log, LOG_DISK, cluster.data_dir):
        shutil.copytree(kept, log, dirs_exist_ok=True)
        give_to(cluster.data_dir, log, *log.rglob("*"))
        yield cluster
        cluster.stop()


async def test_a_full_disk_of_the_log(server: Cluster, tmp_path: Path) -> None:
    """Then the server itself ends: that is said, with where to look, and nothing is half-done."""
    folder = Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))
    with (folder / f"{IDS[3]}.sql").open("a") as file:
        file.write(f"\n{MUCH_LOG};\n")
    with server:
        url = server.database_url("one")
        Migrator(url).apply(to=IDS[2])
        before = everything(server, url)
        filler = fill(server.data_dir / "pg_wal")
        with pytest.raises(UnavailableError, match=rf"{IDS[3]}: .*undone.* log says.*full.*pg_wal"):
            Migrator(url, folder=folder).apply()
        await until(lambda: not (server.data_dir / "postmaster.pid").exists())
        with pytest.raises(UnavailableError, match=r"cannot connect .*start the server.*full disk"):
            Migrator(url).apply()
    filler.unlink()
    with server:
        # A sequence may skip numbers when a server crashes.
        assert _without_numbers(everything(server, url)) == _without_numbers(before)
        assert [step.id for step in Migrator(url, folder=folder).apply()] == IDS[3:]


def _without_numbers(dump: str) -> list[str]:
    return [line for line in dump.splitlines() if "setval" not in line]
