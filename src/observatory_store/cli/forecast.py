"""``forecast``: what the coming days will cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from observatory_store.cli.console import console, print_csv, print_json, print_table
from observatory_store.cli.filters import Filters, takes_filters
from observatory_store.cli.options import DEFAULT_PROJECT, AsJson, DatabaseUrl, ProjectName
from observatory_store.cli.questions import (
    AsCsv,
    Zone,
    ask,
    check_formats,
)
from observatory_store.cli.units import money, sparkline
from observatory_store.repositories import AnalyticsRepository, Forecast

_COLUMNS = ("day", "cost_usd", "lower_usd", "upper_usd")


@takes_filters()
def forecast(
    *,
    days: Annotated[int, typer.Option(help="How many, up to 366; the first is today.")] = 30,
    history_days: Annotated[
        int, typer.Option(help="Made from so many whole days before today, 7 to 366.")
    ] = 28,
    confidence: Annotated[
        float, typer.Option(help="With which the interval holds the cost, between 0 and 1.")
    ] = 0.8,
    tz: Zone = "UTC",
    filters: Filters,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what the coming days will cost, if they are as the last ones were."""
    check_formats(as_json=as_json, as_csv=as_csv)

    async def both(analytics: AnalyticsRepository) -> tuple[Forecast, list[float]]:
        found = await analytics.forecast(
            days=days, history_days=history_days, confidence=confidence, tz=tz, **filters
        )
        history = await analytics.usage(
            found.history_start, found.history_end, interval="1d", tz=tz, fill=True, **filters
        )
        return found, [float(row.cost_usd) for row in history]

    found, history = ask(both, project=project, database_url=database_url)
    if as_json:
        print_json(found)
    elif as_csv:
        print_csv(found.days, _COLUMNS)
    else:
        _print(found, history)


def _print(found: Forecast, history: Sequence[float]) -> None:
    amounts = [*((f"{day.day:%a %Y-%m-%d}", day) for day in found.days), ("total", found.total)]
    cells = [
        (name, money(amount.cost_usd), money(amount.lower_usd), money(amount.upper_usd))
        for name, amount in amounts
    ]
    print_table(("day", "cost", "from", "to"), cells, "")
    course = sparkline([*history, *(float(day.cost_usd) for day in found.days)])
    past = f"{money(found.history_cost_usd)} in the {len(history)} days before"
    if found.unpriced_requests:
        past += f", without {found.unpriced_requests:,} calls of unknown price"
    console().print(f"\n{course[: len(history)]} │ {course[len(history) :]}\n{past}")
    console().print(f"from, to: the interval that holds the cost with {found.confidence:.3g}")
