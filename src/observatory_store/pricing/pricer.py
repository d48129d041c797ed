"""The question and the answer of pricing, and who can answer it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Protocol

import msgspec

from observatory_store.rows import Span


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one call of a model used."""

    provider: str | None
    request_model: str | None = None
    response_model: str | None = None
    """Goes before ``request_model``, which is priced only where this has no price."""
    operation: str | None = None
    time: datetime
    """When the call started: prices change with time."""
    input_tokens: int | None = None
    """Includes ``cache_read_tokens`` and ``cache_write_tokens``."""
    output_tokens: int | None = None
    """Includes ``reasoning_tokens``."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @classmethod
    def of(cls, span: Span) -> Usage:
        """Return what a span used. Only a span that ``is_inference`` should be priced."""
        return cls(
            provider=span.provider,
            request_model=span.request_model,
            response_model=span.response_model,
            operation=span.operation,
            time=span.start_time,
            input_tokens=span.input_tokens,
            output_tokens=span.output_tokens,
            cache_read_tokens=span.cache_read_tokens,
            cache_write_tokens=span.cache_write_tokens,
            reasoning_tokens=span.reasoning_tokens,
        )


class Price(msgspec.Struct, frozen=True):
    """What it cost, exactly, and by which price."""

    cost_usd: Decimal
    reference: str
    """Where the price is from, for example ``genai-prices:0.2.3/openai/gpt-4o``."""


class Pricer(Protocol):
    """Anything that knows prices."""

    def price(self, usage: Usage) -> Price | None:
        """Return the price, or None where it is not known. Never raises."""
        ...
