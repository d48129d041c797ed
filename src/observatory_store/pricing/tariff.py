"""What a price says: US dollars for each class of tokens, with its tiers and hours."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Final

import msgspec

EVERY_DAY: Final = (1, 2, 3, 4, 5, 6, 7)


class Rates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """US dollars for one unit of each class; None where none is stated.

    Tokens of a class without a rate of its own are priced as the class that includes them: cached,
    audio and image input as input; reasoning, audio and image output as output.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    """Kept for the record: the store has one number of written tokens, however long they live."""
    reasoning: Decimal | None = None
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None
    input_image: Decimal | None = None
    output_image: Decimal | None = None
    request: Decimal | None = None
    """For the call itself."""
    web_search: Decimal | None = None
    """For one search of the web."""


class ContextTier(Rates, frozen=True, kw_only=True, omit_defaults=True):
    """Rates of a call, all of it, with more than ``above`` input tokens."""

    above: int


class ServiceTier(Rates, frozen=True, kw_only=True, omit_defaults=True):
    """Rates of one class of service, such as batch. What it does not state is as without it.

    A class of which it states some rates, but not those of a long context that costs otherwise
    without it, has none there.
    """

    context_tiers: tuple[ContextTier, ...] = ()


class Hours(ServiceTier, frozen=True, kw_only=True, omit_defaults=True):
    """Rates at certain hours, UTC. What it does not state is as at other hours."""

    start: time
    end: time
    """Not included. Not after ``start``: on the next day; midnight to midnight is all day."""
    days: tuple[int, ...] = EVERY_DAY
    """Days of the week on which a call starts at these hours; 1 is Monday."""

    def include(self, weekday: int, at: time) -> bool:
        """Tell whether a call of that day and time of day, UTC, is at these hours."""
        if weekday not in self.days:
            return False
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


class Tariff(ServiceTier, frozen=True, kw_only=True, omit_defaults=True):
    """The whole price of a model at one time: everything but whose it is and when."""

    service_tiers: dict[str, ServiceTier] = {}
    """By the name that providers give in telemetry: batch, flex, priority, …"""
    hours: tuple[Hours, ...] = ()
    """The first that includes the call goes, and its service tier's rates go before it."""


CLASSES: Final = Rates.__struct_fields__
"""The names of all rates."""

PER_CALL: Final = frozenset({"request", "web_search"})
_MOST: Final = Decimal("0.01")
"""No model costs as much; a price of a million tokens, given as that of one, nearly always does."""
_MOST_PER_CALL: Final = Decimal(1000)
_MOST_DIGITS, _MOST_PLACES = 30, 30


def check_rate(name: str, value: Decimal) -> Decimal:
    """Return a rate that can be one.

    Raises:
        ValueError: it is no number, negative, above 1 cent a token (1,000 US dollars a call), or
            has more than 30 digits or decimal places.

    """
    most = _MOST_PER_CALL if name in PER_CALL else _MOST
    if not value.is_finite():
        raise ValueError(f"{name} is {value}, no number")
    if value < 0:
        raise ValueError(f"{name} is negative: {value}")
    if value > most:
        unit = "call" if name in PER_CALL else "token"
        raise ValueError(f"{name} is absurd: over {most} USD a {unit}")
    parts = value.as_tuple()
    if len(parts.digits) > _MOST_DIGITS or -int(parts.exponent) > _MOST_PLACES:
        raise ValueError(f"{name} has over {_MOST_DIGITS} digits")
    return value


def check_tariff(tariff: Tariff) -> Tariff:
    """Return a tariff that can be one.

    Raises:
        ValueError: a rate cannot be one, or none is stated.

    """
    parts: list[ServiceTier] = [tariff, *tariff.service_tiers.values(), *tariff.hours]
    for part in parts:
        for rates in (part, *part.context_tiers):
            for name in CLASSES:
                value = getattr(rates, name)
                if value is not None:
                    check_rate(name, value)
    if all(getattr(tariff, name) is None for name in CLASSES):
        raise ValueError("a price states at least one rate")
    return tariff
