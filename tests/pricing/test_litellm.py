"""LiteLLM's file: what its rows mean, and what becomes of rows that mean nothing."""

from __future__ import annotations

import json
from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store.pricing import litellm
from observatory_store.pricing.json_file import MOST_BYTES
from observatory_store.pricing.listing import Source
from observatory_store.pricing.tariff import ContextTier, Hours, ServiceTier, Tariff
from observatory_store.repositories.price_rows import encode

from .books import cost

GOOD = {"litellm_provider": "openai", "input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}


def read(rows: dict[str, Any]) -> Source:
    """Return what a file of these rows says."""
    return litellm.read(json.dumps(rows).encode())


def read_one(key: str, **fields: Any) -> Tariff:
    """Return the price in a file of one row."""
    (listing,) = read({key: {"litellm_provider": "openai", **fields}}).listings
    (segment,) = listing.segments
    assert segment.tariff is not None
    return segment.tariff


def test_every_rate_has_its_class() -> None:
    """A cached token taken for a fresh one costs ten times as much."""
    found = read_one(
        "gpt-9",
        input_cost_per_token=2.5e-06,
        output_cost_per_token=1e-05,
        cache_read_input_token_cost=1.25e-6,
        cache_creation_input_token_cost=3e-6,
        cache_creation_input_token_cost_above_1hr=5e-6,
        output_cost_per_reasoning_token=1.2e-5,
        input_cost_per_audio_token=4e-5,
        output_cost_per_audio_token=8e-5,
        input_cost_per_token_above_200k_tokens=5e-6,
        input_cost_per_token_batches=1.25e-6,
        output_cost_per_token_batches=5e-6,
        input_cost_per_token_priority=4.25e-6,
        input_cost_per_token_above_200k_tokens_priority=8.5e-6,
        search_context_cost_per_query={"search_context_size_low": 0.01},
    )
    assert found == Tariff(
        input=Decimal("0.0000025"),
        output=Decimal("0.00001"),
        cache_read=Decimal("0.00000125"),
        cache_write=Decimal("0.000003"),
        cache_write_1h=Decimal("0.000005"),
        reasoning=Decimal("0.000012"),
        input_audio=Decimal("0.00004"),
        output_audio=Decimal("0.00008"),
        web_search=Decimal("0.01"),
        context_tiers=(ContextTier(above=200_000, input=Decimal("0.000005")),),
        service_tiers={
            "batch": ServiceTier(input=Decimal("0.00000125"), output=Decimal("0.000005")),
            "priority": ServiceTier(
                input=Decimal("0.00000425"),
                context_tiers=(ContextTier(above=200_000, input=Decimal("0.0000085")),),
            ),
        },
    )


def test_a_batch_by_hand() -> None:
    """1,000 input, 800 of them cached, 100 output. At once 200 x $2.50 + 800 x $1.25 + 100 x $10 a
    million: 2,500 millionths; as a batch 200 x $1.25 + 800 x $1.25 + 100 x $5: 1,750.
    """
    prices = read_one(
        "gpt-9",
        input_cost_per_token=2.5e-06,
        output_cost_per_token=1e-05,
        cache_read_input_token_cost=1.25e-6,
        input_cost_per_token_batches=1.25e-6,
        output_cost_per_token_batches=5e-6,
    )
    used = {"input_tokens": 1000, "cache_read_tokens": 800, "output_tokens": 100}
    assert cost(prices, **used) == Decimal("0.0025")
    assert cost(prices, service_tier="batch", **used) == Decimal("0.00175")


def test_tiers_and_hours() -> None:
    """The two lists that LiteLLM has beside its keys."""
    found = read_one(
        "qwen",
        tiered_pricing=[
            {"range": [0, 32_000], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            {"range": [32_000, 10**6], "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
        ],
        off_peak_pricing={
            "input_cost_per_token": 5e-7,
            "windows": [{"weekdays": [6, 7], "hours_utc": "16:30-00:30"}],
        },
    )
    assert (found.input, found.output) == (Decimal("0.000001"), Decimal("0.000002"))
    assert found.context_tiers == (
        ContextTier(above=32_000, input=Decimal("0.000003"), output=Decimal("0.000004")),
    )
    assert found.hours == (
        Hours(start=time(16, 30), end=time(0, 30), days=(6, 7), input=Decimal("5E-7")),
    )


@pytest.mark.parametrize(
    ("key", "provider", "expected"),
    [
        ("gpt-9", "openai", "openai/gpt-9"),
        ("azure/gpt-9", "azure", "azure.ai.openai/gpt-9"),
        ("gemini/gemini-9", "gemini", "gcp.gemini/gemini-9"),
        (
            "vertex_ai/claude-9@20260101",
            "vertex_ai-anthropic_models",
            "gcp.vertex_ai/claude-9@20260101",
        ),
        ("anthropic.claude-9-v1:0", "bedrock_converse", "aws.bedrock/anthropic.claude-9-v1:0"),
        ("openrouter/meta/llama-9", "openrouter", "openrouter/meta/llama-9"),
        ("meta/llama-9", "openrouter", "openrouter/meta/llama-9"),
    ],
)
def test_names(key: str, provider: str, expected: str) -> None:
    """A price under another name than telemetry's is never found."""
    (listing,) = read({key: {**GOOD, "litellm_provider": provider}}).listings
    assert f"{listing.provider}/{listing.model}" == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "litellm_provider is missing"),
        ({**GOOD, "litellm_provider": 7}, "litellm_provider is missing"),
        ({**GOOD, "litellm_provider": "p" * 1000}, "is no name"),
        ({**GOOD, "input_cost_per_token": -1e-6}, "input is negative"),
        ({**GOOD, "input_cost_per_token": 2.5}, "input is absurd"),
        ({**GOOD, "input_cost_per_token": float("nan")}, "NaN, no number"),
        ({**GOOD, "input_cost_per_token": float("inf")}, "Infinity, no number"),
        ({**GOOD, "input_cost_per_token": "0.1"}, "is text"),
        ({**GOOD, "input_cost_per_token": True}, "is no number"),
        ({**GOOD, "input_cost_per_token": []}, "is no number"),
        ({**GOOD, "output_cost_per_token_batches": -1}, "output is negative"),
        ({**GOOD, "currency": "EUR"}, "only USD"),
        ({**GOOD, "tiered_pricing": {}}, "not a list"),
        ({**GOOD, "tiered_pricing": [{"range": [-1, 0]}]}, "range begins"),
        ({**GOOD, "tiered_pricing": [{"range": ["a"]}]}, "is text"),
        ({**GOOD, "off_peak_pricing": {"windows": [{"hours_utc": "25:00-3"}]}}, "off_peak_pricing"),
        ({**GOOD, "off_peak_pricing": 3}, "off_peak_pricing"),
        ({**GOOD, "search_context_cost_per_query": 3}, "not an object"),
        ({**GOOD, "note": "\0"}, "NUL"),
        ({**GOOD, "note": "\ud800"}, "half a character"),
    ],
)
def test_a_row_that_is_wrong_harms_no_other(row: Any, reason: str) -> None:
    """One bad row of four thousand must not keep all prices as they were last month."""
    source = read({"before": GOOD, "bad": row, "after": GOOD})
    assert [listing.model for listing in source.listings] == ["before", "after"]
    (refusal,) = source.refused
    assert refusal.row == "bad"
    assert reason in refusal.reason


@pytest.mark.parametrize("number", ["1e99999999999999999999", "1e-99999", "9" * 5000])
def test_numbers_that_nothing_holds(number: str) -> None:
    """Python's own limits of numbers are no reason to refuse a file."""
    body = json.dumps({"bad": {**GOOD, "input_cost_per_token": 1}, "good": GOOD})
    source = litellm.read(body.replace(": 1,", f": {number},").encode())
    assert [listing.model for listing in source.listings] == ["good"]
    assert [refusal.row for refusal in source.refused] == ["bad"]


def test_a_model_twice() -> None:
    """By one key or by two: the same said again is passed over, something else is refused."""
    row = json.dumps(GOOD)
    other = json.dumps({**GOOD, "input_cost_per_token": 3e-6})
    body = f'{{"m": {row}, "m": {other}, "openai/m": {row}, "n": {row}}}'
    source = litellm.read(body.encode())
    assert [listing.model for listing in source.listings] == ["m", "n"]
    assert source.listings[0].row["input_cost_per_token"] == Decimal("0.000002")
    assert [refusal.row for refusal in source.refused] == ["m"]
    assert [refusal.row for refusal in source.skipped] == ["openai/m"]


def test_a_rate_twice_in_one_row() -> None:
    """Which of the two is meant, nobody knows."""
    body = (
        '{"m": {"litellm_provider": "p", "input_cost_per_token": 1e-6, "input_cost_per_token": 0}}'
    )
    (refusal,) = litellm.read(body.encode()).refused
    assert "twice" in refusal.reason


def test_what_is_not_sold_by_the_token() -> None:
    """A picture priced at 0 tokens would cost nothing."""
    by_image = {"litellm_provider": "openai", "output_cost_per_image": 0.04}
    source = read(
        {
            "picture": {**by_image, "mode": "image_generation"},
            "zero": {**GOOD, "input_cost_per_token": 0, "output_cost_per_token": 0},
            "gift:free": {**GOOD, "input_cost_per_token": 0, "output_cost_per_token": 0},
            "sample_spec": {"input_cost_per_token": "a number"},
        }
    )
    assert [listing.model for listing in source.listings] == ["gift:free"]
    assert [refusal.row for refusal in source.skipped] == ["picture", "zero"]
    assert not source.refused


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"7", "not a JSON object"),
        (b"[" * 200_000, "nested too deeply"),
        (b" " * (MOST_BYTES + 1), "bytes"),
    ],
    ids=["empty", "html", "cut", "utf-16", "list", "number", "deep", "large"],
)
def test_files_that_are_none(body: bytes, message: str) -> None:
    """A proxy's error page must not look like a file without models."""
    with pytest.raises(ValueError, match=message):
        litellm.read(body)


_KEYS = st.sampled_from(
    [
        *("litellm_provider", "input_cost_per_token", "output_cost_per_token", "mode", "currency"),
        *("tiered_pricing", "off_peak_pricing", "search_context_cost_per_query", "range"),
        *("windows", "hours_utc", "weekdays", "output_cost_per_image", "max_input_tokens"),
        *("deprecation_date", "supports_vision", "supported_modalities", "note"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), st.dictionaries(_KEYS, _JSON) | _JSON, max_size=4))
def test_whatever_the_rows_are(rows: dict[str, Any]) -> None:
    """Any row is taken, passed over or refused; what is taken can be stored."""
    good = {"the good one": GOOD}
    source = litellm.read(json.dumps({**rows, **good}).encode())
    assert "the good one" in [listing.model for listing in source.listings]
    assert all(json.loads(encode(listing.row)) for listing in source.listings)
