"""TimescaleDB's official image, where a Docker engine runs."""

from __future__ import annotations

import gc
import time
import warnings
from typing import TYPE_CHECKING, Any

import psycopg

from patience import PATIENCE_SECONDS
from servers.source import FAST_TIMESCALE, NotCoveredError

if TYPE_CHECKING:
    from servers.source import Source

IMAGE = "timescale/timescaledb:2.28.3-pg17"
PORT = 5432


class ContainerSource:
    """A container that runs already."""

    description = f"container {IMAGE}"

    def __init__(self, container: Any) -> None:
        self._container = container

    def start(self) -> str:
        """Wait until the server answers."""
        host = self._container.get_container_host_ip()
        port = self._container.get_exposed_port(PORT)
        url = f"postgresql://postgres@{host}:{port}/postgres"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(url, connect_timeout=5).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return url

    def stop(self) -> None:
        """Remove the container."""
        self._container.stop()


def start_container() -> Source:
    """Start TimescaleDB in a container.

    Raises:
        NotCoveredError: No engine answers, or it cannot start the image.

    """
    settings = {"shared_preload_libraries": "timescaledb", **FAST_TIMESCALE}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    # The client leaves sockets to the collector when no engine answers, and warnings are errors.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ContainerSource(_start(options))
        except Exception as error:  # noqa: BLE001 -- of docker, its transport, or the import
            reason = str(error)
        gc.collect()
    raise NotCoveredError(f"no Docker engine can run {IMAGE}: {reason}")


def _start(options: list[str]) -> Any:
    # Imported here because it takes a second, and few machines get this far.
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415

    DockerClient().client.ping()
    return (
        DockerContainer(IMAGE)
        .with_env("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env("NO_TS_TUNE", "true")
        .with_exposed_ports(PORT)
        .with_command(["postgres", *options])
        .start()
    )
