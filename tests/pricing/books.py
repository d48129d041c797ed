"""Prices and usages for tests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from observatory_store.pricing import DatabasePrices, Price, PriceRow, Tariff, Usage

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
"""A Wednesday."""


class NoPrices:
    """A pricer that knows nothing."""

    def price(self, _: Usage) -> Price | None:
        """Return None."""
        return None


def tariff(**fields: Any) -> Tariff:
    """Return a tariff with rates in US dollars for a million tokens (for one call or search)."""
    return Tariff(**in_tokens(fields))


def in_tokens(fields: dict[str, Any]) -> dict[str, Any]:
    """Return rates for a million tokens as rates for one."""
    return {
        name: Decimal(value) / (1 if name in {"request", "web_search"} else 10**6)
        if isinstance(value, str)
        else value
        for name, value in fields.items()
    }


def row(number: int, prices: Tariff, **fields: Any) -> PriceRow:
    """Return a price of genai-prices for model `m` of provider `p`, or of the fields."""
    model = fields.pop("model", "m")
    defaults: dict[str, Any] = {
        "source": "genai-prices",
        "provider": "p",
        "names": (model,),
        "valid_from": None,
        "valid_to": None,
    }
    return PriceRow(price_id=number, model=model, tariff=prices, **{**defaults, **fields})


def book(rows: Iterable[PriceRow]) -> DatabasePrices:
    """Return a pricer that has these rows and nothing to fall back on."""
    prices = DatabasePrices(NoPrices())
    prices.use(rows)
    return prices


def usage(**fields: Any) -> Usage:
    """Return a call at noon of model `m` of provider `p`, without tokens."""
    defaults: dict[str, Any] = {
        "provider": "p",
        "request_model": "m",
        "time": NOON,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return Usage(**{**defaults, **fields})


def cost(prices: Tariff, **fields: Any) -> Decimal | None:
    """Return what a call costs by a tariff."""
    found = book([row(1, prices)]).price(usage(**fields))
    return None if found is None else found.cost_usd
