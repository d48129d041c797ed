"""Times as people write them on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from observatory_store.errors import InvalidInputError
from observatory_store.repositories import TimeRange

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_range(start: str, end: str, now: datetime | None = None) -> TimeRange:
    """Return the range from ``start`` to ``end``; see :func:`parse_time`.

    Raises:
        InvalidInputError: one of them is no time, or the range is empty.

    """
    now = now or datetime.now(UTC)
    return TimeRange(parse_time(start, now), parse_time(end, now))


def parse_time(text: str, now: datetime) -> datetime:
    """Return the time that is ``now``, so long ago (``90m``, ``24h``, ``7d``), or RFC 3339.

    Raises:
        InvalidInputError: it is none of these.

    """
    if text == "now":
        return now
    try:
        if _AGO.fullmatch(text):
            return now - parse_duration(text)
        time = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"{text!r} is no time: write 2026-01-31T12:00:00Z, or how long ago, as 90m, 24h or 7d"
        ) from None
    if time.tzinfo is None:
        raise InvalidInputError(f"{text!r} lacks a time zone: write 2026-01-31T12:00:00Z")
    return time.astimezone(UTC)


def parse_duration(text: str) -> timedelta:
    """Return the duration written as ``90m``, ``24h``, ``7d`` or ``4w``.

    Raises:
        InvalidInputError: it is not written so.

    """
    found = _AGO.fullmatch(text)
    if found is None:
        raise InvalidInputError(f"{text!r} is no duration: write 90m, 24h, 7d or 4w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
