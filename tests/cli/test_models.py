"""``models``: what people see of the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Command

pytestmark = pytest.mark.editions("postgres")

ROWS = {
    "gpt-9": {
        "litellm_provider": "openai",
        "mode": "chat",
        "input_cost_per_token": 1e-6,
        "max_input_tokens": 128_000,
        "supports_vision": True,
        "supports_reasoning": False,
        "deprecation_date": "2020-01-31",
    },
    "azure/gpt-9": {"litellm_provider": "azure", "mode": "chat"},
    "azure/dall-e-9": {
        "litellm_provider": "azure",
        "mode": "image_generation",
        "input_cost_per_image": 0.04,
    },
    "wrong": {"litellm_provider": "openai", "max_input_tokens": "many"},
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of three models, one of them of pictures, and a wrong row."""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(ROWS))
    return path


def test_a_sync_of_prices_brings_the_models_in(on_database: Command, file: Path) -> None:
    """What a person sees: models without a price of tokens too, and which row was refused."""
    done = on_database("prices", "sync", "--from", str(file))
    assert done.code == 0
    assert "catalogue: 3 models added" in done.out
    assert "refused in the catalogue  wrong: max_input_tokens is text" in done.out
    again = on_database("prices", "sync", "--from", str(file), "--json").json
    assert (again["models"]["added"], again["models"]["unchanged"]) == ([], 3)
    rows = on_database("models", "list", "--json").json
    assert [(row["provider"], row["model"], row["mode"]) for row in rows] == [
        ("azure.ai.openai", "dall-e-9", "image_generation"),
        ("azure.ai.openai", "gpt-9", "chat"),
        ("openai", "gpt-9", "chat"),
    ]
    azure = on_database("models", "list", "--provider", "azure", "--search", "GPT", "--json").json
    assert [row["model"] for row in azure] == ["gpt-9"]
    gone = on_database("models", "list", "--deprecated")
    assert "128,000" in gone.out
    assert "2020-01-31" in gone.out
    assert "dall-e-9" not in gone.out


def test_one_model(on_database: Command, file: Path) -> None:
    """Of every provider that has it, with what cannot be done told from what is not known."""
    assert on_database("models", "sync", "--from", str(file)).code == 0
    assert on_database("prices", "list", "--json").json == []
    azure, openai = on_database("models", "show", "GPT-9", "--json").json
    assert (azure["capabilities"], azure["deprecated"]) == ({}, False)
    assert openai["capabilities"] == {"vision": True, "reasoning": False}
    assert openai["source_rows"]["litellm"]["max_input_tokens"] == 128_000
    (only,) = on_database("models", "show", "gpt-9", "--provider", "openai", "--json").json
    assert only == openai
    assert "azure.ai.openai" in on_database("models", "show", "gpt-9").out


def test_what_cannot_be(on_database: Command, tmp_path: Path) -> None:
    """One line on standard error, and exit code 2."""
    unknown = on_database("models", "show", "gpt-9")
    assert (unknown.code, "no model 'gpt-9'" in unknown.err) == (2, True)
    path = tmp_path / "file"
    path.write_text('{"m": 7}')
    useless = on_database("models", "sync", "--from", str(path))
    assert (useless.code, "no model that can be used; the first: not an" in useless.err) == (
        2,
        True,
    )
    assert "No such models" in on_database("models", "list").out
