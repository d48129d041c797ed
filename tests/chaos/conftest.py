"""Services and servers that tests may kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from chaos.database import RestartableCluster, restartable
from chaos.process import ServiceProcess
from observatory_store.schema import Migrator

Serve: TypeAlias = Callable[..., ServiceProcess]
"""``serve(database_url, workers=2)`` starts the service; it is ended after the test."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the service as a process."""
    with ExitStack() as stack:

        def start(database_url: str, *, workers: int = 1) -> ServiceProcess:
            service = ServiceProcess(database_url, tmp_path / "service.log", workers=workers)
            stack.callback(service.end)
            service.start()
            return service

        yield start


@pytest.fixture
def cluster(edition: str, pytestconfig: pytest.Config) -> Iterator[RestartableCluster]:
    """Start a durable server of the edition for this test alone."""
    # Imported under another name, the same file would be another module, with another key.
    above = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    assert above is not None
    found = restartable(pytestconfig.stash[above.EDITIONS].sources[edition])
    if found is None:
        pytest.skip(f"the server of the edition {edition} is not ours to kill")
    try:
        found.start()
        yield found
    finally:
        found.remove()


@pytest.fixture
def durable_url(cluster: RestartableCluster) -> str:
    """URL of a database with every migration applied, on the server of this test."""
    url = cluster.create_database("observatory")
    Migrator(url).apply()
    return url
