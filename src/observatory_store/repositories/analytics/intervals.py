"""Where the intervals of a range begin, by the clocks of a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.page import TimeRange

Interval = Literal["1m", "15m", "1h", "1d", "1w", "1mo"]

INTERVALS: tuple[str, ...] = get_args(Interval)
MOST_INTERVALS = 10_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""No span is older."""
END = datetime(2555, 1, 1, tzinfo=UTC)
"""Nor younger."""

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_QUARTER_HOUR = timedelta(minutes=15)
_OF_A_DAY = {"1m": _MINUTE, "15m": _QUARTER_HOUR, "1h": timedelta(hours=1)}
_LONG = {"1d": _DAY, "1w": timedelta(days=7), "1mo": timedelta(days=28)}


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        InvalidInputError: IANA's database has none of that name.

    """
    if not isinstance(name, str) or name not in _zones():
        raise InvalidInputError(
            f"tz: {str(name)[:100]!r} is no IANA time zone, such as UTC or Europe/Berlin"
        )
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    # Without those that stand for what a machine is set to.
    return (frozenset(available_timezones()) - {"localtime", "Factory"}) | {"UTC"}


def starts(range_: TimeRange, interval: str | None, zone: ZoneInfo) -> list[datetime]:
    """Return where the intervals that the range touches begin, in UTC; the first at or before it.

    A day begins at the zone's midnight, or where the clock is put past midnight right then; a week
    on Monday. An hour that comes twice, as clocks are put back, is two hours. Without an interval
    there is one, since the beginning.

    Raises:
        InvalidInputError: there are over 10,000, or the interval is unknown.

    """
    if interval is None:
        return [BEGINNING]
    if interval not in INTERVALS:
        raise InvalidInputError(f"interval: {interval!r} is none of {', '.join(INTERVALS)}")
    width = _OF_A_DAY.get(interval) or _LONG[interval]
    if (range_.end - range_.start) / width > MOST_INTERVALS:
        raise InvalidInputError(
            f"interval: {interval} makes over {MOST_INTERVALS} rows of this range; "
            "take a longer one, or shorten the range"
        )
    days = _days(range_, interval, zone)
    if interval in _LONG:
        edges = [_instant(day, zone) for day in days]
    else:
        edges = [edge for day in days for edge in _within(day, width, zone)]
    inside = sorted({edge for edge in edges if range_.start < edge < range_.end})
    return [max(edge for edge in edges if edge <= range_.start), *inside]


def _days(range_: TimeRange, interval: str, zone: ZoneInfo) -> Iterator[date]:
    """Yield the first days of the intervals, from one that begins before the range on."""
    # Two days, because one may have been skipped, as in Samoa in 2011.
    day = range_.start.astimezone(zone).date() - 2 * _DAY
    end = range_.end.astimezone(zone).date()
    if interval == "1w":
        day -= day.weekday() * _DAY
    if interval == "1mo":
        day = day.replace(day=1)
    while day <= end:
        yield day
        if interval == "1mo":
            day = (day + 31 * _DAY).replace(day=1)
        else:
            day += 7 * _DAY if interval == "1w" else _DAY


def _instant(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _within(day: date, width: timedelta, zone: ZoneInfo) -> Iterator[datetime]:
    edge, end = _instant(day, zone), _instant(day + _DAY, zone)
    # On a day with a change of clocks an hour need not be a whole number of hours from midnight.
    changes = end - edge != _DAY
    step = min(width, _QUARTER_HOUR) if changes else width
    while edge < end:
        if not changes or not _since_midnight(edge.astimezone(zone)) % width:
            yield edge
        edge += step


def _since_midnight(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
