"""The providers' usage objects, counted alike."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.json import encode

from observatory_store import llm

CACHED = {"input_tokens": 1560, "cache_read_tokens": 1024, "cache_write_tokens": 512}
REASONED = {"output_tokens": 96, "reasoning_tokens": 64}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(
            {
                "prompt_tokens": 1560,
                "completion_tokens": 96,
                "total_tokens": 1656,
                "prompt_tokens_details": {
                    "cached_tokens": 1024,
                    "cache_write_tokens": 512,
                    "audio_tokens": 3,
                    "image_tokens": 2,
                },
                "completion_tokens_details": {
                    "reasoning_tokens": 64,
                    "audio_tokens": 5,
                    "image_tokens": 4,
                },
                "service_tier": "flex",
            },
            CACHED
            | REASONED
            | {
                "input_audio_tokens": 3,
                "input_image_tokens": 2,
                "output_audio_tokens": 5,
                "output_image_tokens": 4,
                "service_tier": "flex",
            },
            id="OpenAI chat completions",
        ),
        pytest.param(
            {
                "input_tokens": 1560,
                "output_tokens": 96,
                "total_tokens": 1656,
                "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 512},
                "output_tokens_details": {"reasoning_tokens": 64},
            },
            CACHED | REASONED,
            id="OpenAI responses",
        ),
        pytest.param(
            {
                "input_tokens": 24,
                "output_tokens": 8,
                "cache_read_input_tokens": 1024,
                "cache_creation_input_tokens": 512,
                "server_tool_use": {"web_search_requests": 2},
                "service_tier": "priority",
            },
            CACHED | {"output_tokens": 8, "web_search_requests": 2, "service_tier": "priority"},
            id="Anthropic: input without cache",
        ),
        pytest.param(
            {
                "promptTokenCount": 1200,
                "candidatesTokenCount": 32,
                "thoughtsTokenCount": 64,
                "cachedContentTokenCount": 1024,
                "totalTokenCount": 1296,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 1190},
                    {"modality": "AUDIO", "tokenCount": 10},
                ],
            },
            REASONED | {"input_tokens": 1200, "cache_read_tokens": 1024, "input_audio_tokens": 10},
            id="Gemini: output without thoughts",
        ),
        pytest.param(
            {
                "prompt_token_count": 1200,
                "candidates_token_count": 32,
                "thoughts_token_count": 64,
                "total_token_count": 1296,
            },
            REASONED | {"input_tokens": 1200},
            id="Gemini in Python",
        ),
        pytest.param(
            {
                "promptTokenCount": 24,
                "toolUsePromptTokenCount": 1176,
                "candidatesTokenCount": 32,
                "thoughtsTokenCount": 64,
                "totalTokenCount": 1296,
            },
            REASONED | {"input_tokens": 1200},
            id="Gemini: input without what its tools gave",
        ),
        pytest.param(
            {
                "input": 24,
                "input_cached_tokens": 1024,
                "input_cache_creation": 512,
                "output": 32,
                "output_reasoning_tokens": 64,
                "total": 1656,
            },
            CACHED | REASONED,
            id="Langfuse: each kind apart",
        ),
        pytest.param(
            {
                "prompt_tokens": 1048,
                "completion_tokens": 8,
                "total_tokens": 1056,
                "prompt_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": None},
                "cache_creation_input_tokens": 512,
                "cache_read_input_tokens": 1024,
            },
            CACHED | {"output_tokens": 8},
            id="LiteLLM 1.72: input without what was written",
        ),
        pytest.param(
            {
                "prompt_tokens": 1560,
                "completion_tokens": 8,
                "total_tokens": 1568,
                "prompt_tokens_details": {"cached_tokens": 1024, "cache_creation_tokens": 512},
                "cache_creation_input_tokens": 512,
                "cache_read_input_tokens": 1024,
            },
            CACHED | {"output_tokens": 8},
            id="LiteLLM 1.106",
        ),
        pytest.param({"output_tokens": 8}, {"output_tokens": 8}, id="the output alone"),
        pytest.param({"prompt_tokens": None, "other": 5}, {}, id="nothing known"),
    ],
)
def test_a_usage_object_is_read(usage: dict[str, Any], expected: dict[str, Any]) -> None:
    """Cached input would be charged twice or not at all, depending on who sent it."""
    for value in (encode(usage).decode(), repr(usage), usage):
        assert llm.read({"metadata.usage_object": value}) == expected
