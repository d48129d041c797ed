"""Prices from the data that is bundled with the genai-prices library."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Final, NamedTuple

from genai_prices.data import providers as bundled_providers
from genai_prices.types import (
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TimeOfDateConstraint,
)

from observatory_store.pricing.pricer import Price, Usage
from observatory_store.pricing.providers import provider_id
from observatory_store.pricing.rates import FREE, TieredRates, tiered_rates

CACHED_LOOKUPS: Final = 4096
"""Most combinations of a provider and two models that are remembered, those without price too."""

MAX_NAME: Final = 256
"""Longest name, in characters, that is looked up: no provider and no model has a longer one."""


class _Dated(NamedTuple):
    constraint: StartDateConstraint | TimeOfDateConstraint | None
    rates: TieredRates | None


class _Entry(NamedTuple):
    reference: str
    rates: TieredRates | None
    """Rates at any time, unless there are dated ones; None where the price is not stated."""
    dated: tuple[_Dated, ...] = ()
    """The first one whose constraint holds goes."""


class GenAIPrices:
    """Prices by the genai-prices library's bundled data, never by its automatic update.

    The library's own lookups are not used: they remember every name they meet, without bound, and
    take a provider's name for another's that it contains.
    """

    def __init__(self, providers: Sequence[Provider] = bundled_providers) -> None:
        self._providers = list(providers)
        self._by_id = {provider.id: provider for provider in providers}
        self._source = f"genai-prices:{version('genai-prices')}"
        self._entry = lru_cache(maxsize=CACHED_LOOKUPS)(self._find)

    def price(self, usage: Usage) -> Price | None:
        """Return the price, or None where it is not known: never 0 for that reason.

        It is not known without a provider or model that the data has, without both numbers of
        tokens (of an embedding, the input's), or with numbers that contradict each other.
        """
        read, write = usage.cache_read_tokens or 0, usage.cache_write_tokens or 0
        reasoning = usage.reasoning_tokens or 0
        total, output = usage.input_tokens, usage.output_tokens
        if output is None and usage.operation == "embeddings":
            output = 0
        if usage.provider is None or total is None or output is None:
            return None
        fresh, answer = total - read - write, output - reasoning
        if min(read, write, reasoning, fresh, answer) < 0:
            return None
        entry = self._entry(usage.provider, usage.response_model, usage.request_model)
        if entry is None:
            return None
        rates = _at(entry.dated, usage.time) if entry.dated else entry.rates
        if rates is None:
            return None
        cost = rates.for_input(total).cost(
            fresh=fresh, cache_read=read, cache_write=write, answer=answer, reasoning=reasoning
        )
        return None if cost is None else Price(cost, entry.reference)

    def _find(self, provider: str, response: str | None, request: str | None) -> _Entry | None:
        if len(provider) > MAX_NAME:
            return None
        found = self._by_id.get(provider_id(provider) or "")
        if found is None:
            return None
        for name in (response, request):
            if name and len(name) <= MAX_NAME:
                model = found.find_model(name, all_providers=self._providers)
                if model is not None:
                    return _entry(f"{self._source}/{found.id}/{model.id}", model)
        return None


def _entry(reference: str, model: ModelInfo) -> _Entry:
    if isinstance(model.prices, ModelPrice):
        return _Entry(reference, _stated(model, model.prices))
    dated = [_Dated(price.constraint, _stated(model, price.prices)) for price in model.prices]
    return _Entry(reference, None, (*reversed(dated), *_fallback(model.prices, dated)))


def _fallback(prices: Sequence[ConditionalPrice], dated: Sequence[_Dated]) -> tuple[_Dated, ...]:
    """Return the price where no constraint holds: the first one, as in genai-prices."""
    return (_Dated(None, dated[0].rates),) if prices else ()


def _stated(model: ModelInfo, price: ModelPrice) -> TieredRates | None:
    if any(value is not None for value in vars(price).values()):
        return tiered_rates(price)
    # An empty price says nothing of models whose name does not: some are sold by other units.
    return FREE if model.id.endswith(":free") else None


def _at(dated: Sequence[_Dated], time: datetime) -> TieredRates | None:
    try:
        for constraint, rates in dated:
            if constraint is None or constraint.active(time):
                return rates
    except OverflowError:  # a time at the calendar's end, in a zone that leads past it
        return None
    return None
