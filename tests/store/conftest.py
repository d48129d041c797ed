"""A server that a test may stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from observatory_store.devdb import Cluster, choose
from observatory_store.ingest import recorder
from patience import PATIENCE_SECONDS
from servers import Server, lasting_port
from servers.source import FAST


class PrivateServer:
    """A server of one test, with a migrated database; it can be stopped and started again."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.start()
        server = Server(cluster.url)
        self.url = server.create_migrated()
        server.close()

    def start(self) -> None:
        """Start it where it was before."""
        self._cluster.start()

    def stop(self) -> None:
        """Stop it; its data stay."""
        self._cluster.stop()


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[PrivateServer]:
    """Start a server whose data outlive a stop."""
    cluster = Cluster(choose("wheel"), tmp_path / "data", lasting_port(), settings=FAST)
    try:
        yield PrivateServer(cluster)
    finally:
        cluster.stop()


@pytest.fixture(autouse=True)
def no_spool_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test says itself whether there is a spool."""
    monkeypatch.delenv("OBSERVATORY_SPOOL_DIR", raising=False)


@pytest.fixture(autouse=True)
def time_to_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is slow on a busy machine is not one that is away."""
    monkeypatch.setattr(recorder, "OPENING_SECONDS", PATIENCE_SECONDS)
