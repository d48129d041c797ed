"""Which price a call is charged by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from observatory_store.pricing import DatabasePrices, GenAIPrices, Price, PriceRow, names
from observatory_store.pricing.book import CACHED_LOOKUPS
from observatory_store.pricing.tariff import ServiceTier

from .books import NOON, book, in_tokens, row, tariff, usage

ONE = tariff(input="1", output="1")


def chosen(rows: list[PriceRow], **fields: Any) -> str | None:
    """Return the reference of the price of a call of a million tokens."""
    found = book(rows).price(usage(**{"input_tokens": 10**6, **fields}))
    return None if found is None else found.reference


def test_two_changes_within_one_day() -> None:
    """A price that changed at 09:00 and at 15:00: a call is charged by the one of its start, to the
    microsecond. $1, $2 and $3 a million, a million tokens.
    """
    nine, fifteen = NOON - timedelta(hours=3), NOON + timedelta(hours=3)
    prices = book(
        [
            row(1, tariff(input="1"), valid_to=nine),
            row(2, tariff(input="2"), valid_from=nine, valid_to=fifteen),
            row(3, tariff(input="3"), valid_from=fifteen),
        ]
    )
    tick = timedelta(microseconds=1)
    times = [nine - tick, nine, fifteen - tick, fifteen, datetime(1970, 1, 1, tzinfo=UTC)]
    assert [prices.price(usage(time=time, input_tokens=10**6)) for time in times] == [
        Price(Decimal(1), "price:1"),
        Price(Decimal(2), "price:2"),
        Price(Decimal(2), "price:2"),
        Price(Decimal(3), "price:3"),
        Price(Decimal(1), "price:1"),
    ]


def test_the_users_price_goes_first() -> None:
    """Whoever has a contract pays by it, also where the response names the model more exactly."""
    mine = row(1, ONE, source="user")
    rows = [row(3, ONE, model="m-2026"), row(2, ONE, source="litellm"), row(4, ONE), mine]
    assert chosen(rows) == "price:1"
    assert chosen(rows, response_model="m-2026") == "price:1"
    assert chosen(rows, response_model="m-2026", request_model="x") == "price:3"


def test_the_response_model_goes_before_the_request_model() -> None:
    """An alias may have moved on to another model; what answered is what is charged."""
    rows = [row(1, ONE), row(2, ONE, model="m-2026", source="litellm")]
    assert chosen(rows, response_model="m-2026") == "price:2"
    assert chosen(rows, response_model="unknown") == "price:1"


def test_sources_go_in_their_order() -> None:
    """Which of two sources is right must not depend on which was synced last."""
    rows = [row(1, ONE, source="litellm"), row(2, ONE)]
    assert chosen(rows) == "price:2"


def test_a_source_that_does_not_tell_the_cost_is_passed_over() -> None:
    """One source knows what a batch costs, the other does not."""
    batch = tariff(input="1", service_tiers={"batch": ServiceTier(**in_tokens({"input": "0.5"}))})
    rows = [row(1, ONE), row(2, batch, source="litellm")]
    assert chosen(rows) == "price:1"
    assert chosen(rows, service_tier="batch") == "price:2"
    mine = [*rows, row(3, ONE, source="user")]
    assert chosen(mine, service_tier="batch") == "price:3"
    incomplete = [*rows, row(4, tariff(output="1"), source="user")]
    assert chosen(incomplete) is None


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-9", "price:1"),
        ("GPT-9", "price:1"),
        ("gpt-9-mini", "price:2"),
        ("gpt-9-mini-2026-01-01", "price:3"),
        ("gpt-9-mini-20260101", "price:3"),
        ("claude-9-20260101", "price:5"),
        ("claude-9-2026-01-01", "price:5"),
        ("claude-9@2026-01-01", None),
        ("claude-9-2026-13-01", None),
        ("gpt-9-mini-tts", "price:4"),
        ("gpt-9-max", "price:4"),
        ("my-gpt-9", None),
        ("gpt-9.", None),
        ("gpt\n-9-mini", None),
    ],
)
def test_names_and_patterns(model: str, expected: str | None) -> None:
    """The exact name goes first, then the pattern that fixes most of the name."""
    rows = [
        row(4, ONE, model="family", names=("gpt-9-*",)),
        row(3, ONE, model="dated", names=("gpt-9-mini-####-##-##",)),
        row(2, ONE, model="mini", names=("gpt-9-mini*", "!*-tts")),
        row(1, ONE, model="gpt-9"),
        row(5, ONE, model="claude-9-20260101"),
    ]
    assert chosen(rows, request_model=model) == expected


def test_what_is_excluded_is_so_with_any_spelling_of_its_date() -> None:
    """A model that a price is not for would be charged by it, by way of its other spelling."""
    for excluded in ("!m-2026-01-01", "!m-20260101"):
        rows = [row(1, ONE, names=("m-*", excluded))]
        for name in ("m-2026-01-01", "m-20260101"):
            assert chosen(rows, request_model=name) is None
            assert not names.matches(("m-*", excluded), name)


def test_the_dots_of_a_name_are_dots() -> None:
    """A model `gpt-4x1` would be charged as `gpt-4.1`."""
    assert chosen([row(1, ONE, model="gpt-4.1")], request_model="gpt-4x1") is None
    assert chosen([row(1, ONE, names=("gpt-4.1*",))], request_model="gpt-4x1") is None


def test_a_provider_by_any_of_its_names() -> None:
    """The table has the conventions' names; telemetry has many."""
    rows = [row(1, ONE, provider="aws.bedrock")]
    for name in ("aws.bedrock", "bedrock", "aws_bedrock", "AWS.Bedrock"):
        assert chosen(rows, provider=name) == "price:1"
    assert chosen(rows, provider="my-bedrock-proxy") is None


def test_what_azure_sells_of_openai_costs_the_same_unless_said_otherwise() -> None:
    """Few sources list all that a cloud resells; a user's price for OpenAI is none for Azure."""
    rows = [row(1, ONE, provider="openai"), row(2, ONE, provider="openai", source="user")]
    azure = {"provider": "azure.ai.openai"}
    assert chosen(rows, **azure) == "price:1"
    assert chosen(rows, provider="openai") == "price:2"
    own = [*rows, row(3, ONE, provider="azure.ai.openai", source="litellm")]
    assert chosen(own, **azure) == "price:3"


def test_a_call_without_a_provider_has_the_price_of_the_models_maker() -> None:
    """All calls by way of Langfuse, which names no provider, would have no cost."""
    rows = [
        row(1, ONE, provider="anthropic", model="claude-9"),
        row(2, ONE, provider="openrouter", model="claude-9"),
        row(3, ONE, provider="groq", model="gpt-oss-120b"),
        row(4, ONE, provider="groq", model="llama-9"),
    ]
    assert chosen(rows, provider=None, request_model="Claude-9") == "price:1"
    assert chosen(rows, provider=None, request_model="x", response_model="claude-9") == "price:1"
    assert chosen(rows, provider=None, request_model="gpt-oss-120b") is None
    assert chosen(rows, provider=None, request_model="llama-9") is None
    assert chosen(rows, provider="", request_model="claude-9") is None
    mine = [*rows, row(5, ONE, provider="anthropic", model="claude-9", source="user")]
    assert chosen(mine, provider=None, request_model="claude-9") == "price:5"
    bundled = DatabasePrices(GenAIPrices())
    for model in ("gpt-4o-2024-08-06", "o3", "gemini-2.5-pro", "text-embedding-3-small"):
        found = bundled.price(usage(provider=None, request_model=model))
        assert found is not None
        assert found.reference.startswith("genai-prices:")


def test_a_users_price_for_any_provider() -> None:
    """The only one that helps where nobody says who sells the model; a closer one goes first."""
    rows = [
        row(1, ONE, provider="*", model="llama-*", source="user"),
        row(2, ONE, provider="groq", model="llama-9"),
    ]
    assert chosen(rows, provider=None, request_model="llama-9") == "price:1"
    assert chosen(rows, provider="groq", request_model="llama-9") == "price:1"
    own = [*rows, row(3, ONE, provider="groq", model="llama-*", source="user")]
    assert chosen(own, provider="groq", request_model="llama-9") == "price:3"
    assert chosen(own, provider=None, request_model="llama-9") == "price:1"


def test_the_bundled_data_goes_where_the_table_has_nothing() -> None:
    """A store without a sync, or with a model that is newer than it, still has costs."""
    prices = DatabasePrices(GenAIPrices())
    used = usage(provider="openai", request_model="gpt-4o", input_tokens=10**6)
    bundled = prices.price(used)
    assert bundled is not None
    assert bundled.reference.startswith("genai-prices:")
    prices.use([row(1, ONE, provider="openai", model="gpt-4o")])
    assert prices.price(used) == Price(Decimal(1), "price:1")
    prices.use([row(2, ONE, provider="openai", model="gpt-4o", valid_to=NOON)])
    assert prices.price(used) == bundled


def test_distinct_names_do_not_fill_the_memory() -> None:
    """A client that invents model names would use up the service's memory."""
    prices = book([row(1, ONE)])
    for number in range(CACHED_LOOKUPS + 100):
        assert prices.price(usage(request_model=f"{number}")) is None
    assert prices._book._groups.cache_info().currsize == CACHED_LOOKUPS


def test_a_time_without_a_zone_is_utc() -> None:
    """A call made by hand without a zone must not fail the caller."""
    rows = [row(1, ONE, valid_from=NOON)]
    assert chosen(rows, time=NOON.replace(tzinfo=None)) == "price:1"
