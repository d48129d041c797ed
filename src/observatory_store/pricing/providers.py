"""The providers' names in telemetry, and their ids in genai-prices."""

from __future__ import annotations

from typing import Final

PROVIDER_IDS: Final = {
    # gen_ai.provider.name of the OpenTelemetry conventions, November 2026
    "anthropic": "anthropic",
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "cohere": "cohere",
    "deepseek": "deepseek",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "groq": "groq",
    "ibm.watsonx.ai": None,
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "openai": "openai",
    "perplexity": "perplexity",
    "x_ai": "x-ai",
    # the same in earlier states of the conventions
    "aws_bedrock": "aws",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "gemini": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
    # what gateways and frameworks call them
    "azure_openai": "azure",
    "bedrock": "aws",
    "fireworks_ai": "fireworks",
    "google_genai": "google",
    "google_vertexai": "google",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "together_ai": "together",
    "vertexai": "google",
    "voyage": "voyageai",
}
"""None: a known provider whose prices genai-prices does not have.

A name that is not here stands for itself. genai-prices' own matching is not used: it takes
``my-openai-proxy`` for OpenAI.
"""


def provider_id(name: str) -> str | None:
    """Return the id of a provider, whichever way its name is written."""
    lower = name.lower()
    if lower in PROVIDER_IDS:
        return PROVIDER_IDS[lower]
    return PROVIDER_IDS.get(lower.replace("-", "_"), lower)
