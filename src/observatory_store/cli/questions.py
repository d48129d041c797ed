"""Options of the verbs that sum: groups and intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from observatory_store.cli.connection import open_store
from observatory_store.cli.console import print_csv, print_json
from observatory_store.cli.units import time_range
from observatory_store.errors import InvalidInputError
from observatory_store.repositories import AnalyticsRepository, TimeRange
from observatory_store.repositories.analytics import Rows

Answer = TypeVar("Answer")
Found = TypeVar("Found", bound=Rows[Any])


class GroupName(StrEnum):
    """What can be grouped by."""

    PROVIDER = "provider"
    MODEL = "model"
    SERVICE = "service"
    ENVIRONMENT = "environment"
    USER = "user"
    SESSION = "session"
    AGENT = "agent"
    TOOL = "tool"
    TAG = "tag"
    PROJECT = "project"


class IntervalName(StrEnum):
    """The lengths of time that sums are given for."""

    MINUTE = "1m"
    QUARTER_HOUR = "15m"
    HOUR = "1h"
    DAY = "1d"
    WEEK = "1w"
    MONTH = "1mo"


Groups: TypeAlias = Annotated[
    list[GroupName] | None, typer.Option("--group-by", help="May be repeated; model by default.")
]
Every: TypeAlias = Annotated[
    IntervalName | None,
    typer.Option("--interval", help="One row for each; else one for the whole range."),
]
Zone: TypeAlias = Annotated[
    str, typer.Option("--tz", metavar="ZONE", help="By whose clock days begin: Europe/Berlin.")
]
AsCsv: TypeAlias = Annotated[bool, typer.Option("--csv", help="Print CSV.")]


def names(groups: Sequence[GroupName] | None) -> list[str]:
    """Return what to group by: the model, if nothing is said."""
    return [group.value for group in groups or [GroupName.MODEL]]


def ask(
    question: Callable[[AnalyticsRepository], Awaitable[Answer]],
    *,
    project: str,
    database_url: str | None,
) -> Answer:
    """Ask the store of a project."""

    async def asked() -> Answer:
        async with open_store(database_url, project) as store:
            return await question(store.analytics)

    return asyncio.run(asked())


def check_formats(*, as_json: bool, as_csv: bool) -> None:
    """Refuse two formats at once.

    Raises:
        InvalidInputError: both are asked for.

    """
    if as_json and as_csv:
        raise InvalidInputError("--json and --csv exclude each other")


def answer(
    question: Callable[[AnalyticsRepository], Awaitable[Found]],
    columns: Sequence[str],
    *,
    range_: TimeRange,
    table: Callable[[Found], None],
    fields: Callable[[Any], Mapping[str, Any]] | None = None,
    project: str,
    as_json: bool,
    as_csv: bool,
    database_url: str | None,
) -> None:
    """Ask the store of a project, and print the rows; and if they are of more, of which range.

    Args:
        question: what is asked.
        columns: fields that are printed as CSV.
        range_: what is asked for.
        table: prints the rows where no other format is asked for.
        fields: makes what is printed of a row; by default it is all that its class has.
        project: whose telemetry it is.
        as_json: whether to print JSON.
        as_csv: whether to print CSV.
        database_url: of the store.

    Raises:
        InvalidInputError: both formats are asked for.

    """
    check_formats(as_json=as_json, as_csv=as_csv)
    rows = ask(question, project=project, database_url=database_url)
    printed = rows if fields is None else [fields(row) for row in rows]
    if as_json:
        print_json(printed)
    elif as_csv:
        print_csv(printed, columns)
    else:
        table(rows)
    if rows.covered != range_:
        covered = time_range(rows.covered.start, rows.covered.end)
        typer.echo(
            f"covers {covered}: where spans are gone, only whole buckets are left",
            err=as_json or as_csv,
        )
