"""Each call of the provider counts once, with what the provider answered."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from llm.captures import CAPTURES, calls


class Numbers(NamedTuple):
    """What calls used together; the numbers are those of the fake provider."""

    calls: int
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


FAILED = Numbers(1)
PLAIN = Numbers(1, 24, 8)
TWICE = Numbers(2, 48, 16)
EMBEDDED = Numbers(1, 6)
O4_MINI = Numbers(1, 1200, 96, cache_read=1024, reasoning=64)
CLAUDE = Numbers(1, 1560, 8, cache_read=1024, cache_write=512)
GEMINI = O4_MINI

ANSWERED = {
    "agent": TWICE,
    "agent_anthropic": TWICE,
    "agent_user": TWICE,
    "anthropic_cached": CLAUDE,
    "anthropic_cached_stream": CLAUDE,
    "anthropic_chat": PLAIN,
    "anthropic_error": FAILED,
    "anthropic_stream": PLAIN,
    "anthropic_tools": TWICE,
    "by_hand": CLAUDE,
    "chat": PLAIN,
    "chat_cached": O4_MINI,
    "chat_error": FAILED,
    "chat_parts": PLAIN,
    "chat_stream": PLAIN,
    "chat_tools": TWICE,
    "chat_user": PLAIN,
    "embeddings": EMBEDDED,
    "failing_error": FAILED,
    "responses": O4_MINI,
    "responses_stream": PLAIN,
    "responses_tools": TWICE,
    "workflow": PLAIN,
}
"""Scenario → what the provider answered."""

NO_USAGE = "sends no usage of a stream"
NO_DETAILS = "sends neither cached nor reasoning tokens"

LACKING = {
    "azure_inference/chat_stream": (Numbers(1), NO_USAGE),
    "openllmetry_old/chat_stream": (Numbers(1), NO_USAGE),
    "openllmetry_old/anthropic_stream": (Numbers(1), NO_USAGE),
    "openllmetry_old/anthropic_cached_stream": (Numbers(1), NO_USAGE),
    "otel_openai_v2/chat_cached": (Numbers(1, 1200, 96), NO_DETAILS),
    "otel_openai_v2_latest/chat_cached": (Numbers(1, 1200, 96), NO_DETAILS),
    "openllmetry_old/chat_cached": (Numbers(1, 1200, 96), NO_DETAILS),
    "vercel_v5/chat_cached": (Numbers(1, 1200, 96), NO_DETAILS),
    "vercel_v5/responses": (Numbers(1, 1200, 96), NO_DETAILS),
    "pydantic_ai_v1/chat_cached": (
        Numbers(1, 1200, 96, reasoning=64),
        "sends no cached tokens",
    ),
    "openllmetry/anthropic_stream": (
        Numbers(1, 24, 9),
        "adds the first event's output to the last one's",
    ),
    "openllmetry/anthropic_cached_stream": (
        CLAUDE._replace(output=9),
        "adds the first event's output to the last one's",
    ),
    "otel_google_genai/chat": (GEMINI, "Gemini answers with other numbers than OpenAI"),
    "otel_google_genai/chat_stream": (GEMINI, "Gemini answers with other numbers than OpenAI"),
    "otel_google_genai/chat_tools": (
        GEMINI,
        "sends one span for the calls before and after the tool, with the numbers of the last",
    ),
}
"""Captures whose library does not say what the provider answered, with what it says, and why."""


@pytest.mark.parametrize("name", CAPTURES)
def test_every_call_counts_once(name: str) -> None:
    """Usage and cost would be doubled by a wrapper, or a cached prompt charged twice or not."""
    found = calls(name)
    expected, _ = LACKING.get(name, (ANSWERED[name.partition("/")[2]], ""))
    assert expected == Numbers(
        len(found),
        sum(span.input_tokens or 0 for span in found),
        sum(span.output_tokens or 0 for span in found),
        sum(span.cache_read_tokens or 0 for span in found),
        sum(span.cache_write_tokens or 0 for span in found),
        sum(span.reasoning_tokens or 0 for span in found),
    )


@pytest.mark.parametrize("name", CAPTURES)
def test_no_call_contradicts_itself(name: str) -> None:
    """Whoever looks for broken senders would find ordinary ones, and no longer look."""
    assert [span.usage_conflict for span in calls(name) if span.usage_conflict] == []


def test_nothing_is_excused_without_need() -> None:
    """A library that came to say it all would never be noticed."""
    assert LACKING.keys() <= set(CAPTURES)
    assert [
        name
        for name, (numbers, _) in LACKING.items()
        if numbers == ANSWERED[name.partition("/")[2]]
    ] == []
