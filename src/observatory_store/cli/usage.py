"""``usage``: requests, tokens and cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from observatory_store.cli.console import console, print_table
from observatory_store.cli.filters import Filters, takes_filters
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    From,
    ProjectName,
    To,
)
from observatory_store.cli.questions import (
    AsCsv,
    Every,
    Groups,
    Zone,
    answer,
    names,
)
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import bucket, money, sparkline
from observatory_store.repositories import UsageRow

MEASURES = (
    *("requests", "errors", "unpriced_requests", "input_tokens", "output_tokens"),
    *("cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_usd", "duration_us"),
)


@takes_filters()
def usage(
    *,
    start: From = "24h",
    end: To = "now",
    group_by: Groups = None,
    interval: Every = None,
    tz: Zone = "UTC",
    fill: Annotated[
        bool, typer.Option("--fill", help="A row also for intervals without calls.")
    ] = False,
    filters: Filters,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show requests, tokens and cost; exact, whatever the range."""
    range_ = parse_range(start, end)
    groups = names(group_by)
    answer(
        lambda analytics: analytics.usage(
            range_.start,
            range_.end,
            group_by=groups,
            interval=None if interval is None else interval.value,
            tz=tz,
            fill=fill,
            **filters,
        ),
        (*(["bucket"] if interval else []), *groups, *MEASURES),
        range_=range_,
        table=lambda rows: _print(rows, groups, interval, tz),
        project=project,
        as_json=as_json,
        as_csv=as_csv,
        database_url=database_url,
    )


def _print(rows: Sequence[UsageRow], groups: Sequence[str], interval: str | None, tz: str) -> None:
    by_time = interval is not None
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
            *([bucket(row.bucket, interval, tz)] if by_time else []),
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
    if by_time and rows:
        requests: dict[Any, int] = {}
        for row in rows:
            requests[row.bucket] = requests.get(row.bucket, 0) + row.requests
        console().print(f"\nrequests  {sparkline(list(requests.values()))}")
