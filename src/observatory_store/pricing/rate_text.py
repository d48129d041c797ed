"""Prices as a person writes them: ``input=2.50``, for a million tokens."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from observatory_store.pricing.cost import EXACT
from observatory_store.pricing.tariff import (
    CLASSES,
    PER_CALL,
    ContextTier,
    ServiceTier,
    Tariff,
    check_tariff,
)

_MILLION: Final = -6
_MOST_DIGITS: Final = 12


def read_rates(texts: Iterable[str]) -> Tariff:
    """Return the tariff of rates in US dollars, for a million tokens or for one call or search.

    Each is ``CLASS=USD``; ``200000.CLASS`` is the rate of calls with more input tokens than that,
    ``batch.CLASS`` that of a service tier, ``batch.200000.CLASS`` both.

    >>> read_rates(["input=2.50", "batch.input=1.25"]).service_tiers["batch"].input
    Decimal('0.00000125')

    Raises:
        ValueError: one of them is not written so, or cannot be a rate.

    """
    parts: dict[str, dict[int, dict[str, Decimal]]] = {"": {}}
    for text in texts:
        tier, above, name, rate = _read(text)
        rates = parts.setdefault(tier, {}).setdefault(above, {})
        if name in rates:
            raise ValueError(f"{text!r}: that rate is given twice")
        rates[name] = rate
    tiers = {name: ServiceTier(**_part(part)) for name, part in parts.items() if name}
    return check_tariff(Tariff(**_part(parts[""]), service_tiers=tiers))


def per_million(name: str, rate: Decimal) -> Decimal:
    """Return a rate as a person reads it: for a million tokens, or for one call or search."""
    return rate if name in PER_CALL else EXACT.scaleb(rate, -_MILLION)


def _part(part: dict[int, dict[str, Decimal]]) -> dict[str, Any]:
    tiers = tuple(ContextTier(above=above, **part[above]) for above in sorted(part) if above)
    return {**part.get(0, {}), "context_tiers": tiers}


def _read(text: str) -> tuple[str, int, str, Decimal]:
    key, _, amount = text.partition("=")
    *where, name = key.strip().lower().split(".")
    if name not in CLASSES:
        raise ValueError(f"{text!r} is no rate: write CLASS=USD, of {', '.join(CLASSES)}")
    above = int(where.pop()) if where and _is_count(where[-1]) else 0
    tier = where.pop() if where else ""
    if where:
        raise ValueError(f"{text!r} is no rate: write CLASS=USD, batch.CLASS=USD, 200000.CLASS=USD")
    try:
        rate = Decimal(amount.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r}: {amount!r} is no number") from None
    return tier, above, name, rate if name in PER_CALL else EXACT.scaleb(rate, _MILLION)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
