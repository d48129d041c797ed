"""Durations, money and times, as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

LEVELS = "▁▂▃▄▅▆▇█"

_MILLISECOND, _SECOND, _MINUTE = 1_000, 1_000_000, 60_000_000
_SMALL, _LEAST = Decimal("0.01"), Decimal("0.000001")


class Amount(str):
    """A number with its unit: text that stands right in its column."""

    __slots__ = ()


def duration(microseconds: float) -> Amount:
    """Return a duration with the unit that fits it.

    >>> duration(850), duration(12_345), duration(2_500_000), duration(150_000_000)
    ('850 µs', '12.3 ms', '2.50 s', '2.5 min')
    """
    if microseconds < _MILLISECOND:
        return Amount(f"{microseconds:.0f} µs")
    if microseconds < _SECOND:
        return Amount(f"{microseconds / _MILLISECOND:.3g} ms")
    if microseconds < _MINUTE:
        return Amount(f"{microseconds / _SECOND:.2f} s")
    return Amount(f"{microseconds / _MINUTE:.1f} min")


def money(usd: Decimal | None) -> Amount | None:
    """Return US dollars, with six decimals under a cent and four above; None stays None."""
    if usd is None:
        return None
    if 0 < usd < _LEAST:
        return Amount(f"<${_LEAST}")
    return Amount(f"${usd:.6f}" if 0 < usd < _SMALL else f"${usd:,.4f}")


def change(part: float | None) -> Amount | None:
    """Return by what part something changed, in %; None stays None.

    >>> change(0.5), change(-0.25), change(11)
    ('+50.0%', '-25.0%', '+1,100.0%')
    """
    return None if part is None else Amount(f"{part:+,.1%}")


def money_change(usd: Decimal) -> Amount:
    """Return by how many US dollars something changed, with its sign.

    >>> money_change(Decimal("0.5")), money_change(Decimal("-1234")), money_change(Decimal(0))
    ('+$0.5000', '-$1,234.0000', '$0.0000')
    """
    sign = "+" if usd > 0 else "-" if usd < 0 else ""
    decimals = 6 if 0 < abs(usd) < _SMALL else 4
    return Amount(f"{sign}${abs(usd):,.{decimals}f}")


def time(moment: datetime | None) -> str | None:
    """Return a time to the second, in UTC."""
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"


def time_range(start: datetime, end: datetime) -> str:
    """Return both ends of a range."""
    return f"{time(start)} to {time(end)}"


def bucket(start: datetime | None, interval: str | None, tz: str) -> str | None:
    """Return an interval's beginning by the clock of a zone: of a day, week or month its date.

    >>> start = datetime(2026, 11, 10, 23, tzinfo=UTC)
    >>> bucket(start, "1d", "Europe/Berlin"), bucket(start, "1h", "Europe/Berlin")
    ('2026-11-11', '2026-11-11 00:00+01:00')
    >>> bucket(start, "1h", "UTC")
    '2026-11-10 23:00Z'
    """
    if start is None:
        return None
    local = start.astimezone(ZoneInfo(tz))
    if interval in {"1d", "1w", "1mo"}:
        return f"{local:%Y-%m-%d}"
    text = local.isoformat(" ", "minutes")
    return text.removesuffix("+00:00") + "Z" if tz == "UTC" else text


def sparkline(values: Sequence[float]) -> str:
    """Return one character for each value, the higher the more.

    >>> sparkline([0, 5, 10])
    '▁▅█'
    """
    top = max(values, default=0) or 1
    return "".join(LEVELS[round(value / top * (len(LEVELS) - 1))] for value in values)
