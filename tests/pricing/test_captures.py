"""What calls of real libraries cost, by the bundled prices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from llm.captures import calls
from observatory_store.pricing import GenAIPrices, Usage

CLAUDE = "0.0024192"
"""24 x $3 + 512 written x $3.75 + 1,024 read x $0.30 + 8 x $15 a million: claude-sonnet-4-5."""


@pytest.mark.parametrize(
    ("name", "provider", "expected"),
    [
        ("vercel_v5/anthropic_cached", "anthropic", CLAUDE),
        ("vercel_v5/anthropic_cached_stream", "anthropic", CLAUDE),
        ("logfire_v4/anthropic_cached", None, CLAUDE),
        # 24 x $0.15 + 8 x $0.60 a million: gpt-4o-mini.
        ("langfuse/chat", None, "0.0000084"),
        # 6 x $0.02 a million: text-embedding-3-small.
        ("litellm/embeddings", None, "0.00000012"),
    ],
)
def test_what_a_call_costs(name: str, provider: str | None, expected: str) -> None:
    """Users of that library would see no cost, or a fraction of it."""
    (call,) = calls(name)
    found = GenAIPrices().price(Usage.of(call))
    assert found is not None
    assert (call.provider, found.cost_usd) == (provider, Decimal(expected))
