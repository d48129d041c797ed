"""One vocabulary of providers, whatever telemetry and the sources of prices call them."""

from __future__ import annotations

from typing import Final

ALIASES: Final = {
    # the OpenTelemetry conventions in earlier states
    "aws_bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "xai": "x_ai",
    # what gateways and frameworks call them
    "amazon_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "fireworks_ai": "fireworks",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "together_ai": "together",
    "vertexai": "gcp.vertex_ai",
    "voyage": "voyageai",
    "watsonx": "ibm.watsonx.ai",
}
"""The names of the OpenTelemetry conventions (``gen_ai.provider.name``, November 2026) are kept; a
name that is not here stands for itself. No name is taken for another that it contains:
``my-openai-proxy`` is not OpenAI."""

RELATED: Final = {
    "azure.ai.inference": (
        "azure.ai.openai",
        "openai",
        "anthropic",
        "deepseek",
        "x_ai",
        "moonshot_ai",
    ),
    "azure.ai.openai": (
        "azure.ai.inference",
        "openai",
        "anthropic",
        "deepseek",
        "x_ai",
        "moonshot_ai",
    ),
    "gcp.gemini": ("gcp.vertex_ai", "anthropic"),
    "gcp.gen_ai": ("gcp.gemini", "gcp.vertex_ai", "anthropic"),
    "gcp.vertex_ai": ("gcp.gemini", "anthropic"),
}
"""Whose prices go where a source has none of the provider itself: it sells their models for the
same. A user's own prices are never taken for another provider's."""

_OF_GENAI_PRICES: Final = {
    "aws": "aws.bedrock",
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "x-ai": "x_ai",
}
_BUNDLED: Final = {
    "azure.ai.inference": "azure.ai.openai",
    "gcp.gen_ai": "gcp.gemini",
    "gcp.vertex_ai": "gcp.gemini",
}
_OF_LITELLM: Final = {
    "bedrock_converse": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "azure_text": "azure.ai.openai",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "fireworks_ai_embedding_models": "fireworks",
    "text_completion_codestral": "mistral_ai",
    "text_completion_inception": "inception",
    "text_completion_openai": "openai",
}


def canonical(name: str) -> str:
    """Return the store's name of a provider, whichever way its name is written."""
    plain = name.lower().replace("-", "_")
    return ALIASES.get(plain, plain)


def of_genai_prices(provider_id: str) -> str:
    """Return the store's name of a provider of genai-prices."""
    return _OF_GENAI_PRICES.get(provider_id) or canonical(provider_id)


def in_genai_prices(name: str) -> str:
    """Return the name under which genai-prices, which tells fewer apart, has a provider."""
    found = canonical(name)
    return _BUNDLED.get(found, found)


def of_litellm(provider: str) -> str:
    """Return the store's name of a ``litellm_provider``."""
    plain = provider.lower().replace("-", "_")
    if plain.startswith("vertex_ai"):
        return "gcp.vertex_ai"
    return _OF_LITELLM.get(plain) or canonical(plain)
