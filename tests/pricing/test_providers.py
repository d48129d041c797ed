"""That telemetry, lists of prices and users mean one provider by one name."""

from __future__ import annotations

import pytest

from observatory_store.llm.providers import provider as column
from observatory_store.pricing import genai
from observatory_store.pricing.providers import RELATED, canonical, of_litellm
from observatory_store.rows.provider import ALIASES, WELL_KNOWN

from .books import book, row, tariff, usage

NAMES = [
    *("Google", "google_genai", "google-gla", "google.vertex", "google.generative-ai", "vertex"),
    *("vertex_ai_beta", "grok", "cohere_chat", "togetherai", "bedrock_converse", "openai.chat"),
    *("fireworks", "fireworks_ai", "together", "together_ai", "voyage", "voyageai", "aws", "azure"),
    *("my-proxy", "cerebras", *ALIASES, *WELL_KNOWN),
]
LITELLM = [
    *("anthropic", "azure", "azure_ai", "azure_text", "bedrock", "bedrock_converse", "codestral"),
    *("cohere", "cohere_chat", "deepseek", "fireworks_ai", "gemini", "github_copilot", "groq"),
    *("mistral", "moonshot", "openai", "openrouter", "perplexity", "text-completion-codestral"),
    *("text-completion-openai", "together_ai", "vertex_ai", "vertex_ai_beta", "voyage", "watsonx"),
    *("xai", "zai"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_users_price_is_for_the_spans_of_the_name_it_was_set_for(name: str) -> None:
    """Whoever has a contract would be charged by the public price."""
    prices = book([row(1, tariff(input="1"), provider=canonical(name), source="user")])
    found = prices.price(usage(provider=column(name), input_tokens=1))
    assert found is not None
    assert found.reference == "price:1"


def test_what_a_sync_writes_is_what_a_spans_column_says() -> None:
    """Spans and models, joined by provider, would miss each other."""
    found = genai.read()
    written = {one.provider for one in found.listings} | {one.provider for one in found.models}
    assert {name for name in written if column(name) != name} == set()
    for name in LITELLM:
        assert column(name) == of_litellm(name) == column(of_litellm(name))
    assert of_litellm("vertex_ai-language-models") == column("vertex_ai")
    assert of_litellm("fireworks_ai-embedding-models") == column("fireworks")
    assert {canonical(name) for names in RELATED.values() for name in names} <= WELL_KNOWN
