"""``latency``: how long calls took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from observatory_store.cli.console import console, print_table, visible
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
from observatory_store.cli.units import bucket, duration, sparkline
from observatory_store.repositories import LatencyRow

_QUANTILES = [0.5, 0.9, 0.95, 0.99]
_MEASURES = (
    *("requests", "errors", "mean_us", "max_us", "quantiles_us", "first_token_requests"),
    *("first_token_quantiles_us", "tokens_per_second"),
)


@takes_filters(without="tool")
def latency(
    *,
    start: From = "24h",
    end: To = "now",
    quantile: Annotated[
        list[float] | None, typer.Option(help="From 0 to 1; repeatable. 0.5, 0.9, 0.95, 0.99.")
    ] = None,
    histogram: Annotated[bool, typer.Option("--histogram", help="Show histograms too.")] = False,
    group_by: Groups = None,
    interval: Every = None,
    tz: Zone = "UTC",
    filters: Filters,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show how long calls took, and until their first token; quantiles are within 1 %."""
    range_ = parse_range(start, end)
    groups, quantiles = names(group_by), quantile or _QUANTILES
    answer(
        lambda analytics: analytics.latency(
            range_.start,
            range_.end,
            quantiles=quantiles,
            histogram=histogram,
            group_by=groups,
            interval=None if interval is None else interval.value,
            tz=tz,
            **filters,
        ),
        (*(["bucket"] if interval else []), *groups, *_MEASURES),
        range_=range_,
        table=lambda rows: _print(rows, groups, quantiles, interval, tz),
        project=project,
        as_json=as_json,
        as_csv=as_csv,
        database_url=database_url,
    )


def _print(
    rows: Sequence[LatencyRow],
    groups: Sequence[str],
    quantiles: Sequence[float],
    interval: str | None,
    tz: str,
) -> None:
    by_time = interval is not None
    labels = [f"p{100 * quantile:g}" for quantile in quantiles]
    columns = (
        *(["time"] if by_time else []),
        *groups,
        "requests",
        "mean",
        *labels,
        "max",
        *(f"{label} first token" for label in labels),
        "tokens/s",
    )
    cells = [
        (
            *([bucket(row.bucket, interval, tz)] if by_time else []),
            *(getattr(row, group) for group in groups),
            row.requests,
            duration(row.mean_us),
            *(duration(us) for us in row.quantiles_us),
            duration(row.max_us),
            *(
                None if us is None else duration(us)
                for us in row.first_token_quantiles_us or [None] * len(quantiles)
            ),
            None if row.tokens_per_second is None else round(row.tokens_per_second),
        )
        for row in rows
    ]
    print_table(columns, cells, "No calls of models in this range.")
    for row in rows:
        if row.histogram:
            label = " ".join(str(getattr(row, group) or "-") for group in groups)
            line = sparkline([one.requests for one in row.histogram])
            ends = duration(row.histogram[0].above_us), duration(row.histogram[-1].to_us)
            text = f"\n{visible(label)}  {ends[0]} {line} {ends[1]}"
            console().print(text, markup=False)
