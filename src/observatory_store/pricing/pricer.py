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
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    web_search_requests: int | None = None
    service_tier: str | None = None

    @classmethod
    def of(cls, span: Span) -> Usage:
        """Return what a span used. Only a span that ``is_inference`` should be priced."""
        return cls(time=span.start_time, **{name: getattr(span, name) for name in _SPAN_FIELDS})


_SPAN_FIELDS = tuple(name for name in Usage.__struct_fields__ if name != "time")


class Price(msgspec.Struct, frozen=True):
    """What it cost, exactly, and by which price."""

    cost_usd: Decimal
    reference: str
    """Where it is from: ``price:17`` for a row of ``prices``, ``genai-prices:0.2.3/openai/gpt-4o``
    for the bundled data, ``sent`` for what the sender said."""


class Pricer(Protocol):
    """Anything that knows prices."""

    def price(self, usage: Usage) -> Price | None:
        """Return the price, or None where it is not known. Never raises."""
        ...
