"""``serve``: the HTTP service on a database that is there."""

from __future__ import annotations

from typing import Annotated

import typer

from observatory_store.cli.connection import read_settings
from observatory_store.cli.options import DatabaseUrl
from observatory_store.cli.schema import migrator


def serve(
    *,
    host: Annotated[
        str | None,
        typer.Option(envvar="OBSERVATORY_HOST", help="127.0.0.1 by default.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            envvar="OBSERVATORY_PORT",
            min=0,
            max=65535,
            help="4318 by default; 0 takes a free one.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that serve.")] = 1,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Apply pending migrations first.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Serve OTLP and the query API over HTTP until interrupted."""
    # Imported here: FastAPI and uvicorn would slow the start of every other verb.
    from observatory_store.cli import service  # noqa: PLC0415

    settings = read_settings(database_url=database_url, host=host, port=port)
    if migrate:
        migrator(database_url).apply(progress=typer.echo)
    if workers > 1:
        service.run_workers(settings, workers)
        return
    with service.listen(settings.host, settings.port) as listener:
        typer.echo(f"listening on {service.address(listener)}")
        service.run_service(settings, listener)
