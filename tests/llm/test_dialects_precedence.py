"""Several dialects on one span: who goes first, and what is said if they disagree."""

from __future__ import annotations

import pytest

from observatory_store import llm
from observatory_store.rows import Attributes

IN_ORDER = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "langfuse.observation.usage_details",
    "ai.usage.inputTokens",
    "gen_ai.usage.raw",
    "llm.usage.prompt_tokens",
)


def value(name: str, tokens: int) -> str | int:
    """Return what an attribute has to be for so many tokens."""
    if name in {"langfuse.observation.usage_details", "gen_ai.usage.raw"}:
        return f'{{"input_tokens": {tokens}}}'
    return tokens


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_the_first_dialect_in_order_wins(first: int) -> None:
    """One call would show other numbers, depending on the order of its attributes."""
    attributes: Attributes = {
        name: value(name, number) for number, name in enumerate(IN_ORDER) if number >= first
    }
    for ordered in (attributes, dict(reversed(attributes.items()))):
        assert llm.read(dict(ordered))["input_tokens"] == first


def test_an_unusable_value_leaves_the_column_to_the_next() -> None:
    """An empty name of a provider would hide the one that another attribute has."""
    found = llm.read({"gen_ai.provider.name": "", "gen_ai.system": "", "llm.system": "openai"})
    assert found["provider"] == "openai"


def test_litellm_says_more_than_the_names_it_uses() -> None:
    """Of Claude's cached prompts, what was written to the cache would not be counted."""
    found = llm.read(
        {
            "gen_ai.usage.prompt_tokens": 1048,
            "llm.usage.total_tokens": 1056,
            "gen_ai.usage.completion_tokens": 8,
            "metadata.usage_object": "{'prompt_tokens': 1048, 'completion_tokens': 8, "
            "'cache_creation_input_tokens': 512, 'cache_read_input_tokens': 1024}",
        }
    )
    assert (found["input_tokens"], found["cache_write_tokens"]) == (1560, 512)
    assert "usage_conflict" not in found


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {"gen_ai.usage.input_tokens": 24, "gen_ai.usage.cache_read.input_tokens": 1024},
            "cached_over_input",
        ),
        (
            {
                "gen_ai.usage.input_tokens": 1535,
                "gen_ai.usage.cache_read.input_tokens": 1024,
                "gen_ai.usage.cache_write.input_tokens": 512,
            },
            "cached_over_input",
        ),
        (
            {"gen_ai.usage.output_tokens": 8, "gen_ai.usage.reasoning.output_tokens": 9},
            "reasoning_over_output",
        ),
        ({"gen_ai.usage.input_tokens": 5, "llm.token_count.prompt": 6}, "sources_disagree"),
        ({"ai.usage.inputTokens": 5, "ai.usage.promptTokens": 6}, "sources_disagree"),
        ({"llm.token_count.prompt": 5, "llm.token_count.total": 6}, "total_mismatch"),
        (
            {
                "gen_ai.usage.input_tokens": 5,
                "gen_ai.usage.output_tokens": 8,
                "gen_ai.usage.reasoning.output_tokens": 9,
                "gen_ai.usage.total_tokens": 15,
                "llm.token_count.prompt": 7,
            },
            "reasoning_over_output,sources_disagree,total_mismatch",
        ),
        ({"gen_ai.usage.cache_read.input_tokens": 5}, None),
        ({"gen_ai.usage.reasoning.output_tokens": 5}, None),
        ({"llm.token_count.total": 6}, None),
        (
            {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.cache_read.input_tokens": 5},
            None,
        ),
        ({"gen_ai.usage.input_tokens": 24, "llm.token_count.prompt": "24"}, None),
        (
            {
                "gen_ai.usage.input_tokens": 1560,
                "gen_ai.usage.raw": '{"input_tokens": 24, "cache_read_input_tokens": 1536}',
            },
            None,
        ),
        ({"gen_ai.request.model": "a", "llm.request.model_name": "b"}, None),
    ],
)
def test_contradictions_are_named(attributes: Attributes, expected: str | None) -> None:
    """A library that counts wrongly would never be found; one that is right would be accused."""
    assert llm.read(dict(attributes)).get("usage_conflict") == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("openai", "openai"),
        ("OpenAI", "openai"),
        ("openai.chat", "openai"),
        ("openai.responses", "openai"),
        ("openai.embedding", "openai"),
        ("Anthropic", "anthropic"),
        ("anthropic.messages", "anthropic"),
        ("az.ai.inference", "azure.ai.inference"),
        ("az.ai.openai", "azure.ai.openai"),
        ("azure", "azure.ai.openai"),
        ("azure_ai", "azure.ai.inference"),
        ("azure-openai.chat", "azure.ai.openai"),
        ("bedrock", "aws.bedrock"),
        ("Bedrock", "aws.bedrock"),
        ("amazon-bedrock", "aws.bedrock"),
        ("gemini", "gcp.gemini"),
        ("google.generative-ai", "gcp.gemini"),
        ("google-gla", "gcp.gemini"),
        ("google-vertex", "gcp.vertex_ai"),
        ("google.vertex.chat", "gcp.vertex_ai"),
        ("vertex_ai", "gcp.vertex_ai"),
        ("mistralai", "mistral_ai"),
        ("mistral.chat", "mistral_ai"),
        ("xai", "x_ai"),
        ("together_ai", "together_ai"),
        ("togetherai.chat", "together_ai"),
        ("my-openai-proxy", "my-openai-proxy"),
        ("Acme.chat", "Acme.chat"),
        (".", "."),
    ],
)
def test_providers_have_one_name(sent: str, expected: str) -> None:
    """One provider's cost would be split over as many names as there are libraries."""
    attributes: Attributes = {"gen_ai.system": sent}
    assert llm.read(attributes) == {"provider": expected}
    assert attributes == {"gen_ai.system": sent}
