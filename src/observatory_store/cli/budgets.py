"""``budgets``: what may be spent, and how far that has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from observatory_store.cli.budget_tables import print_budgets, print_burns, print_changes
from observatory_store.cli.connection import open_store
from observatory_store.cli.console import console, print_json, visible
from observatory_store.cli.filters import Filters, takes_filters
from observatory_store.cli.options import DEFAULT_PROJECT, AsJson, DatabaseUrl, ProjectName
from observatory_store.cli.prices import user as who
from observatory_store.cli.time_range import parse_time
from observatory_store.errors import InvalidInputError
from observatory_store.repositories import BudgetChange, Burn
from observatory_store.rows.budget import Budget
from observatory_store.store import Store

verbs = typer.Typer(help="Set budgets, and see how far they have gone.", no_args_is_help=True)

_T = TypeVar("_T")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The budget.")]


class PeriodName(StrEnum):
    """How long the amount lasts."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@verbs.command("set")
@takes_filters(without="tool")
def set_(
    name: Name,
    *,
    amount: Annotated[
        str | None, typer.Option(metavar="USD", help="US dollars for each period.")
    ] = None,
    period: Annotated[PeriodName | None, typer.Option(help="Of a new budget: month.")] = None,
    tz: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="By whose clock it begins. Of a new budget: UTC."),
    ] = None,
    filters: Filters,
    unfiltered: Annotated[
        bool, typer.Option("--unfiltered", help="Count all calls again.")
    ] = False,
    warn_at: Annotated[
        list[str] | None,
        typer.Option(metavar="SHARE", help="As 0.8; repeatable. Of a new budget: 0.5, 0.8, 1."),
    ] = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a budget, or change what is said of one; filters are replaced together."""
    wanted = {name: values for name, values in filters.items() if values}
    if wanted and unfiltered:
        raise InvalidInputError("--unfiltered excludes all filters")
    budget = _ask(
        database_url,
        project,
        lambda store: store.budgets.set(
            name,
            amount,
            period=None if period is None else period.value,
            tz=tz,
            filters=wanted if wanted or unfiltered else None,
            warn_at=warn_at,
            by=who(),
        ),
    )
    _show([budget], budget, as_json=as_json)


@verbs.command("list")
def list_(
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List the project's budgets by name."""
    budgets = _ask(database_url, project, lambda store: store.budgets.list()).items
    _show(budgets, budgets, as_json=as_json)


@verbs.command("show")
def show(
    name: Name,
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show a budget, and its last 20 changes: who, when, from what to what."""

    async def read(store: Store) -> tuple[Budget, list[BudgetChange]]:
        return await store.budgets.get(name), await store.budgets.changes(name)

    budget, changes = _ask(database_url, project, read)
    if as_json:
        print_json({"budget": budget, "changes": changes})
        return
    print_budgets([budget])
    console().print()
    print_changes(changes)


@verbs.command("remove")
def remove(
    name: Name,
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Remove a budget. The record of its changes stays."""
    budget = _ask(database_url, project, lambda store: store.budgets.remove(name, by=who()))
    if as_json:
        print_json(budget)
    else:
        console().print(visible(f"removed budget {budget.name}"))


@verbs.command("burn")
def burn(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this budget.")] = None,
    *,
    at: Annotated[
        str, typer.Option(metavar="TIME", help="As of then: 2026-01-31T12:00:00Z, or 7d ago.")
    ] = "now",
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show how far budgets have gone, and how far they will. Exits 1 if one is exceeded."""
    moment = parse_time(at, datetime.now(UTC))

    async def read(store: Store) -> list[tuple[Budget, Burn | str]]:
        budgets = (
            (await store.budgets.list()).items if name is None else [await store.budgets.get(name)]
        )
        return [(budget, await _burn(store, budget, moment)) for budget in budgets]

    found = _ask(database_url, project, read)
    if as_json:
        print_json([_document(budget, one) for budget, one in found])
    else:
        print_burns(found)
    if any(isinstance(one, str) or one.is_exceeded for _, one in found):
        raise typer.Exit(1)


def _show(budgets: Sequence[Budget], document: object, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_budgets(budgets)


def _ask(database_url: str | None, project: str, question: Callable[[Store], Awaitable[_T]]) -> _T:
    async def ask() -> _T:
        async with open_store(database_url, project) as store:
            return await question(store)

    return asyncio.run(ask())


async def _burn(store: Store, budget: Budget, at: datetime) -> Burn | str:
    """Return the burn, or why it cannot be told: which hides no other."""
    try:
        return await store.analytics.burn(budget, at)
    except InvalidInputError as error:
        return str(error)


def _document(budget: Budget, one: Burn | str) -> dict[str, Any]:
    if isinstance(one, str):
        return {"name": budget.name, "problem": one}
    derived = {"remaining_usd": one.remaining_usd, "is_exceeded": one.is_exceeded}
    return {**msgspec.structs.asdict(one), **derived, "problem": None}
