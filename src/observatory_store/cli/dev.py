"""``dev``: a private PostgreSQL and the service on it, for a developer's machine."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from observatory_store.cli.connection import read_settings
from observatory_store.devdb import Cluster, choose
from observatory_store.schema import Migrator
from observatory_store.settings import AuthMode

DATABASE = "observatory"


class ServerName(StrEnum):
    """Where the PostgreSQL programs are from.

    ``auto``: an installed server that has TimescaleDB, else the wheel, else any installed one.
    """

    AUTO = "auto"
    WHEEL = "wheel"
    LOCAL = "local"


def dev(
    *,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            file_okay=False,
            help="Where the data stay; ~/.local/share/observatory-store/dev by default.",
            show_default=False,
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the service; 0 takes a free one.")
    ] = 4318,
    server: Annotated[ServerName, typer.Option(help="Which PostgreSQL to run.")] = ServerName.AUTO,
) -> None:
    """Start a private PostgreSQL, migrate it and serve without API keys until Ctrl-C."""
    # Imported here: FastAPI and uvicorn would slow the start of every other verb.
    from observatory_store.cli import service  # noqa: PLC0415

    data_dir = data_dir or default_data_dir()
    with service.listen("127.0.0.1", port) as listener, service.terminating():
        installation = choose(server.value)
        typer.echo(f"starting PostgreSQL {installation.version} in {data_dir}")
        with Cluster(installation, data_dir) as cluster:
            url = cluster.create_database(DATABASE)
            Migrator(url).apply(progress=typer.echo)
            typer.echo(_how_to_send(url, service.address(listener)))
            settings = read_settings(database_url=url, auth=AuthMode.OFF)
            service.run_service(settings, listener)
    typer.echo("stopped; the data stay in " + str(data_dir))


def default_data_dir() -> Path:
    """Return the folder of the XDG specification; root's own is closed to the server's account."""
    if os.geteuid() == 0:
        return Path("/var/lib/observatory-store/dev")
    base = os.environ.get("XDG_DATA_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share"
    return root / "observatory-store" / "dev"


def _how_to_send(url: str, endpoint: str) -> str:
    return f"""
service    {endpoint}   (no API key needed; queries: {endpoint}/docs)
database   {url}

To send from any OpenTelemetry SDK:
  export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
To look at it:
  observatory-store traces list --database-url {url}
  observatory-store usage --database-url {url}

Ctrl-C stops both.
"""
