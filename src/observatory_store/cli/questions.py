"""Options of the verbs that sum: groups, intervals, filters."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec
import typer

from observatory_store.cli.connection import open_store
from observatory_store.cli.console import print_json
from observatory_store.errors import InvalidInputError
from observatory_store.repositories import AnalyticsRepository

Row = TypeVar("Row", bound=msgspec.Struct)


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


Values: TypeAlias = list[str] | None
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
Providers: TypeAlias = Annotated[Values, typer.Option("--provider", help="Only this; repeatable.")]
Models: TypeAlias = Annotated[Values, typer.Option("--model", help="Only this; repeatable.")]
Services: TypeAlias = Annotated[Values, typer.Option("--service", help="Only this; repeatable.")]
Environments: TypeAlias = Annotated[
    Values, typer.Option("--environment", help="Only this; repeatable.")
]
Users: TypeAlias = Annotated[Values, typer.Option("--user", help="Only this; repeatable.")]
Sessions: TypeAlias = Annotated[Values, typer.Option("--session", help="Only this; repeatable.")]
Agents: TypeAlias = Annotated[Values, typer.Option("--agent", help="Only this; repeatable.")]
Tools: TypeAlias = Annotated[Values, typer.Option("--tool", help="Only this; repeatable.")]
Tags: TypeAlias = Annotated[
    Values,
    typer.Option("--tag", metavar="KEY=VALUE", help="Only with this tag; of several, with all."),
]


def names(groups: Sequence[GroupName] | None) -> list[str]:
    """Return what to group by: the model, if nothing is said."""
    return [group.value for group in groups or [GroupName.MODEL]]


def answer(
    question: Callable[[AnalyticsRepository], Awaitable[list[Row]]],
    columns: Sequence[str],
    *,
    project: str,
    as_json: bool,
    as_csv: bool,
    database_url: str | None,
) -> list[Row] | None:
    """Ask the store of a project; print the rows if a format is asked for, and else return them.

    Raises:
        InvalidInputError: both formats are asked for.

    """
    if as_json and as_csv:
        raise InvalidInputError("--json and --csv exclude each other")

    async def ask() -> list[Row]:
        async with open_store(database_url, project) as store:
            return await question(store.analytics)

    rows = asyncio.run(ask())
    if as_json:
        print_json(rows)
    elif as_csv:
        _print_csv(rows, columns)
    else:
        return rows
    return None


def _print_csv(rows: Sequence[msgspec.Struct], columns: Sequence[str]) -> None:
    """Print fields with a heading: times in RFC 3339, money as decimals."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        plain: dict[str, Any] = msgspec.to_builtins(row)
        writer.writerow([plain[name] for name in columns])
