"""``rollups``: what usage and cost are answered from."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.maintain import STATEMENT_TIMEOUT_SECONDS
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.units import time
from observatory_store.maintenance import Rollups, RollupStatus

verbs = typer.Typer(help="Show and refresh the rollups.", no_args_is_help=True)


@verbs.command("status")
def status(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Show what is not refreshed yet. Exits 1 if it waits for over 10 minutes."""
    found = asyncio.run(_status(database_url))
    if as_json:
        print_json(found)
    else:
        row = (found.rollup, found.edition, found.pending_buckets, time(found.oldest_pending))
        print_table(("rollup", "edition", "pending buckets", "oldest pending"), [row], "")
    if found.is_overdue(datetime.now(UTC)):
        raise typer.Exit(1)


@verbs.command("refresh")
def refresh(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Bring the rollups up to date with the spans."""
    buckets = asyncio.run(_refresh(database_url))
    if as_json:
        print_json({"buckets_refreshed": buckets})
    else:
        console().print(f"{buckets:,} buckets refreshed")


async def _status(database_url: str | None) -> RollupStatus:
    async with open_database(database_url) as pool:
        return await Rollups(pool).status()


async def _refresh(database_url: str | None) -> int:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        return await Rollups(pool).refresh()
