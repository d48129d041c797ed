"""The periods of budgets, by the clocks of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from observatory_store.repositories.analytics.forecast import midnight
from observatory_store.repositories.page import TimeRange
from observatory_store.rows.budget import Period

_DAY = timedelta(days=1)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class PeriodDays(msgspec.Struct, frozen=True):
    """A period as days of a zone, from the first on, before ``end``."""

    first: date
    end: date
    zone: ZoneInfo

    @property
    def range(self) -> TimeRange:
        """When it begins and ends, in UTC; days are of 23 or 25 hours where clocks change."""
        return TimeRange(self.starts(self.first), self.starts(self.end))

    def starts(self, day: date) -> datetime:
        """Return when a day begins by the clock of the zone, in UTC."""
        return midnight(day, self.zone).astimezone(UTC)


def period_at(period: Period, at: datetime, zone: ZoneInfo) -> PeriodDays:
    """Return the period that a time lies in.

    A week begins on Monday; a quarter in January, April, July or October.
    """
    today = at.astimezone(zone).date()
    if period == "day":
        return PeriodDays(today, today + _DAY, zone)
    if period == "week":
        monday = today - today.weekday() * _DAY
        return PeriodDays(monday, monday + 7 * _DAY, zone)
    months = _MONTHS[period]
    month = today.year * 12 + (today.month - 1) // months * months
    return PeriodDays(_first_of(month), _first_of(month + months), zone)


def _first_of(month: int) -> date:
    year, month_of_year = divmod(month, 12)
    return date(year, month_of_year + 1, 1)
