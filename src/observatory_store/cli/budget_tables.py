"""Budgets and their burn, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from observatory_store.cli.console import console, print_table, visible
from observatory_store.cli.units import Amount, money, time
from observatory_store.repositories import BudgetChange, Burn
from observatory_store.rows.budget import Budget

_WIDTH: Final = 20
_NONE: Final = "No budgets. `observatory-store budgets set NAME --amount USD` makes one."


def print_burns(found: Sequence[tuple[Budget, Burn | str]]) -> None:
    """Print how far budgets have gone; below, why some cannot be told."""
    print_table(
        (
            *("budget", "", "spent", "of", "period", "elapsed", "rate", "expected", "low", "high"),
            *("exhausted", "unpriced"),
        ),
        [_row(budget, one) for budget, one in found],
        _NONE,
    )
    for budget, one in found:
        if isinstance(one, str):
            console().print(visible(f"{budget.name} cannot be told: {one}"), soft_wrap=True)


def _row(budget: Budget, one: Burn | str) -> tuple[object, ...]:
    if isinstance(one, str):
        return (budget.name, None, None, money(budget.amount_usd), budget.period, *(None,) * 7)
    return (
        budget.name,
        f"{bar(one.share_spent)} {one.share_spent:.0%}",
        money(one.spent_usd),
        money(one.amount_usd),
        budget.period,
        Amount(f"{one.share_elapsed:.0%}"),
        None if one.burn_rate is None else Amount(f"{one.burn_rate:.2f}"),
        money(one.expected.cost_usd),
        money(one.expected.lower_usd),
        money(one.expected.upper_usd),
        time(one.exhausted_at),
        one.unpriced_requests,
    )


def bar(share: float) -> str:
    """Return a bar that is full at 1, and never quite full, or quite empty, before.

    >>> bar(0.5), bar(0.999)
    ('██████████░░░░░░░░░░', '███████████████████░')
    """
    full = _WIDTH if share >= 1 else min(max(round(share * _WIDTH), share > 0), _WIDTH - 1)
    return "█" * full + "░" * (_WIDTH - full)


def print_budgets(budgets: Sequence[Budget]) -> None:
    """Print what may be spent, one budget a line."""
    print_table(
        ("budget", "amount", "period", "tz", "calls", "warn at", "changed"),
        [
            (
                budget.name,
                money(budget.amount_usd),
                budget.period,
                budget.tz,
                "; ".join(f"{name} {', '.join(values)}" for name, values in budget.filters.items())
                or "all",
                ", ".join(f"{share:.0%}" for share in budget.warn_at) or None,
                time(budget.updated_at),
            )
            for budget in budgets
        ],
        _NONE,
    )


def print_changes(changes: Sequence[BudgetChange]) -> None:
    """Print how the amount of a budget was changed, and by whom."""
    rows = [
        (
            time(one.changed_at),
            one.changed_by,
            one.action,
            money(one.old_amount_usd),
            money(one.new_amount_usd),
        )
        for one in changes
    ]
    print_table(("when", "who", "what", "from", "to"), rows, "No changes.")
