"""Two periods side by side."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import MicroTime, Money, money
from observatory_store.api.answers.usage import Covered, Group, Totals, group, totals

Change = Annotated[float | None, Field(examples=[0.25])]


class ComparisonRow(Group):
    """Calls of models of one group in two periods; of a tool, its executions."""

    now: Totals
    before: Totals
    """Zeros, where the group had no calls."""
    requests_change: Change
    """By what part the requests changed: 0.5 is half as many again; null from 0."""
    cost_change: Change
    """By what part the cost changed; null from 0."""
    cost_change_usd: Money
    """Cost now less the cost before."""


class Comparison(Covered):
    """Usage of a range beside that of another one of the same length."""

    before_from: MicroTime
    """Beginning of the other range that the answer covers."""
    before_to: MicroTime
    rows: list[ComparisonRow]
    """By group, those first that cost most now."""


def comparison_row(row: repositories.ComparisonRow) -> ComparisonRow:
    """Return a group."""
    return ComparisonRow(
        **group(row.now),
        now=Totals(**totals(row.now)),
        before=Totals(**totals(row.before)),
        requests_change=row.requests_change,
        cost_change=row.cost_change,
        cost_change_usd=money(row.cost_change_usd),
    )
