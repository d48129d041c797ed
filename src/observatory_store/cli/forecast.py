"""``forecast``: what the coming days will cost."""

from __future__ import annotations

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
from observatory_store.repositories import Forecast

_COLUMNS = ("day", "cost_usd", "lower_usd", "upper_usd")


@takes_filters(without="tool")
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
    found = ask(
        lambda analytics: analytics.forecast(
            days=days, history_days=history_days, confidence=confidence, tz=tz, **filters
        ),
        project=project,
        database_url=database_url,
    )
    if as_json:
        print_json(found)
    elif as_csv:
        print_csv(found.days, _COLUMNS)
    else:
        _print(found)


def _print(found: Forecast) -> None:
    amounts = [*((f"{day.day:%a %Y-%m-%d}", day) for day in found.days), ("total", found.total)]
    cells = [
        (name, money(amount.cost_usd), money(amount.lower_usd), money(amount.upper_usd))
        for name, amount in amounts
    ]
    print_table(("day", "cost", "from", "to"), cells, "")
    costs = [day.cost_usd for day in found.history] + [day.cost_usd for day in found.days]
    course = sparkline([float(cost) for cost in costs])
    past_days = len(found.history)
    past = f"{money(found.history_cost_usd)} in the {past_days} days before"
    if found.unpriced_requests:
        past += f", without {found.unpriced_requests:,} calls of unknown price"
    console().print(f"\n{course[:past_days]} │ {course[past_days:]}\n{past}")
    console().print(f"from, to: the interval that holds the cost with {found.confidence:.3g}")
