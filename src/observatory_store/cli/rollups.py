"""``rollups``: what usage and cost are answered from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.maintain import STATEMENT_TIMEOUT_SECONDS
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.time_range import parse_time
from observatory_store.cli.units import time
from observatory_store.maintenance import BackfillProgress, Rollups, RollupStatus

verbs = typer.Typer(help="Show and refresh the rollups.", no_args_is_help=True)


@verbs.command("status")
def status(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Show what is not refreshed yet. Exits 1 if it waits for over 10 minutes."""
    found = asyncio.run(_status(database_url))
    if as_json:
        print_json(found)
    else:
        rows = [
            (
                one.rollup,
                one.edition,
                one.pending_buckets,
                time(one.oldest_pending),
                time(one.late_from),
            )
            for one in found
        ]
        titles = ("rollup", "edition", "pending buckets", "oldest pending", "late from")
        print_table(titles, rows, "")
    now = datetime.now(UTC)
    if any(one.is_overdue(now) for one in found):
        raise typer.Exit(1)


@verbs.command("refresh")
def refresh(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Bring the rollups up to date with the spans."""
    buckets = asyncio.run(_refresh(database_url))
    if as_json:
        print_json({"buckets_refreshed": buckets})
    else:
        console().print(f"{buckets:,} buckets refreshed")


@verbs.command("backfill")
def backfill(
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Begin of the range: 2026-01-31T12:00:00Z, or how long ago: 24h, 7d. "
            "By default the oldest span.",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="End of the range; by default the present."),
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Count whole days (UTC) anew in all rollups, oldest first, and say when each is done."""
    now = datetime.now(UTC)
    range_ = (parse_time(start, now) if start else None, parse_time(end, now) if end else None)
    days = asyncio.run(_backfill(database_url, *range_, _ignore if as_json else _show))
    if as_json:
        print_json({"days_counted": days})
    else:
        console().print(f"{days:,} days counted")


def _show(progress: BackfillProgress) -> None:
    console().print(f"{progress.day} ({progress.days_done} of {progress.days})")


def _ignore(_: BackfillProgress) -> None:
    pass


async def _backfill(
    database_url: str | None,
    start: datetime | None,
    end: datetime | None,
    show: Callable[[BackfillProgress], None],
) -> int:
    days = 0
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        async for progress in Rollups(pool).backfill(start, end):
            show(progress)
            days = progress.days_done
    return days


async def _status(database_url: str | None) -> list[RollupStatus]:
    async with open_database(database_url) as pool:
        return await Rollups(pool).status()


async def _refresh(database_url: str | None) -> int:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        return await Rollups(pool).refresh()
