"""What a call costs by a tariff, exactly."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from observatory_store.pricing.pricer import Usage
from observatory_store.pricing.tariff import CLASSES, Hours, Rates, ServiceTier, Tariff

EXACT: Final = Context(prec=60, traps=[])
"""Its own context, so that no precision or trap that the process sets can round or fail a price."""

_ZERO: Final = Decimal(0)
_UNKNOWN: Final = Decimal("NaN")
"""A rate that nobody states: what has it in its sum is no cost."""
_STANDARD: Final = ""
_STANDARD_TIERS: Final = frozenset(
    {"", "auto", "default", "on_demand", "on-demand", "standard", "standard_only"}
)
"""What providers call the service that nothing was asked for."""

_Ladder: TypeAlias = tuple[tuple[int, Decimal], ...]
"""Rates above so many input tokens, ascending."""
_Ladders: TypeAlias = Mapping[str, _Ladder]
"""For each class."""


class Amounts(NamedTuple):
    """How much of what a call used."""

    classes: tuple[int, int, int, int, int, int]
    """Of each of ``_CLASSES``; they do not overlap."""
    total_input: int
    parts: tuple[int, int, int, int] | None
    """Of each of ``_PARTS``, which input and output include; None if there are none."""


_CLASSES: Final = ("input", "cache_read", "cache_write", "output", "reasoning", "web_search")
_PARTS: Final = ("input_audio", "input_image", "output_audio", "output_image")
_INHERITED: Final = {"cache_read": "input", "cache_write": "input", "reasoning": "output"}


def amounts(usage: Usage) -> Amounts | None:
    """Return what was used, or None if it is not known or its numbers contradict each other."""
    total, output = usage.input_tokens, usage.output_tokens
    if output is None and usage.operation == "embeddings":
        output = 0
    if total is None or output is None:
        return None
    read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
    reasoning, searches = usage.reasoning_tokens or 0, usage.web_search_requests or 0
    fresh, answer = total - read - write, output - reasoning
    if read < 0 or write < 0 or reasoning < 0 or fresh < 0 or answer < 0 or searches < 0:
        return None
    classes = (fresh, read, write, answer, reasoning, searches)
    parts = (
        usage.input_audio_tokens or 0,
        usage.input_image_tokens or 0,
        usage.output_audio_tokens or 0,
        usage.output_image_tokens or 0,
    )
    if parts == _NO_PARTS:
        return Amounts(classes, total, None)
    if min(parts) < 0 or parts[0] + parts[1] > total or parts[2] + parts[3] > answer:
        return None
    return Amounts(classes, total, parts)


_NO_PARTS: Final = (0, 0, 0, 0)


class _Effective(NamedTuple):
    """Rates of one tier at one time."""

    request: Decimal
    classes: tuple[Decimal | None, ...]
    """For each of ``_CLASSES``, those that inherit one filled in."""
    parts: tuple[Decimal | None, ...]
    """For each of ``_PARTS``, its own or None."""

    def cost(self, used: Amounts) -> Decimal | None:
        total, classes = self.request, used.classes
        if used.parts is not None:
            fresh, read, write, answer, *others = classes
            charged = [
                0 if rate is None else tokens
                for tokens, rate in zip(used.parts, self.parts, strict=True)
            ]
            heard_and_seen = charged[0] + charged[1]
            if heard_and_seen and (read or write):
                return None  # how many of these tokens were cached, nobody says
            for tokens, rate in zip(charged, self.parts, strict=True):
                if tokens and rate is not None:
                    total = EXACT.fma(rate, tokens, total)
            classes = (
                fresh - heard_and_seen,
                read,
                write,
                answer - charged[2] - charged[3],
                others[0],
                others[1],
            )
        for tokens, rate in zip(classes, self.classes, strict=True):
            if tokens:
                if rate is None:
                    return None
                total = EXACT.fma(rate, tokens, total)
        return None if total.is_nan() else total


class _Tiered(NamedTuple):
    base: _Effective
    tiers: tuple[tuple[int, _Effective], ...]
    """(above, rates), the highest first."""

    def cost(self, used: Amounts) -> Decimal | None:
        if self.tiers:
            for above, rates in self.tiers:
                if used.total_input > above:
                    return rates.cost(used)
        return self.base.cost(used)


class CompiledTariff:
    """A tariff made ready for use; it never changes."""

    __slots__ = ("_every_tier", "_hours", "_services")

    def __init__(self, tariff: Tariff, *, every_tier: bool = False) -> None:
        """With ``every_tier``, a service tier that the tariff does not name costs the standard."""
        self._every_tier = every_tier
        standard = _ladders(tariff)
        tiers = {name.lower(): _ladders(tier) for name, tier in tariff.service_tiers.items()}
        self._services = _services(standard, tiers)
        self._hours: tuple[tuple[Hours, dict[str, _Tiered]], ...] = tuple(
            (hours, _services(_over(standard, _ladders(hours)), tiers)) for hours in tariff.hours
        )

    def cost(self, used: Amounts, time: datetime, service_tier: str | None) -> Decimal | None:
        """Return the cost in US dollars, or None where the tariff does not tell it."""
        services = self._services
        if self._hours:
            try:
                time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            except OverflowError:  # a time at the calendar's end, in a zone that leads past it
                return None
            for hours, rates in self._hours:
                if hours.include(time.isoweekday(), time.time()):
                    services = rates
                    break
        tier = services.get(_STANDARD if service_tier is None else _tier(service_tier))
        if tier is None:
            if not self._every_tier:
                return None
            tier = services[_STANDARD]
        return tier.cost(used)


def _tier(name: str) -> str:
    name = name.lower()
    return _STANDARD if name in _STANDARD_TIERS else name


def _ladders(part: ServiceTier) -> _Ladders:
    tiers = sorted(part.context_tiers, key=lambda tier: tier.above)
    steps: list[tuple[int, Rates]] = [(0, part), *((tier.above, tier) for tier in tiers)]
    found = {
        name: tuple(
            (above, rate) for above, rates in steps if (rate := getattr(rates, name)) is not None
        )
        for name in CLASSES
    }
    return {name: ladder for name, ladder in found.items() if ladder}


def _services(standard: _Ladders, tiers: Mapping[str, _Ladders]) -> dict[str, _Tiered]:
    return {
        _STANDARD: _tiered(standard),
        **{name: _tiered(_over(standard, tier)) for name, tier in tiers.items()},
    }


def _over(standard: _Ladders, special: _Ladders) -> _Ladders:
    """Return the standard rates with the special ones instead.

    Where the standard rate of long contexts is another and the special one is not stated, it is not
    known: neither the special rate of short ones nor the standard rate is right.
    """
    return {
        **standard,
        **{name: _stepped(standard.get(name, ()), ladder) for name, ladder in special.items()},
    }


def _stepped(standard: _Ladder, special: _Ladder) -> _Ladder:
    stated = {above for above, _ in special}
    unknown = ((above, _UNKNOWN) for above, _ in standard if above and above not in stated)
    return tuple(sorted((*special, *unknown), key=itemgetter(0)))


def _tiered(ladders: _Ladders) -> _Tiered:
    starts = {above for ladder in ladders.values() for above, _ in ladder if above}
    return _Tiered(
        _effective(ladders, 0),
        tuple((above, _effective(ladders, above)) for above in sorted(starts, reverse=True)),
    )


def _effective(ladders: _Ladders, above: int) -> _Effective:
    own = {
        name: next((value for start, value in reversed(ladder) if start <= above), None)
        for name, ladder in ladders.items()
    }
    classes = (
        own.get(_INHERITED.get(name, name)) if own.get(name) is None else own[name]
        for name in _CLASSES
    )
    return _Effective(
        request=own.get("request") or _ZERO,
        classes=tuple(classes),
        parts=tuple(own.get(name) for name in _PARTS),
    )
