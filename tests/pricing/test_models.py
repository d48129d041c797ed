"""What LiteLLM's file and genai-prices say of models, and what is made of rows that are wrong."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store.pricing import genai, litellm
from observatory_store.pricing.listing import Source
from observatory_store.pricing.litellm_models import FIELDS
from observatory_store.pricing.model_listing import ModelListing, check_model
from observatory_store.repositories.price_rows import encode


def read(rows: dict[str, Any]) -> Source:
    """Return what a file of these rows says."""
    return litellm.read(json.dumps(rows).encode())


def read_one(**fields: Any) -> ModelListing:
    """Return the model in a file of one row."""
    (listing,) = read({"m": {"litellm_provider": "openai", **fields}}).models
    return listing


def test_a_whole_row() -> None:
    """Each field where people look for it."""
    found = read_one(
        mode="chat",
        max_input_tokens=200_000,
        max_output_tokens=8192,
        supports_function_calling=True,
        supports_vision=True,
        supports_pdf_input=True,
        supports_response_schema=False,
        deprecation_date="2027-01-31",
    )
    assert (found.provider, found.model, found.mode) == ("openai", "m", "chat")
    assert (found.context_window, found.max_output_tokens) == (200_000, 8192)
    assert (found.input_modalities, found.output_modalities) == (
        ("text", "image", "pdf"),
        ("text",),
    )
    assert found.capabilities == {
        "pdf_input": True,
        "structured_output": False,
        "tools": True,
        "vision": True,
    }
    assert found.deprecation_date == date(2027, 1, 31)


@pytest.mark.parametrize(
    ("fields", "takes", "gives"),
    [
        ({"mode": "image_generation"}, ("text",), ("image",)),
        ({"mode": "audio_transcription"}, ("audio",), ("text",)),
        ({"mode": "embedding"}, ("text",), None),
        ({"mode": "brainwaves"}, None, None),
        ({}, None, None),
        ({"mode": "chat", "supported_modalities": ["audio"]}, ("audio",), ("text",)),
        (
            {"mode": "chat", "supported_output_modalities": ["text", "image"]},
            ("text",),
            ("text", "image"),
        ),
        ({"mode": "chat", "supports_audio_output": True}, ("text",), ("text", "audio")),
        ({"mode": "chat", "supports_vision": False}, ("text",), ("text",)),
    ],
)
def test_modalities(
    fields: dict[str, Any], takes: tuple[str, ...] | None, gives: tuple[str, ...] | None
) -> None:
    """What the row lists, or what every model of its mode has; and what its flags say."""
    found = read_one(**fields)
    assert (found.input_modalities, found.output_modalities) == (takes, gives)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"max_input_tokens": -1}, "context_window is not from 1 to 1,000,000,000: -1"),
        ({"max_input_tokens": 2**63}, "context_window is not from 1"),
        ({"max_input_tokens": 10**300}, "no whole number"),
        ({"max_input_tokens": "8192"}, "max_input_tokens is text, no number: '8192'"),
        ({"max_output_tokens": 1.5}, "max_output_tokens is no whole number of tokens: 1.5"),
        ({"max_output_tokens": float("nan")}, "max_output_tokens is NaN, no number"),
        ({"max_output_tokens": True}, "max_output_tokens is no number"),
        ({"supports_vision": "yes"}, "supports_vision is neither true nor false"),
        ({"deprecation_date": "soon"}, "deprecation_date is no date as 2026-01-31: 'soon'"),
        ({"deprecation_date": "2026-02-30"}, "deprecation_date is no date"),
        ({"deprecation_date": "20260228"}, "deprecation_date is no date"),
        ({"deprecation_date": "1970-01-01"}, "deprecation_date is absurd"),
        ({"deprecation_date": 20260228}, "deprecation_date is no text"),
        ({"mode": "x" * 10_000}, "mode is no word"),
        ({"mode": ["chat"]}, "mode is no text"),
        ({"supported_modalities": "text"}, "supported_modalities is not a list of words"),
        ({"supported_modalities": [1]}, "supported_modalities is not a list of words"),
        ({"supported_modalities": ["\x07"]}, "input_modalities are not 1 to 16 words"),
        ({"supported_modalities": [f"m{n}" for n in range(17)]}, "input_modalities are not 1 to"),
    ],
)
def test_wrong_rows(fields: dict[str, Any], reason: str) -> None:
    """Each is named with its reason; the row beside it is taken."""
    good = {"litellm_provider": "openai"}
    found = read({"wrong": {**good, **fields}, "good": good})
    assert [listing.model for listing in found.models] == ["good"]
    (refusal,) = found.refused_models
    assert refusal.row == "wrong"
    assert reason in refusal.reason


def test_what_says_nothing() -> None:
    """0 tokens and null are how the file leaves things out."""
    found = read_one(max_input_tokens=0, max_output_tokens=None, supports_vision=None, mode=None)
    assert (found.context_window, found.max_output_tokens, found.capabilities) == (None, None, {})


def test_a_model_twice() -> None:
    """The row of its own name counts; one that says otherwise is reported, the same is not."""
    row = {"litellm_provider": "openai", "max_input_tokens": 1}
    same = read({"openai/m": row, "m": row})
    assert (len(same.models), same.refused_models) == (1, ())
    other = read({"openai/m": {**row, "max_input_tokens": 2}, "m": row})
    assert [listing.context_window for listing in other.models] == [1]
    assert [refusal.row for refusal in other.refused_models] == ["openai/m"]
    body = b'{"m": {"litellm_provider": "openai", "mode": "chat", "mode": "rerank"}}'
    (refusal,) = litellm.read(body).refused_models
    assert refusal.reason == "mode stands there twice"


def test_rows_that_are_no_models() -> None:
    """Patterns and the file's own description are in no catalogue."""
    found = read(
        {"openai/gpt-*": {"litellm_provider": "openai"}, "sample_spec": {"mode": "one of"}}
    )
    assert (found.models, found.refused_models) == ((), ())


def test_genai_prices() -> None:
    """All of it can be used, and what is deprecated is said to be."""
    found = genai.read()
    assert found.refused_models == ()
    assert len(found.models) == len({(model.provider, model.model) for model in found.models})
    assert any(model.deprecated for model in found.models)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), _JSON, max_size=4))
def test_any_row(fields: dict[str, Any]) -> None:
    """Whatever a row holds, it is taken within its bounds, or refused with a reason; once."""
    found = read({"m": {"litellm_provider": "openai", **fields}})
    assert len(found.models) + len(found.refused_models) == 1
    for model in found.models:
        assert check_model(model) is model
        encode(model)
