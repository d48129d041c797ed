"""Whose prices and models are whose: the sources' names in the store's vocabulary."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from observatory_store.rows.provider import folded, known_provider

ANY: Final = "*"
"""In place of a provider: a user's price for a model whoever sells it, or nobody says who."""

_MAKERS: Final = {
    re.compile(pattern): name
    for pattern, name in (
        (r"claude-", "anthropic"),
        (r"gemini-", "gcp.gemini"),
        (r"(ft:)?(chat)?gpt-\d|(ft:)?o[134](-|$)|text-embedding-(3|ada)-", "openai"),
        (r"grok-", "x_ai"),
        (r"voyage-", "voyageai"),
    )
}
"""How names of models begin that only their maker sells, or others for the same: not open ones."""

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

_FAMILIES: Final = {"vertex_ai": "gcp.vertex_ai", "fireworks_ai": "fireworks_ai"}
"""How names of LiteLLM begin that end in a kind of models: ``vertex_ai-language-models``."""
_BUNDLED: Final = {
    "azure.ai.inference": "azure.ai.openai",
    "gcp.gen_ai": "gcp.gemini",
    "gcp.vertex_ai": "gcp.gemini",
}


def canonical(name: str) -> str:
    """Return the store's name of a provider, whichever way its name is written."""
    return known_provider(name) or folded(name)


@lru_cache(maxsize=1024)
def maker(*models: str | None) -> str | None:
    """Return whose price a call has that names no provider: the first model's that tells."""
    for model in models:
        for pattern, name in _MAKERS.items():
            if model and pattern.match(model.lower()):
                return name
    return None


def in_genai_prices(name: str) -> str:
    """Return the name under which genai-prices, which tells fewer apart, has a provider."""
    found = canonical(name)
    return _BUNDLED.get(found, found)


def of_litellm(provider: str) -> str:
    """Return the store's name of a ``litellm_provider``, which may say what for as well."""
    plain = folded(provider)
    for start, name in _FAMILIES.items():
        if plain.startswith(start):
            return name
    return canonical(plain)
