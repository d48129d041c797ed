"""``usage``: requests, tokens and cost."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from observatory_store.cli.connection import open_store
from observatory_store.cli.console import print_json, print_table
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    Environment,
    From,
    Model,
    ProjectName,
    Provider,
    Service,
    To,
)
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import money, time
from observatory_store.repositories import TimeRange, UsageRow


class GroupName(StrEnum):
    """What usage can be grouped by."""

    PROVIDER = "provider"
    MODEL = "model"
    SERVICE = "service"
    ENVIRONMENT = "environment"


class IntervalName(StrEnum):
    """The lengths of time that usage is given for."""

    QUARTER_HOUR = "15m"
    HOUR = "1h"
    DAY = "1d"


def usage(
    *,
    start: From = "24h",
    end: To = "now",
    group_by: Annotated[
        list[GroupName] | None, typer.Option(help="May be repeated; model by default.")
    ] = None,
    interval: Annotated[
        IntervalName | None, typer.Option(help="One row for each; else one for the whole range.")
    ] = None,
    model: Model = None,
    provider: Provider = None,
    service: Service = None,
    environment: Environment = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show requests, tokens and cost, exact to the quarter-hour."""
    groups = [group.value for group in group_by or [GroupName.MODEL]]
    filters = {
        "model": model,
        "provider": provider,
        "service": service,
        "environment": environment,
    }
    range_ = parse_range(start, end)
    width = None if interval is None else interval.value
    rows = asyncio.run(
        _usage(database_url, project, range_, groups, interval=width, filters=filters)
    )
    if as_json:
        print_json(rows)
    else:
        print_usage(rows, groups, by_time=interval is not None)


def print_usage(rows: list[UsageRow], groups: list[str], *, by_time: bool) -> None:
    """Print usage as a table, one column for each group."""
    columns = (
        *(["time"] if by_time else []),
        *groups,
        "requests",
        "errors",
        "input",
        "cached",
        "output",
        "reasoning",
        "cost",
        "unpriced",
    )
    cells = [
        (
            *([time(row.bucket)] if by_time else []),
            *(getattr(row, group) for group in groups),
            row.requests,
            row.errors,
            row.input_tokens,
            row.cache_read_tokens,
            row.output_tokens,
            row.reasoning_tokens,
            money(row.cost_usd),
            row.unpriced_requests,
        )
        for row in rows
    ]
    print_table(columns, cells, "No calls of models in this range.")


async def _usage(
    database_url: str | None,
    project: str,
    range_: TimeRange,
    groups: list[str],
    *,
    interval: str | None,
    filters: dict[str, str | None],
) -> list[UsageRow]:
    async with open_store(database_url, project) as store:
        return await store.analytics.usage(
            range_.start, range_.end, group_by=groups, interval=interval, **filters
        )
