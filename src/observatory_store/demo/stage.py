"""A whole store that exists for one demonstration: PostgreSQL, schema and service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import uvicorn

from observatory_store.api import create_app
from observatory_store.devdb import Cluster, choose
from observatory_store.devdb.discovery import ServerKind
from observatory_store.errors import ObservatoryError
from observatory_store.schema import Migrator
from observatory_store.settings import AuthMode, Settings

ADDRESS = "127.0.0.1"
START_SECONDS = 30.0


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """Where the running store is."""

    endpoint: str
    """URL of the service, without a path."""
    database_url: str
    postgresql: str
    """Version of the server."""


@contextmanager
def open_stage(server: ServerKind, announce: Callable[[str], None]) -> Iterator[Stage]:
    """Start PostgreSQL in a temporary folder, migrate it, serve it; remove all of it afterwards.

    Raises:
        DevServerError: this machine has no such PostgreSQL.
        ObservatoryError: the service did not start.

    """
    installation = choose(server)
    announce(f"starting PostgreSQL {installation.version}")
    # Nothing outlives this server, so it need not wait for the disk.
    unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with Cluster(installation, settings=unsafe) as cluster:
        url = cluster.create_database("observatory")
        applied = Migrator(url).apply()
        announce(f"applied {len(applied)} migrations")
        settings = Settings(database_url=url, auth=AuthMode.OFF)  # type: ignore[arg-type]  # pydantic makes the secret
        with _serving(create_app(settings)) as endpoint:
            announce(f"serving on {endpoint}")
            yield Stage(endpoint=endpoint, database_url=url, postgresql=installation.version)


@contextmanager
def _serving(app: Callable[..., Any]) -> Iterator[str]:
    server = uvicorn.Server(
        uvicorn.Config(app, host=ADDRESS, port=0, log_level="warning", lifespan="on")
    )
    thread = threading.Thread(target=server.run, name="service", daemon=True)
    thread.start()
    try:
        yield f"http://{ADDRESS}:{_port(server, thread)}"
    finally:
        server.should_exit = True
        thread.join()


def _port(server: uvicorn.Server, thread: threading.Thread) -> int:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise ObservatoryError("the service did not start; the lines above say why")
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port
