"""What the next days will cost, if they are as the last ones were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from statistics import NormalDist, fmean
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.intervals import BEGINNING, END, zone_of
from observatory_store.repositories.analytics.question import Analysis, ask, of_models_only
from observatory_store.repositories.analytics.usage import usage
from observatory_store.repositories.page import check_time

HISTORY_DAYS, LEAST_DAYS, MOST_DAYS = 28, 7, 366
MOST_HORIZON = 366
METHOD = (
    "A day is forecast as the mean of the same weekdays of the history, from its first day with "
    "calls on; of all its days, if those are under 14. The interval takes days as independent and "
    "normal about these means, with the variance of the history and that of the means; it knows no "
    "trend. No amount is under 0."
)

_WEEK, _TWO_WEEKS = 7, 14
_SPARE = timedelta(days=731)
"""For the days after."""
_CENT_OF_A_CENT = Decimal("0.0001")
_ANY_SIZE = Context(prec=400)


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars, and the interval that holds them with the confidence that was asked for."""

    cost_usd: Decimal
    lower_usd: Decimal
    upper_usd: Decimal


class ForecastDay(Amount, frozen=True, kw_only=True):
    """One day to come."""

    day: date


class PastDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day that a forecast is made from."""

    day: date
    cost_usd: Decimal
    unpriced_requests: int
    """Calls whose cost is not known, and not in ``cost_usd``."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """The cost of days to come."""

    history_start: datetime
    """Beginning of the days that it is made from, UTC."""
    history_end: datetime
    history_cost_usd: Decimal
    unpriced_requests: int
    """Calls of the history whose cost is not known, and in no amount."""
    history: tuple[PastDay, ...]
    """These days, one by one."""
    confidence: float
    days: tuple[ForecastDay, ...]
    """From the day on that follows the history; today, if that is not over."""
    total: Amount
    """Of all these days together."""
    method: str = METHOD


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins by the clock of a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def check_now(at: datetime) -> None:
    """Check a time that is taken for now.

    Raises:
        InvalidInputError: it is no time, lacks a time zone, or is not between 1970 and 2555.

    """
    check_time("at", at)
    if at.tzinfo is None:
        raise InvalidInputError("at: the time lacks a time zone: write 2026-01-31T12:00:00Z")
    if not BEGINNING <= at <= END - _SPARE:
        raise InvalidInputError("at: the time must lie between the years 1970 and 2553")


def check_forecast(history_days: int, days: int, confidence: float) -> None:
    """Check what a forecast is asked for.

    Raises:
        InvalidInputError: a number is out of its range, or not whole where it counts days.

    """
    for name, number in (("history_days", history_days), ("days", days)):
        if not isinstance(number, int):
            raise InvalidInputError(f"{name}: give a whole number, not {number!r:.100}")
    if not isinstance(confidence, int | float):
        raise InvalidInputError(f"confidence: give a number, not {confidence!r:.100}")
    if not LEAST_DAYS <= history_days <= MOST_DAYS:
        raise InvalidInputError(
            f"history_days: from {LEAST_DAYS} to {MOST_DAYS}, not {history_days}"
        )
    if not 1 <= days <= MOST_HORIZON:
        raise InvalidInputError(f"days: from 1 to {MOST_HORIZON}, not {days}")
    if not 0 < confidence < 1:
        raise InvalidInputError(f"confidence: between 0 and 1, not {confidence}")


async def history_before(
    analysis: Analysis, today: date, days: int, tz: str, filters: Mapping[str, Any]
) -> tuple[PastDay, ...]:
    """Return the days before today from the first one with calls on; all, if none has any.

    Raises:
        InvalidInputError: they cannot be told, as spans that it takes are kept no more; or they
            would be of tools, whose executions have no cost.

    """
    zone = zone_of(tz)
    start, end = (
        midnight(day, zone).astimezone(UTC) for day in (today - timedelta(days=days), today)
    )
    question = ask(start, end, interval="1d", tz=tz, **filters)
    of_models_only(question)
    rows = await usage(analysis, question, None, fill=True)
    first = next((n for n, row in enumerate(rows) if row.requests), 0)
    # Filled, so that there is one row for each day.
    return tuple(
        PastDay(
            day=start.astimezone(zone).date(),
            cost_usd=row.cost_usd,
            unpriced_requests=row.unpriced_requests,
        )
        for start, row in list(zip(question.starts, rows, strict=True))[first:]
    )


def extrapolate(
    costs: Sequence[float],
    first: date,
    days: int,
    confidence: float,
    *,
    first_share: float = 1.0,
) -> tuple[list[ForecastDay], Amount]:
    """Return the days after a history, and their sum.

    Args:
        costs: US dollars of each day of the history. Of a single one itself is the deviation.
        first: the day after the history.
        days: how many to forecast.
        confidence: of the intervals, between 0 and 1.
        first_share: how much of the first day is to come, from 0 to 1.

    """
    period = _WEEK if len(costs) >= _TWO_WEEKS else 1
    # Counted back from the day after the history, so that the same weekday is 7 days before it.
    history = costs[::-1]
    seasons = [history[period - 1 - season :: period] for season in range(period)]
    means = [fmean(season) for season in seasons]
    squares = sum(
        (cost - mean) ** 2 for season, mean in zip(seasons, means, strict=True) for cost in season
    )
    variance = squares / (len(costs) - period) if len(costs) > period else means[0] ** 2
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    counts = [0.0] * period
    forecast = []
    for n in range(days):
        season = n % period
        share = 1.0 if n else first_share
        counts[season] += share
        margin = z * math.sqrt(variance * (share + share**2 / len(seasons[season])))
        amount = _amount(share * means[season], margin)
        forecast.append(
            ForecastDay(
                day=first + timedelta(days=n),
                cost_usd=amount.cost_usd,
                lower_usd=amount.lower_usd,
                upper_usd=amount.upper_usd,
            )
        )
    mean = sum(count * one for count, one in zip(counts, means, strict=True))
    of_means = sum(count**2 / len(season) for count, season in zip(counts, seasons, strict=True))
    return forecast, _amount(mean, z * math.sqrt(variance * (sum(counts) + of_means)))


def _amount(mean: float, margin: float) -> Amount:
    cost, lower, upper = (
        Decimal(max(value, 0)).quantize(_CENT_OF_A_CENT, context=_ANY_SIZE)
        for value in (mean, mean - margin, mean + margin)
    )
    return Amount(cost_usd=cost, lower_usd=lower, upper_usd=upper)
