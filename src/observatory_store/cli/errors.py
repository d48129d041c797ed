"""``errors``: which calls failed, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from observatory_store.cli.console import print_table
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
    answer,
)
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import time
from observatory_store.repositories import ErrorRow


@takes_filters(without="tool")
def errors(
    *,
    start: From = "24h",
    end: To = "now",
    limit: Annotated[int, typer.Option(help="Most kinds of failure, up to 1000.")] = 20,
    filters: Filters,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the commonest failures of calls of models, with a sample; `usage` has the rates."""
    range_ = parse_range(start, end)
    answer(
        lambda analytics: analytics.errors(
            range_.start,
            range_.end,
            limit=limit,
            **filters,
        ),
        ErrorRow.__struct_fields__,
        range_=range_,
        table=_print,
        project=project,
        as_json=as_json,
        as_csv=as_csv,
        database_url=database_url,
    )


def _print(rows: Sequence[ErrorRow]) -> None:
    cells = [
        (
            row.fingerprint,
            row.errors,
            row.error_type,
            ", ".join(row.models) or None,
            time(row.first_start),
            time(row.last_start),
            row.sample_message,
        )
        for row in rows
    ]
    columns = ("fingerprint", "errors", "type", "models", "first", "last", "for instance")
    print_table(columns, cells, "No failed calls of models in this range.")
