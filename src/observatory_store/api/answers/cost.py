"""Costs to come."""

from __future__ import annotations

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Money, micro_time, money


class ForecastDay(Answer):
    """One day to come."""

    day: str = Field(json_schema_extra={"format": "date"}, examples=["2026-02-01"])
    cost_usd: Money
    lower_usd: Money
    upper_usd: Money


class Amount(Answer):
    """US dollars, and the interval that holds them with the confidence that is told beside it."""

    cost_usd: Money
    lower_usd: Money
    upper_usd: Money


class Forecast(Answer):
    """What the coming days will cost, if they are as the last ones were."""

    history_from: MicroTime
    history_to: MicroTime
    history_cost_usd: Money
    unpriced_requests: int
    """Calls of the history whose price is unknown, and in no amount."""
    confidence: float
    """With which the cost is from ``lower_usd`` to ``upper_usd``."""
    method: str
    """How it is made."""
    total: Amount
    """All these days together."""
    days: list[ForecastDay]
    """From today on, as the day is not over."""


def amount(found: repositories.Amount) -> dict[str, str]:
    """Return the values of an amount."""
    return {name: money(getattr(found, name)) for name in Amount.model_fields}


def forecast(found: repositories.Forecast) -> Forecast:
    """Return a forecast."""
    return Forecast(
        history_from=micro_time(found.history_start),
        history_to=micro_time(found.history_end),
        history_cost_usd=money(found.history_cost_usd),
        unpriced_requests=found.unpriced_requests,
        confidence=found.confidence,
        method=found.method,
        total=Amount(**amount(found.total)),
        days=[ForecastDay(day=day.day.isoformat(), **amount(day)) for day in found.days],
    )
