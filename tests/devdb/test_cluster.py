"""What a private development server promises."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from observatory_store.devdb import Cluster, Installation, choose
from observatory_store.devdb import wheel as wheel_module
from observatory_store.devdb.process import FAST_SHUTDOWN_SECONDS
from observatory_store.errors import DevServerError
from patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

ORPHAN = """
import sys, time
from observatory_store.devdb import Cluster, choose
cluster = Cluster(choose("wheel"))
cluster.start()
print(cluster.pid, cluster.data_dir, flush=True)
time.sleep(3600)
"""


@pytest.fixture(scope="module")
def wheel() -> Installation:
    """Find the embedded server's programs."""
    return choose("wheel")


@pytest.fixture
def cluster(wheel: Installation, tmp_path: Path) -> Iterator[Cluster]:
    """Yield a stopped cluster whose data directory does not exist yet."""
    cluster = Cluster(wheel, tmp_path / "data")
    yield cluster
    cluster.stop()


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_letters_of_all_languages_have_cases(cluster: Cluster) -> None:
    """A search for a word is one in any case, and `„refund“` has no quotes in it."""
    with cluster:
        statement = (
            "SELECT 'ÉCOLE' ~* 'école',"
            " to_tsvector('simple', '„Refund“ des ÖPNV')"
            " @@ plainto_tsquery('simple', 'refund öpnv'),"
            " 'a' < 'B'"
        )
        assert _query(cluster.url, statement) == [(True, True, False)]


def test_server_answers_on_loopback_once_start_returns(cluster: Cluster) -> None:
    """Otherwise `dev` would apply migrations to a server that is not there yet."""
    cluster.start()
    assert _query(cluster.url, "SHOW listen_addresses") == [("127.0.0.1",)]


def test_stop_ends_the_process_and_frees_the_port(cluster: Cluster) -> None:
    """Otherwise every `make demo` would leave a server behind."""
    cluster.start()
    pid, port = cluster.pid, cluster.port
    cluster.stop()
    assert pid is not None
    assert not _alive(pid)
    assert not _answers(port)


def test_stop_does_not_wait_for_clients(cluster: Cluster) -> None:
    """Otherwise an open psql would hang the shutdown of `dev`."""
    cluster.start()
    with psycopg.connect(cluster.url):
        started = time.monotonic()
        cluster.stop()
    assert time.monotonic() - started < FAST_SHUTDOWN_SECONDS


def test_data_survive_a_restart(wheel: Installation, tmp_path: Path) -> None:
    """Otherwise `dev --data-dir` would lose a developer's telemetry."""
    with Cluster(wheel, tmp_path / "data") as first:
        url = first.create_database("kept")
        _query(url, "CREATE TABLE t AS SELECT 42 AS answer")
    with Cluster(wheel, tmp_path / "data") as second:
        assert _query(second.create_database("kept"), "SELECT answer FROM t") == [(42,)]


def test_port_stays_the_same_after_a_restart(cluster: Cluster) -> None:
    """Otherwise a URL that was handed out would name nobody after a restart."""
    cluster.start()
    url = cluster.url
    cluster.stop()
    cluster.start()
    assert cluster.url == url


def test_settings_of_the_caller_win(wheel: Installation, tmp_path: Path) -> None:
    """Otherwise a setting given on purpose would silently do nothing."""
    settings = {"timezone": "Asia/Kolkata", "work_mem": "9MB"}
    with Cluster(wheel, tmp_path / "data", settings=settings) as cluster:
        assert _query(cluster.url, "SHOW timezone") == [("Asia/Kolkata",)]
        assert _query(cluster.url, "SHOW work_mem") == [("9MB",)]


def test_temporary_data_are_removed(wheel: Installation) -> None:
    """Otherwise every demo would leave 40 MB in the temporary directory."""
    with Cluster(wheel) as cluster:
        data_dir = cluster.data_dir
        assert data_dir.is_dir()
    assert not data_dir.parent.exists()


def test_taken_port_is_reported_with_the_servers_own_words(
    wheel: Installation, tmp_path: Path
) -> None:
    """Otherwise a person who runs `dev` twice would read a Python traceback."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        cluster = Cluster(wheel, tmp_path / "data", port=holder.getsockname()[1])
        with pytest.raises(DevServerError, match="Address already in use"):
            cluster.start()
    assert cluster.pid is None


def test_second_server_on_the_same_data_is_refused(cluster: Cluster, wheel: Installation) -> None:
    """Otherwise two servers would corrupt one data directory."""
    cluster.start()
    with pytest.raises(DevServerError, match=r"postmaster\.pid"):
        Cluster(wheel, cluster.data_dir).start()
    assert _query(cluster.url, "SELECT 1") == [(1,)]


def test_folder_with_other_files_is_left_alone(cluster: Cluster, tmp_path: Path) -> None:
    """Otherwise a mistyped `--data-dir` would destroy somebody's files."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "letter.txt").write_text("dear")
    with pytest.raises(DevServerError, match="not empty"):
        cluster.start()
    assert (tmp_path / "data" / "letter.txt").read_text() == "dear"


def test_data_of_another_major_version_are_named(cluster: Cluster, tmp_path: Path) -> None:
    """Otherwise an upgrade of PostgreSQL would end in the server's log only."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(DevServerError, match="made by PostgreSQL 9"):
        cluster.start()


def test_closed_folder_is_named(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a `--data-dir` that cannot be read would end in a traceback."""

    def refuse(_self: Path) -> bool:
        raise PermissionError(13, "Permission denied", "data")

    monkeypatch.setattr(Path, "exists", refuse)
    with pytest.raises(DevServerError, match="Permission denied"):
        cluster.start()


def test_directory_without_programs_is_named(tmp_path: Path) -> None:
    """Otherwise a broken installation would surface as FileNotFoundError."""
    with pytest.raises(DevServerError, match="no initdb and no postgres"):
        Installation.inspect(tmp_path)


def test_missing_wheel_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a plain install would not learn how to get the embedded server."""
    monkeypatch.setattr(wheel_module, "find_spec", lambda _name: None)
    with pytest.raises(DevServerError, match=r"observatory-store\[embedded\]"):
        choose("wheel")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the server to another account")
def test_root_runs_programs_that_only_root_can_reach(
    wheel: Installation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Otherwise `make demo` would fail in /root, the home of most containers."""
    closed = tmp_path_factory.mktemp("closed")
    subprocess.run(["cp", "-r", *map(str, wheel.portable), str(closed)], check=True)
    closed.chmod(0o700)
    installation = Installation.inspect(
        closed / wheel.bin_dir.relative_to(wheel.portable[0].parent),
        portable=tuple(closed / folder.name for folder in wheel.portable),
    )
    with Cluster(installation) as cluster:
        assert _query(cluster.url, "SELECT 1") == [(1,)]
        assert closed.stat().st_mode & 0o777 == 0o700


def test_server_ends_when_its_parent_is_killed() -> None:
    """Otherwise a killed `dev` or test run would leave its server and data for ever."""
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid, data_dir = parent.stdout.readline().split()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _alive(int(pid)) or Path(data_dir).parent.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
