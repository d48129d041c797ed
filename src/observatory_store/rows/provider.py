"""One vocabulary of providers, whatever telemetry and the sources of prices call them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

WELL_KNOWN: Final = frozenset(
    {
        "anthropic",
        "aws.bedrock",
        "azure.ai.inference",
        "azure.ai.openai",
        "cohere",
        "deepseek",
        "gcp.gemini",
        "gcp.gen_ai",
        "gcp.vertex_ai",
        "groq",
        "ibm.watsonx.ai",
        "mistral_ai",
        "moonshot_ai",
        "openai",
        "perplexity",
        "x_ai",
    }
)
"""The values of ``gen_ai.provider.name`` in the OpenTelemetry conventions, November 2026."""

ALIASES: Final = {
    "amazon_bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "bedrock_mantle": "aws.bedrock",
    "codestral": "mistral_ai",
    "cohere_chat": "cohere",
    "fireworks": "fireworks_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google.vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "google_gla": "gcp.gemini",
    "google_vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "grok": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "text_completion_codestral": "mistral_ai",
    "text_completion_inception": "inception",
    "text_completion_openai": "openai",
    "together": "together_ai",
    "togetherai": "together_ai",
    "vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "voyage": "voyageai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""What libraries, gateways and lists of prices call them, as :func:`folded`. No name is taken for
another that it contains: ``my-openai-proxy`` is not OpenAI."""

_KNOWN: Final = WELL_KNOWN.union(ALIASES.values())
_INTERFACES: Final = frozenset(
    {
        "chat",
        "completion",
        "embedding",
        "generative_ai",
        "image",
        "messages",
        "responses",
        "speech",
        "transcription",
    }
)
"""What Vercel's SDK puts after a provider and a dot."""


@lru_cache(maxsize=1024)
def known_provider(name: str) -> str | None:
    """Return the vocabulary's name of a provider, or None if it has none."""
    candidate = folded(name)
    while candidate:
        if candidate in _KNOWN:
            return candidate
        if candidate in ALIASES:
            return ALIASES[candidate]
        candidate, _, interface = candidate.rpartition(".")
        if interface not in _INTERFACES:
            break
    return None


def folded(name: str) -> str:
    """Return a name in lower case and with ``_`` for ``-``."""
    return name.lower().replace("-", "_")
