"""``maintain``: what must be done now and then, best by a timer."""

from __future__ import annotations

import asyncio

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import print_json, visible
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.maintenance import MaintainReport
from observatory_store.maintenance import maintain as maintain_database

STATEMENT_TIMEOUT_SECONDS = 3600.0
"""Refreshing and dropping a long backlog takes longer than a request may."""


def maintain(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Refresh the rollups, drop what is past its retention, index the words of finished days."""
    report = asyncio.run(_maintain(database_url))
    if as_json:
        print_json(report)
        return
    for line in report.lines():
        typer.echo(visible(line))


async def _maintain(database_url: str | None) -> MaintainReport:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        return await maintain_database(pool)
