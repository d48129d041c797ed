"""Prices of the bundled data."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_UP, Context, Decimal, Inexact, localcontext
from importlib.metadata import version
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from observatory_store.pricing import GenAIPrices, Pricer, Usage, bundled
from observatory_store.pricing.providers import canonical, in_genai_prices
from observatory_store.rows import Span
from observatory_store.rows.provider import ALIASES, WELL_KNOWN

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PRICES: Pricer = GenAIPrices()


def cost(prices: Pricer = PRICES, /, **fields: Any) -> Decimal | None:
    """Return what a call costs, or None."""
    usage: dict[str, Any] = {"time": NOW, "provider": "openai"} | fields
    found = prices.price(Usage(**usage))
    return None if found is None else found.cost_usd


def fixed(*models: ModelInfo) -> GenAIPrices:
    """Return a pricer that knows one provider, `v`, with these models."""
    return GenAIPrices([Provider(id="v", name="V", api_pattern="", models=list(models))])


def model(prices: ModelPrice | list[ConditionalPrice], name: str = "m") -> ModelInfo:
    """Return a model with this price, found by its name only."""
    return ModelInfo(id=name, match=ClauseEquals(name), prices=prices)


def test_cached_tokens_of_openai_are_charged_once() -> None:
    """Cached tokens would be charged twice: as input, and again as cached.

    gpt-4o: $2.50 for a million input tokens, $1.25 cached, $10 output.
    1,000,003 input, 400,001 of them cached: 600,002 x 2.5 + 400,001 x 1.25 + 77 x 10, millionths.
    """
    assert cost(
        request_model="gpt-4o",
        input_tokens=1_000_003,
        cache_read_tokens=400_001,
        output_tokens=77,
        reasoning_tokens=33,
    ) == Decimal("2.00077625")


def test_cache_reads_and_writes_of_anthropic_are_charged_once() -> None:
    """Prompt caching would look more expensive than none.

    claude-sonnet-4-0: $3 input, $0.30 cache read, $3.75 cache write, $15 output.
    10,001 input = 1,234 fresh + 7,654 read + 1,113 written: 1,234 x 3 + 7,654 x 0.3 +
    1,113 x 3.75 + 321 x 15 = 3,702 + 2,296.2 + 4,173.75 + 4,815 millionths.
    """
    found = PRICES.price(
        Usage(
            provider="anthropic",
            response_model="claude-sonnet-4-20250514",
            time=NOW,
            input_tokens=10_001,
            cache_read_tokens=7_654,
            cache_write_tokens=1_113,
            output_tokens=321,
        )
    )
    assert found is not None
    assert found.cost_usd == Decimal("0.01498695")
    assert found.reference == f"genai-prices:{version('genai-prices')}/anthropic/claude-sonnet-4-0"


def test_reasoning_is_charged_once() -> None:
    """Reasoning tokens would be charged on top of the output that includes them."""
    fields = {"request_model": "o3", "input_tokens": 10, "output_tokens": 1000}
    assert cost(**fields, reasoning_tokens=900) == cost(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"provider": None, "request_model": "llama-3.3-70b"},
        {"provider": ""},
        {"provider": "nobody"},
        {"provider": "my-openai-proxy"},
        {"provider": "ibm.watsonx.ai"},
        {"provider": "openai" * 1000},
        {"request_model": None},
        {"request_model": ""},
        {"request_model": "no-such-model"},
        {"request_model": "gpt-4o" * 1000},
        {"request_model": "\ud800"},
        {"input_tokens": None},
        {"output_tokens": None},
        {"input_tokens": None, "output_tokens": None},
        {"input_tokens": -1},
        {"output_tokens": -1},
        {"cache_read_tokens": -1},
        {"cache_read_tokens": 101},
        {"cache_write_tokens": 101},
        {"cache_read_tokens": 60, "cache_write_tokens": 60},
        {"reasoning_tokens": 11},
    ],
)
def test_an_unknown_price_is_none(fields: dict[str, Any]) -> None:
    """Calls without a price would count as free, or as something made up."""
    known = {"request_model": "gpt-4o", "input_tokens": 100, "output_tokens": 10}
    assert cost(**known) is not None
    assert cost(**(known | fields)) is None


def test_a_free_model_costs_nothing() -> None:
    """A free model would be listed among those without a price."""
    fields = {"input_tokens": 5, "output_tokens": 5}
    assert cost(provider="openrouter", request_model="openai/gpt-oss-20b:free", **fields) == 0
    zero = ModelPrice(input_mtok=Decimal(0), output_mtok=Decimal(0))
    assert cost(fixed(model(zero)), provider="v", request_model="m", **fields) == 0


def test_a_model_without_stated_price_is_unknown() -> None:
    """A model that is sold by the song, or by the second, would count as free."""
    fields = {"provider": "v", "request_model": "m", "input_tokens": 5, "output_tokens": 5}
    assert cost(fixed(model(ModelPrice())), **fields) is None
    assert cost(fixed(model(ModelPrice(audio_hours=Decimal(1)))), **fields) is None
    assert cost(fixed(model(ModelPrice(input_mtok=Decimal(1)))), **fields) is None
    assert cost(fixed(model([])), **fields) is None


def test_an_embedding_needs_no_output() -> None:
    """Embeddings, which report no output tokens, would never have a price."""
    fields = {"operation": "embeddings", "input_tokens": 1000}
    assert cost(request_model="text-embedding-3-small", **fields) == Decimal("0.00002")
    assert cost(provider="mistral_ai", request_model="mistral-embed", **fields) == Decimal("0.0001")


def test_the_answering_model_goes_before_the_requested_one() -> None:
    """A router's calls would be priced by the alias that was asked for."""
    fields = {"input_tokens": 1000, "output_tokens": 0}
    mini = cost(request_model="gpt-4o-mini", **fields)
    assert cost(request_model="gpt-4o", response_model="gpt-4o-mini", **fields) == mini
    assert cost(request_model="gpt-4o-mini", response_model="my-deployment", **fields) == mini


def test_a_long_input_is_priced_by_its_tier() -> None:
    """Long prompts would be priced too low, or only their excess by the higher rate."""
    prices = fixed(
        model(
            ModelPrice(
                input_mtok=TieredPrices(base=Decimal(1), tiers=[Tier(100, Decimal(2))]),
                cache_read_mtok=TieredPrices(base=Decimal("0.5"), tiers=[Tier(50, Decimal(1))]),
                output_mtok=Decimal(10),
            )
        )
    )
    fields = {"provider": "v", "request_model": "m", "output_tokens": 1, "cache_read_tokens": 10}
    assert cost(prices, input_tokens=50, **fields) == Decimal("0.000055")
    assert cost(prices, input_tokens=100, **fields) == Decimal("0.000110")
    assert cost(prices, input_tokens=101, **fields) == Decimal("0.000202")


def test_the_price_is_that_of_the_calls_own_time() -> None:
    """History would change with every change of a price."""
    prices = fixed(
        model(
            [
                ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(1))),
                ConditionalPrice(
                    StartDateConstraint(NOW.date()), prices=ModelPrice(input_mtok=Decimal(2))
                ),
                ConditionalPrice(
                    TimeOfDateConstraint(
                        NOW.timetz().replace(hour=20), NOW.timetz().replace(hour=21)
                    ),
                    prices=ModelPrice(input_mtok=Decimal(4)),
                ),
            ]
        )
    )
    fields = {"provider": "v", "request_model": "m", "input_tokens": 10**6, "output_tokens": 0}
    assert cost(prices, time=NOW - timedelta(days=1), **fields) == 1
    assert cost(prices, time=NOW, **fields) == 2
    assert cost(prices, time=NOW.replace(hour=20), **fields) == 4
    assert cost(prices, time=NOW.replace(tzinfo=None), **fields) == 2
    at_the_end = datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))
    assert cost(prices, time=at_the_end, **fields) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("aws.bedrock", "aws"),
        ("azure.ai.openai", "azure"),
        ("azure.ai.inference", "azure"),
        ("gcp.vertex_ai", "google"),
        ("gcp.gemini", "google"),
        ("gcp.gen_ai", "google"),
        ("x_ai", "x-ai"),
        ("mistral_ai", "mistral"),
        ("moonshot_ai", "moonshotai"),
        ("OpenAI", "openai"),
        ("together-ai", "together"),
        ("groq", "groq"),
    ],
)
def test_the_conventions_names_lead_to_a_provider(name: str, expected: str) -> None:
    """All calls to one provider would be without a price."""
    provider = next(provider for provider in providers if provider.id == expected)
    known = next(
        model.id
        for model in provider.models
        if isinstance(model.prices, ModelPrice)
        and {"input_mtok", "output_mtok"} <= vars(model.prices).keys()
        and provider.find_model(model.id) is model
    )
    found = PRICES.price(
        Usage(provider=name, request_model=known, time=NOW, input_tokens=1, output_tokens=1)
    )
    assert found is not None
    assert f"/{expected}/" in found.reference


def test_the_providers_of_the_data_keep_apart() -> None:
    """One of two providers with one name would be priced by the other's prices."""
    names = [canonical(provider.id) for provider in providers]
    assert len(set(names)) == len(names)
    assert all(canonical(name) == name == in_genai_prices(name) for name in names)
    assert all(canonical(name) == name for name in (*WELL_KNOWN, *ALIASES.values()))


_PRICED = [(p, m) for p in providers for m in p.models if p.find_model(m.id) is m]


@settings(max_examples=300)
@given(st.sampled_from(_PRICED), st.lists(st.integers(0, 300_000), min_size=5, max_size=5))
def test_prices_agree_with_the_library(
    priced: tuple[Provider, ModelInfo], tokens: list[int]
) -> None:
    """A new version of the library that prices by another rule would be noticed in an invoice."""
    provider, info = priced
    fresh, read, write, answer, reasoning = tokens
    counts = {"cache_read_tokens": read, "cache_write_tokens": write}
    counts |= {"input_tokens": fresh + read + write, "output_tokens": answer + reasoning}
    found = cost(provider=provider.id, request_model=info.id, reasoning_tokens=reasoning, **counts)
    if found is None or info.id.endswith(":free"):
        return
    expected = genai_prices.calc_price(
        genai_prices.Usage(output_reasoning_tokens=reasoning, **counts),
        info.id,
        provider_id=provider.id,
        genai_request_timestamp=NOW,
    )
    assert found == expected.total_price


def test_most_of_the_data_has_a_price() -> None:
    """A new version of the library with another layout would leave every call without a price."""
    tokens = {"input_tokens": 10, "output_tokens": 1}
    priced = [cost(provider=p.id, request_model=m.id, **tokens) is not None for p, m in _PRICED]
    assert sum(priced) > 0.9 * len(priced)


def test_the_callers_decimal_context_does_not_matter() -> None:
    """A process with its own decimal settings would store rounded prices, or none."""
    fields = {"request_model": "gpt-4o", "input_tokens": 123_457, "output_tokens": 789}
    expected = cost(**fields)
    with localcontext(Context(prec=2, rounding=ROUND_UP, traps=[Inexact])):
        assert cost(GenAIPrices(), **fields) == expected
    assert isinstance(expected, Decimal)


def test_distinct_names_do_not_fill_the_memory() -> None:
    """A client that invents model names would use up the service's memory."""
    prices = fixed(model(ModelPrice(input_mtok=Decimal(1))))
    for number in range(bundled.CACHED_LOOKUPS + 100):
        assert (
            cost(prices, provider="v", request_model=f"{number}", input_tokens=1, output_tokens=1)
            is None
        )
    assert prices._entry.cache_info().currsize == bundled.CACHED_LOOKUPS


def test_no_warning_escapes() -> None:
    """The service's log would fill with the library's warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cost(GenAIPrices(), request_model="gpt-4o", input_tokens=1, output_tokens=1)


def test_usage_of_a_span() -> None:
    """A class of tokens that is left behind would make a call cheaper or dearer than it was."""
    span = Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=NOW,
        provider="openai",
        request_model="r",
        response_model="s",
        operation="chat",
        input_tokens=1,
        output_tokens=2,
        cache_read_tokens=3,
        cache_write_tokens=4,
        reasoning_tokens=5,
    )
    assert Usage.of(span) == Usage(
        provider="openai",
        request_model="r",
        response_model="s",
        operation="chat",
        time=NOW,
        input_tokens=1,
        output_tokens=2,
        cache_read_tokens=3,
        cache_write_tokens=4,
        reasoning_tokens=5,
    )
