"""``recost``: stored costs by the prices as they are now known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec
import typer

from observatory_store.cli.connection import open_database, read_settings
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.maintain import STATEMENT_TIMEOUT_SECONDS
from observatory_store.cli.options import AsJson, DatabaseUrl, Model, Provider, To
from observatory_store.cli.prices import user
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import money, time
from observatory_store.errors import InvalidInputError
from observatory_store.ingest import present_prices
from observatory_store.maintenance import RecostRange, RecostReport, Recosts
from observatory_store.repositories import ProjectRepository

_MOST: Final = 2**31 - 1


def recost(
    *,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Begin of the range: 2026-01-31T12:00:00Z, or how long ago: 24h, 7d.",
        ),
    ] = None,
    end: To = "now",
    provider: Provider = None,
    model: Model = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="Only this project.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
    ] = False,
    resume: Annotated[
        int | None,
        typer.Option(metavar="ID", min=1, max=_MOST, help="Go on with a recost that was stopped."),
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Compute stored costs again, by the prices in force when the calls began.

    Rollups follow. What was done stays if it is stopped; to do it twice changes nothing more.
    """
    show = _ignore if as_json else _show
    if resume is not None:
        if start is not None or provider or model or project or reason or dry_run:
            raise InvalidInputError("--resume takes the range, the filters and the reason it had")
        report = asyncio.run(_resume(database_url, resume, show))
    elif start is None:
        raise InvalidInputError("recost takes a range, --from and --to, or --resume ID")
    else:
        range_ = parse_range(start, end, datetime.now(UTC))
        wanted = RecostRange(start=range_.start, end=range_.end, provider=provider, model=model)
        report = asyncio.run(
            _run(database_url, wanted, project, show, reason=reason, dry_run=dry_run)
        )
    if as_json:
        print_json(report)
    else:
        _print(report)


def _show(report: RecostReport) -> None:
    name = "dry run" if report.recost_id is None else f"recost {report.recost_id}"
    console().print(
        f"{name}: done to {time(report.done_before)}, {report.calls:,} calls, "
        f"{report.changed:,} with another cost",
        soft_wrap=True,
    )


def _ignore(_: RecostReport) -> None:
    pass


def _print(report: RecostReport) -> None:
    changed = [one for one in report.models if one.changed]
    changed.sort(key=lambda one: (-abs(one.new_cost_usd - one.old_cost_usd), -one.changed))
    rows: list[tuple[object, ...]] = [
        (
            one.provider,
            one.model,
            one.calls,
            one.changed,
            one.priced,
            one.unpriced,
            money(one.old_cost_usd),
            money(one.new_cost_usd),
        )
        for one in changed
    ]
    print_table(
        (
            "provider",
            "model",
            "calls",
            "changed",
            "newly priced",
            "now unpriced",
            "old cost",
            "new cost",
        ),
        rows,
        "Every call costs what it did.",
    )
    out = console()
    if report.whole_from is not None and report.whole_from > report.start:
        out.print(
            f"From before {time(report.whole_from)} not all spans are there: the costs of that "
            "time, in the rollups too, are left as they are.",
            soft_wrap=True,
        )
    did = "would be changed" if report.recost_id is None else "changed"
    out.print(
        f"{report.changed:,} of {report.calls:,} calls {did}: "
        f"{money(report.old_cost_usd)} -> {money(report.new_cost_usd)}",
        soft_wrap=True,
    )


async def _run(
    database_url: str | None,
    wanted: RecostRange,
    project: str | None,
    show: Callable[[RecostReport], None],
    *,
    reason: str | None,
    dry_run: bool,
) -> RecostReport:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        recosts = Recosts(pool, await present_prices(pool), read_settings().cost)
        if project is not None:
            found = await ProjectRepository(pool).get(project)
            wanted = msgspec.structs.replace(wanted, project_id=found.project_id)
        if dry_run:
            return await recosts.preview(wanted, show=show)
        return await recosts.run(wanted, by=user(), reason=reason, show=show)


async def _resume(
    database_url: str | None, recost_id: int, show: Callable[[RecostReport], None]
) -> RecostReport:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        recosts = Recosts(pool, await present_prices(pool), read_settings().cost)
        return await recosts.resume(recost_id, show=show)
