"""How far a budget has gone, and whether it will last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from observatory_store.repositories.analytics.families import usage_family
from observatory_store.repositories.analytics.forecast import (
    HISTORY_DAYS,
    Amount,
    ForecastDay,
    check_now,
    extrapolate,
    history_before,
)
from observatory_store.repositories.analytics.intervals import zone_of
from observatory_store.repositories.analytics.period import PeriodDays, period_at
from observatory_store.repositories.analytics.plan import MOST_OF_SPANS
from observatory_store.repositories.analytics.question import Analysis, ask
from observatory_store.repositories.analytics.usage import UsageRow, usage
from observatory_store.rows.budget import Budget

CONFIDENCE = 0.8
METHOD = (
    "What was spent, and for the rest of the period the means of the same weekdays among the 28 "
    "days before today, from the first with calls on, by the clock of the budget's time zone; of "
    "today the part that is left. The interval takes days as independent and normal about these "
    "means; it knows no trend."
)

_DAY, _MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


class Burn(msgspec.Struct, frozen=True, kw_only=True):
    """How far a budget has gone at a time."""

    name: str
    at: datetime
    period_start: datetime
    period_end: datetime
    counted_from: datetime
    """The period's start; or a little before it, where spans are kept no more and only whole
    buckets are left."""
    amount_usd: Decimal
    spent_usd: Decimal
    """In the period before ``at``, exact."""
    requests: int
    unpriced_requests: int
    """Of these, calls whose cost is not known: it is missing in ``spent_usd``."""
    share_spent: float
    """Of the amount; over 1 if more was spent."""
    share_elapsed: float
    """Of the period, from 0 to 1."""
    burn_rate: float | None
    """``share_spent`` by ``share_elapsed``: over 1 it is spent faster than time goes by. None at
    the very beginning."""
    expected: Amount
    """Spent by the end of the period, with the interval that holds it with ``confidence``."""
    confidence: float = CONFIDENCE
    exhausted_at: datetime | None
    """When the forecast reaches the amount; ``at`` if that is reached already, None if it is not
    before the period's end."""
    crossed: tuple[Decimal, ...]
    """The shares of ``warn_at`` that are spent."""
    method: str = METHOD

    @property
    def remaining_usd(self) -> Decimal:
        """What is left; negative if more was spent than may be."""
        return self.amount_usd - self.spent_usd

    @property
    def is_exceeded(self) -> bool:
        """Whether more was spent than may be."""
        return self.spent_usd > self.amount_usd


async def burn(analysis: Analysis, budget: Budget, at: datetime) -> Burn:
    """Return how far a budget has gone at a time.

    Raises:
        InvalidInputError: the time lacks a time zone, or what the budget counts can be told from
            spans only, which are kept no more.

    """
    check_now(at)
    zone = zone_of(budget.tz)
    filters: Mapping[str, Any] = budget.filters
    period = period_at(budget.period, at, zone)
    start = period.range.start
    # A range is never empty, and at its first instant nothing is spent.
    until = max(at, start + _MICROSECOND)
    answers = [
        await usage(analysis, ask(*part, **filters), None, fill=False)
        for part in parts(start, until, budget)
    ]
    today = at.astimezone(zone).date()
    history = await history_before(analysis, today, HISTORY_DAYS, budget.tz, filters)
    return burnt(
        budget,
        at.astimezone(UTC),
        period,
        [row for rows in answers for row in rows],
        [day.cost_usd for day in history],
        counted_from=answers[0].covered.start,
    )


def parts(start: datetime, end: datetime, budget: Budget) -> Iterator[tuple[datetime, datetime]]:
    """Yield the range in parts that a question may ask for.

    A month of 31 days has an hour more than may be read of spans, where clocks are put back.
    """
    most = end - start if usage_family(budget.filters).rollups else MOST_OF_SPANS
    while start < end:
        yield start, min(start + most, end)
        start += most


def burnt(
    budget: Budget,
    at: datetime,
    period: PeriodDays,
    spent: Sequence[UsageRow],
    history: Sequence[Decimal],
    *,
    counted_from: datetime | None = None,
) -> Burn:
    """Return how far a budget has gone, from usage.

    Args:
        budget: what may be spent.
        at: now, UTC.
        period: the period that ``at`` lies in.
        spent: usage of the budget's calls from the period's start to ``at``, to be added up.
        history: US dollars of each of the days before today.
        counted_from: beginning of what ``spent`` covers, if not that of the period.

    """
    range_ = period.range
    today = at.astimezone(period.zone).date()
    begun, over = period.starts(today), period.starts(today + _DAY)
    days, total = extrapolate(
        [float(cost) for cost in history],
        today,
        (period.end - today).days,
        CONFIDENCE,
        first_share=(over - at) / (over - begun),
    )
    # Of the days as they are rounded, so that the path ends where it is said to.
    rest = sum((day.cost_usd for day in days), Decimal(0))
    spent_usd = sum((row.cost_usd for row in spent), Decimal(0))
    share_spent = float(spent_usd / budget.amount_usd)
    share_elapsed = (at - range_.start) / (range_.end - range_.start)
    return Burn(
        name=budget.name,
        at=at,
        period_start=range_.start,
        period_end=range_.end,
        counted_from=counted_from or range_.start,
        amount_usd=budget.amount_usd,
        spent_usd=spent_usd,
        requests=sum(row.requests for row in spent),
        unpriced_requests=sum(row.unpriced_requests for row in spent),
        share_spent=share_spent,
        share_elapsed=share_elapsed,
        burn_rate=share_spent / share_elapsed if share_elapsed else None,
        expected=Amount(
            cost_usd=spent_usd + rest,
            lower_usd=spent_usd + min(total.lower_usd, rest),
            upper_usd=spent_usd + max(total.upper_usd, rest),
        ),
        exhausted_at=_reached(budget.amount_usd - spent_usd, at, days, period),
        crossed=tuple(share for share in budget.warn_at if spent_usd >= share * budget.amount_usd),
    )


def _reached(
    left: Decimal, at: datetime, days: Sequence[ForecastDay], period: PeriodDays
) -> datetime | None:
    """Return when the costs of the days to come reach an amount, spread evenly over each."""
    if left <= 0:
        return at
    begin = at
    for day in days:
        end = period.starts(day.day + _DAY)
        if day.cost_usd >= left:
            return begin + float(left / day.cost_usd) * (end - begin)
        left -= day.cost_usd
        begin = end
    return None
