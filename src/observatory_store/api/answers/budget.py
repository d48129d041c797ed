"""Budgets, and how far they have gone."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Money, Page, micro_time, money
from observatory_store.api.answers.cost import Amount, amount
from observatory_store.rows.budget import Budget as BudgetRow
from observatory_store.rows.budget import Period


class Expected(Amount):
    """What will be spent by the end of the period."""

    confidence: float
    """With which it is from ``lower_usd`` to ``upper_usd``."""
    method: str
    """How it is made."""


class Burn(Answer):
    """How far a budget has gone in its period."""

    at: MicroTime
    period_start: MicroTime
    period_end: MicroTime
    """Not included."""
    counted_from: MicroTime
    """The period's start; or a little before it, where spans are kept no more and only whole
    buckets are left."""
    spent_usd: Money
    remaining_usd: Money
    """Negative if more was spent than may be."""
    requests: int
    unpriced_requests: int
    """Calls whose cost is not known: ``spent_usd`` lacks them."""
    share_spent: float
    share_elapsed: float
    """Of the period."""
    burn_rate: float | None
    """``share_spent`` by ``share_elapsed``; null at the very beginning."""
    expected: Expected
    exhausted_at: MicroTime | None
    """When the forecast reaches the amount; ``at`` if it is reached already, null if it is not
    within the period."""
    crossed: list[float]
    """The shares of ``warn_at`` that are spent."""
    is_exceeded: bool
    """More was spent than may be."""


class Budget(Answer):
    """A budget and its burn."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "search",
                    "amount_usd": "300",
                    "period": "week",
                    "tz": "Europe/Berlin",
                    "filters": {"tag": ["team=search"]},
                    "warn_at": [0.5, 0.8, 1.0],
                    "created_at": "2026-01-05T09:30:00.000000Z",
                    "updated_at": "2026-01-05T09:30:00.000000Z",
                    "burn": {
                        "at": "2026-01-28T11:00:00.000000Z",
                        "period_start": "2026-01-25T23:00:00.000000Z",
                        "period_end": "2026-02-01T23:00:00.000000Z",
                        "counted_from": "2026-01-25T23:00:00.000000Z",
                        "spent_usd": "160.5",
                        "remaining_usd": "139.5",
                        "requests": 52010,
                        "unpriced_requests": 0,
                        "share_spent": 0.535,
                        "share_elapsed": 0.357,
                        "burn_rate": 1.498,
                        "expected": {
                            "cost_usd": "331.2000",
                            "lower_usd": "298.1100",
                            "upper_usd": "364.2900",
                            "confidence": 0.8,
                            "method": "What was spent, and …",
                        },
                        "exhausted_at": "2026-01-31T10:12:00.000000Z",
                        "crossed": [0.5],
                        "is_exceeded": False,
                    },
                    "problem": None,
                }
            ]
        }
    )

    name: str
    amount_usd: Money
    """For each period."""
    period: Period
    tz: str
    """By whose clock the period begins."""
    filters: dict[str, list[str]] = Field(examples=[{"model": ["gpt-4o"]}])
    """Which calls count; without any, all of the project."""
    warn_at: list[float]
    created_at: MicroTime
    updated_at: MicroTime
    burn: Burn | None
    """Null if it cannot be told."""
    problem: str | None
    """Why it cannot be told."""


class BudgetPage(Page):
    """Budgets by name."""

    budgets: list[Budget]


def budget(row: BudgetRow, burn: repositories.Burn | None, problem: str | None = None) -> Budget:
    """Return a budget with its burn, or why there is none."""
    return Budget(
        name=row.name,
        amount_usd=money(row.amount_usd),
        period=row.period,
        tz=row.tz,
        filters={name: list(values) for name, values in row.filters.items()},
        warn_at=[float(share) for share in row.warn_at],
        created_at=micro_time(row.created_at),
        updated_at=micro_time(row.updated_at),
        burn=None if burn is None else _burn(burn),
        problem=problem,
    )


def _burn(found: repositories.Burn) -> Burn:
    return Burn(
        at=micro_time(found.at),
        period_start=micro_time(found.period_start),
        period_end=micro_time(found.period_end),
        counted_from=micro_time(found.counted_from),
        spent_usd=money(found.spent_usd),
        remaining_usd=money(found.remaining_usd),
        requests=found.requests,
        unpriced_requests=found.unpriced_requests,
        share_spent=found.share_spent,
        share_elapsed=found.share_elapsed,
        burn_rate=found.burn_rate,
        expected=Expected(
            **amount(found.expected),
            confidence=found.confidence,
            method=found.method,
        ),
        exhausted_at=None if found.exhausted_at is None else micro_time(found.exhausted_at),
        crossed=[float(share) for share in found.crossed],
        is_exceeded=found.is_exceeded,
    )
