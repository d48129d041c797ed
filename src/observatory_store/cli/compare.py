"""``compare``: usage and cost of two periods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
    Groups,
    answer,
    names,
)
from observatory_store.cli.time_range import parse_range, parse_time
from observatory_store.cli.units import change, money, money_change, time_range
from observatory_store.cli.usage import MEASURES
from observatory_store.repositories import ComparisonRow
from observatory_store.repositories.analytics import Comparison

_CHANGES = ("requests_change", "cost_change", "cost_change_usd")


@takes_filters()
def compare(
    *,
    start: From = "24h",
    end: To = "now",
    before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Begin of the other period, as long as this; without it the one just before.",
        ),
    ] = None,
    group_by: Groups = None,
    filters: Filters,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show usage and cost of a period beside those of another, and what changed."""
    now = datetime.now(UTC)
    range_ = parse_range(start, end, now)
    other = None if before is None else parse_time(before, now)
    groups = names(group_by)
    columns = (*groups, *MEASURES, *(f"{name}_before" for name in MEASURES), *_CHANGES)

    def fields(row: ComparisonRow) -> Mapping[str, Any]:
        flat = row.flat()
        return {name: flat[name] for name in columns}

    answer(
        lambda analytics: analytics.compare(
            range_.start,
            range_.end,
            before=other,
            group_by=groups,
            **filters,
        ),
        columns,
        range_=range_,
        table=lambda rows: _print(rows, groups),
        fields=fields,
        project=project,
        as_json=as_json,
        as_csv=as_csv,
        database_url=database_url,
    )


def _print(rows: Comparison, groups: Sequence[str]) -> None:
    columns = (
        *groups,
        *("requests", "before", "change"),
        *("errors", "before"),
        *("cost", "before", "change", "by"),
    )
    cells = [
        (
            *(getattr(row.now, group) for group in groups),
            row.now.requests,
            row.before.requests,
            change(row.requests_change),
            row.now.errors,
            row.before.errors,
            money(row.now.cost_usd),
            money(row.before.cost_usd),
            change(row.cost_change),
            money_change(row.cost_change_usd),
        )
        for row in rows
    ]
    print_table(columns, cells, "No calls of models in either period.")
    now, before = (time_range(one.start, one.end) for one in (rows.covered, rows.before_covered))
    console().print(f"\nnow     {now}\nbefore  {before}")
