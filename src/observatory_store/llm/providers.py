"""One vocabulary of providers: the well-known values of ``gen_ai.provider.name``."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from observatory_store.llm import conversion
from observatory_store.rows import AttributeValue

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

ALIASES: Final = {
    "amazon_bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
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
    "together": "together_ai",
    "togetherai": "together_ai",
    "vertex": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""What libraries call them, in lower case and with ``_`` for ``-``."""

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


def provider(value: AttributeValue) -> str | None:
    """Accept what :func:`conversion.text` accepts, and return the vocabulary's name for it.

    A name that is not known stays as it is.
    """
    found = conversion.text(value)
    return found if found is None or found in WELL_KNOWN else _normalised(found)


@lru_cache(maxsize=1024)
def _normalised(name: str) -> str:
    candidate = name.lower().replace("-", "_")
    while candidate:
        if candidate in WELL_KNOWN:
            return candidate
        if candidate in ALIASES:
            return ALIASES[candidate]
        candidate, _, interface = candidate.rpartition(".")
        if interface not in _INTERFACES:
            break
    return name
