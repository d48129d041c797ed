"""Prices from the data that is bundled with the genai-prices library."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Final, NamedTuple

from genai_prices.data import providers as bundled_providers
from genai_prices.types import Provider

from observatory_store.pricing.cost import CompiledTariff, amounts
from observatory_store.pricing.genai import timeline
from observatory_store.pricing.names import MAX_NAME
from observatory_store.pricing.pricer import Price, Usage
from observatory_store.pricing.providers import canonical, in_genai_prices, maker

CACHED_LOOKUPS: Final = 4096
"""Most combinations of a provider and two models that are remembered, those without price too."""


class _Entry(NamedTuple):
    reference: str
    starts: tuple[datetime, ...]
    tariffs: tuple[CompiledTariff | None, ...]
    """One more than ``starts``; None where the price is not stated."""

    def at(self, time: datetime) -> CompiledTariff | None:
        if not self.starts:
            return self.tariffs[0]
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return self.tariffs[bisect_right(self.starts, time)]


class GenAIPrices:
    """Prices by the genai-prices library's bundled data, never by its automatic update.

    The library's own lookups are not used: they remember every name they meet, without bound, and
    take a provider's name for another's that it contains.
    """

    def __init__(self, providers: Sequence[Provider] = bundled_providers) -> None:
        self._providers = list(providers)
        self._by_name = {canonical(provider.id): provider for provider in providers}
        self._source = f"genai-prices:{version('genai-prices')}"
        self._entry = lru_cache(maxsize=CACHED_LOOKUPS)(self._find)

    def price(self, usage: Usage) -> Price | None:
        """Return the price, or None where it is not known: never 0 for that reason.

        It is not known without a provider (or a maker) and a model that the data has, without both
        numbers of tokens (of an embedding, the input's), or with numbers that contradict each
        other.
        """
        used = amounts(usage)
        if used is None:
            return None
        entry = self._entry(usage.provider, usage.response_model, usage.request_model)
        tariff = None if entry is None else entry.at(usage.time)
        if entry is None or tariff is None:
            return None
        cost = tariff.cost(used, usage.time, usage.service_tier)
        return None if cost is None else Price(cost, entry.reference)

    def _find(
        self, provider: str | None, response: str | None, request: str | None
    ) -> _Entry | None:
        wanted = [name for name in (response, request) if name and len(name) <= MAX_NAME]
        provider = maker(*wanted) if provider is None else provider
        if provider is None or len(provider) > MAX_NAME:
            return None
        found = self._by_name.get(in_genai_prices(provider)) or self._by_name.get(
            canonical(provider)
        )
        if found is None:
            return None
        for name in wanted:
            model = found.find_model(name, all_providers=self._providers)
            if model is not None:
                segments = timeline(model)
                return _Entry(
                    f"{self._source}/{found.id}/{model.id}",
                    tuple(segment.start for segment in segments if segment.start),
                    tuple(
                        None if segment.tariff is None else CompiledTariff(segment.tariff)
                        for segment in segments
                    ),
                )
        return None
