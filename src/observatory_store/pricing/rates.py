"""The price of a token of each class, and what a call costs by it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Final

from genai_prices.types import ModelPrice, TieredPrices

# Its own context, so that no precision or trap that the process sets can round or fail a price.
_EXACT: Final = Context(prec=60, traps=[])
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars for one token of each class; None where no price is stated."""

    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None
    reasoning: Decimal | None
    request: Decimal
    """US dollars for the call itself."""

    def cost(
        self, *, fresh: int, cache_read: int, cache_write: int, answer: int, reasoning: int
    ) -> Decimal | None:
        """Return the cost of disjoint numbers of tokens, or None if one of them has no price."""
        total = self.request
        for tokens, rate in (
            (fresh, self.input),
            (cache_read, self.cache_read),
            (cache_write, self.cache_write),
            (answer, self.output),
            (reasoning, self.reasoning),
        ):
            if tokens:
                if rate is None:
                    return None
                total = _EXACT.fma(rate, tokens, total)
        return total


@dataclass(frozen=True, slots=True)
class TieredRates:
    """Rates that depend on how long the input is: all of a call is priced by one tier."""

    base: Rates
    tiers: tuple[tuple[int, Rates], ...] = ()
    """(start, rates), the highest start first: for more than ``start`` input tokens."""

    def for_input(self, tokens: int) -> Rates:
        """Return the rates for a call with so many input tokens."""
        for start, rates in self.tiers:
            if tokens > start:
                return rates
        return self.base


def tiered_rates(price: ModelPrice) -> TieredRates:
    """Return the rates of a price of genai-prices.

    Tokens of a class without its own price are priced as the class that includes them: cached ones
    as input, reasoning as output. Tokens are taken as text; searches and other extras of a call
    are not counted, because telemetry does not say them.
    """
    starts = {
        tier.start
        for value in vars(price).values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    }
    return TieredRates(
        _rates(price, None),
        tuple((start, _rates(price, start)) for start in sorted(starts, reverse=True)),
    )


def _rates(price: ModelPrice, start: int | None) -> Rates:
    def rate(key: str, exponent: int = -6) -> Decimal | None:
        value = vars(price).get(key)
        if isinstance(value, TieredPrices):
            reached = [t for t in value.tiers if start is not None and t.start <= start]
            value = max(reached, key=lambda tier: tier.start).price if reached else value.base
        return None if value is None else _EXACT.scaleb(value, exponent)

    input_rate, output_rate = rate("input_mtok"), rate("output_mtok")
    cache_read, cache_write = rate("cache_read_mtok"), rate("cache_write_mtok")
    reasoning = rate("output_reasoning_mtok")
    return Rates(
        input=input_rate,
        output=output_rate,
        cache_read=input_rate if cache_read is None else cache_read,
        cache_write=input_rate if cache_write is None else cache_write,
        reasoning=output_rate if reasoning is None else reasoning,
        request=rate("requests_kcount", -3) or _ZERO,
    )


FREE: Final = TieredRates(
    Rates(
        input=_ZERO,
        output=_ZERO,
        cache_read=_ZERO,
        cache_write=_ZERO,
        reasoning=_ZERO,
        request=_ZERO,
    )
)
"""Of a model that its vendor offers for nothing."""
