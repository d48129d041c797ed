"""Which row of the price table a call is charged by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

import msgspec

from observatory_store.pricing import names
from observatory_store.pricing.cost import CompiledTariff, amounts
from observatory_store.pricing.pricer import Price, Pricer, Usage
from observatory_store.pricing.providers import ANY, RELATED, canonical, maker
from observatory_store.pricing.tariff import Tariff

USER: Final = "user"
SOURCES: Final = (USER, "genai-prices", "litellm")
"""Whose prices go first. genai-prices is before LiteLLM because its prices have dates."""

CACHED_LOOKUPS: Final = 4096
"""Most combinations of a provider and two models that are remembered, those without price too."""


class PriceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``prices``, as far as it decides a cost."""

    price_id: int
    source: str
    provider: str
    model: str
    names: tuple[str, ...]
    valid_from: datetime | None
    """None: since ever."""
    valid_to: datetime | None
    """Not included; None: until further notice."""
    tariff: Tariff


class _Candidate:
    """A row, compiled when it is first used: most never are."""

    __slots__ = ("_compiled", "_row", "is_users", "reference", "valid_from", "valid_to")

    def __init__(self, row: PriceRow) -> None:
        self._row = row
        self._compiled: CompiledTariff | None = None
        self.valid_from, self.valid_to = row.valid_from, row.valid_to
        self.is_users = row.source == USER
        self.reference = f"price:{row.price_id}"

    @property
    def tariff(self) -> CompiledTariff:
        if self._compiled is None:
            self._compiled = CompiledTariff(self._row.tariff, every_tier=self.is_users)
        return self._compiled

    def covers(self, time: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= time) and (
            self.valid_to is None or time < self.valid_to
        )


_Group: TypeAlias = tuple[_Candidate, ...]
"""Rows of one source for one name; the first that covers the time goes."""


class _Shelf:
    """The rows of one source for one provider."""

    def __init__(self) -> None:
        self._exact: dict[str, list[_Candidate]] = defaultdict(list)
        self._patterns: list[tuple[int, names.Pattern, list[names.Pattern], _Candidate]] = []

    def add(self, row: PriceRow) -> None:
        candidate = _Candidate(row)
        exact, patterns, excluded = names.split(row.names)
        for name in dict.fromkeys(exact):
            self._exact[name].append(candidate)
        without = [names.compile_pattern(pattern) for pattern in excluded]
        for pattern in patterns:
            self._patterns.append(
                (names.specificity(pattern), names.compile_pattern(pattern), without, candidate)
            )

    def sort(self) -> None:
        """Put what fixes more of a name first. To be called once all rows are added."""
        self._patterns.sort(key=lambda entry: -entry[0])

    def find(self, name: str) -> _Group:
        spellings = list(names.spellings(name))
        found = [row for spelling in spellings for row in self._exact.get(spelling, ())]
        found += [
            row
            for _, pattern, without, row in self._patterns
            if any(map(pattern.fullmatch, spellings))
            and not any(other.fullmatch(spelling) for other in without for spelling in spellings)
        ]
        return tuple(found)


class PriceBook:
    """The rows of the price table, for lookups. It never changes."""

    def __init__(self, rows: Iterable[PriceRow], fallback: Pricer) -> None:
        """``fallback`` is asked where no row tells the cost."""
        self._shelves: dict[tuple[str, str], _Shelf] = defaultdict(_Shelf)
        for row in rows:
            self._shelves[row.source, canonical(row.provider)].add(row)
        for shelf in self._shelves.values():
            shelf.sort()
        self._fallback = fallback
        self._groups = lru_cache(maxsize=CACHED_LOOKUPS)(self._find)

    def price(self, usage: Usage) -> Price | None:
        """Return the price, or None where it is not known: never 0 for that reason.

        The first of these rows that is in force at the time of the call and tells its cost: the
        user's for the response model, the user's for the request model, and so those that the user
        has for any provider; then of each source in the order of ``SOURCES`` that for the response
        model, and after them those for the request model. A row of the user's that does not tell
        the cost ends the search. A call that names no provider is one of the model's maker.
        """
        used = amounts(usage)
        if used is None:
            return None
        time = usage.time
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        for group in self._groups(usage.provider, usage.response_model, usage.request_model):
            for candidate in group:
                if candidate.covers(time):
                    cost = candidate.tariff.cost(used, time, usage.service_tier)
                    if cost is not None:
                        return Price(cost, candidate.reference)
                    if candidate.is_users:
                        return None
                    break
        return self._fallback.price(usage)

    def _find(
        self, provider: str | None, response: str | None, request: str | None
    ) -> tuple[_Group, ...]:
        wanted = [name for name in (response, request) if name and len(name) <= names.MAX_NAME]
        if provider is None:
            provider = maker(*wanted) or ANY
        if len(provider) > names.MAX_NAME:
            return ()
        groups = self._all(canonical(provider), list(dict.fromkeys(wanted)))
        return tuple(group for group in groups if group)

    def _all(self, provider: str, wanted: list[str]) -> Iterator[_Group]:
        for seller in dict.fromkeys((provider, ANY)):
            for name in wanted:
                yield self._group(USER, seller, name)
        for name in wanted:
            for seller in (provider, *RELATED.get(provider, ())):
                for source in SOURCES[1:]:
                    yield self._group(source, seller, name)

    def _group(self, source: str, provider: str, name: str) -> _Group:
        shelf = self._shelves.get((source, provider))
        return () if shelf is None else shelf.find(name)


class DatabasePrices:
    """Prices of the table, as last loaded, and the bundled ones where it has none.

    Made without rows; :meth:`use` may be called at any time, from any thread.
    """

    def __init__(self, fallback: Pricer) -> None:
        self._fallback: Final = fallback
        self._book = PriceBook((), fallback)

    def use(self, rows: Iterable[PriceRow]) -> None:
        """Take these rows instead of those before."""
        self._book = PriceBook(rows, self._fallback)

    def price(self, usage: Usage) -> Price | None:
        """Return the price; see :meth:`PriceBook.price`."""
        return self._book.price(usage)
