"""What real instrumentation libraries send, in columns."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from llm.captures import CAPTURES, calls, capture, sent, without_content
from observatory_store import llm
from observatory_store.llm.convention import Field
from observatory_store.llm.mapping import CONVENTIONS
from observatory_store.llm.opentelemetry import OPENTELEMETRY
from observatory_store.rows import Span
from observatory_store.rows.provider import WELL_KNOWN

CHAT = {
    "operation": "chat",
    "provider": "openai",
    "request_model": "gpt-4o-mini",
    "response_model": "gpt-4o-mini-2024-07-18",
    "finish_reasons": ("stop",),
}
ASKED = {"temperature": 0.2, "top_p": 0.9, "max_tokens": 100}
WHO = {"user_id": "u-1", "session_id": "s-1"}
TAGGED = {"tags": ("team=search", "tag=beta")}
TUTOR = {"agent_name": "tutor"}
CLAUDE = {
    "operation": "chat",
    "provider": "anthropic",
    "request_model": "claude-sonnet-4-5",
    "response_model": "claude-sonnet-4-5",
    "max_tokens": 100,
}
COST = {"sent_cost_usd": Decimal("0.0000084")}

COLUMNS: list[tuple[str, dict[str, Any]]] = [
    ("azure_inference/chat", {**CHAT, "provider": "azure.ai.inference", "temperature": 0.2}),
    (
        "langfuse/chat",
        {**CHAT, **ASKED, "provider": None, "finish_reasons": None}
        | {"request_model": CHAT["response_model"], "service_tier": "default"},
    ),
    ("langfuse/chat_stream", {"streaming": True, "time_to_first_token_ms": 1.0}),
    ("langfuse/chat_stream", {"finish_reasons": ("stop",)}),
    ("langfuse_v3/chat_stream", {"streaming": True, "finish_reasons": ("stop",)}),
    ("langfuse/chat_user", {**WHO, **TAGGED}),
    ("langfuse_v3/chat_user", {**WHO, **TAGGED}),
    ("langfuse/by_hand", {"response_model": "claude-sonnet-4-5", "max_tokens": 100}),
    ("langfuse/by_hand", {"sent_cost_usd": Decimal("0.000192"), "time_to_first_token_ms": 1.0}),
    ("langfuse/chat_error", {"sent_cost_usd": None, "request_model": "gpt-4o-mini"}),
    ("langfuse/chat_error", {"response_model": None, "max_tokens": None}),
    ("langfuse/embeddings", {"operation": "embeddings"}),
    ("litellm/chat", {**CHAT, **ASKED, **COST, "streaming": False, "service_tier": "default"}),
    ("litellm/chat_stream", {"streaming": True, "operation": "chat"}),
    ("litellm/chat_user", {"user_id": "u-1", "session_id": None}),
    ("litellm/embeddings", {"operation": "embeddings", "provider": None, "output_tokens": 0}),
    ("litellm/responses", {"operation": "chat", "provider": None}),
    ("litellm/anthropic_cached", {**CLAUDE, "sent_cost_usd": Decimal("0.0024192")}),
    ("litellm_latest/chat", {**CHAT, **ASKED, **COST}),
    ("litellm_latest/chat_stream", {"streaming": True}),
    ("litellm_old/chat", {**CHAT, **ASKED, "streaming": False}),
    ("litellm_old/anthropic_cached", {**CLAUDE, "finish_reasons": ("stop",)}),
    ("litellm_old/chat_user", {"user_id": "u-1"}),
    ("litellm_old/embeddings", {"operation": "embeddings"}),
    ("logfire/chat", {**CHAT, **ASKED, **COST, "tags": ("tag=LLM",)}),
    ("logfire/chat_user", {**WHO}),
    ("logfire/chat_stream", {**COST, "response_model": "gpt-4o-mini"}),
    ("logfire/anthropic_cached", {**CLAUDE, "service_tier": "standard"}),
    ("logfire/embeddings", {"operation": "embeddings", "sent_cost_usd": Decimal("1.2E-7")}),
    ("logfire_v4/chat", {**CHAT, **ASKED, "finish_reasons": None}),
    ("logfire_v4/chat_stream", {"streaming": True, "provider": None}),
    ("logfire_v4/anthropic_cached", {**CLAUDE, "provider": None, "response_model": None}),
    ("logfire_v4/embeddings", {"operation": "embeddings", "provider": "openai"}),
    ("openinference/chat", {**CHAT, **ASKED, "input_audio_tokens": 0, "output_audio_tokens": 0}),
    ("openinference/chat_stream", {"streaming": True, "time_to_first_token_ms": 1.0}),
    ("openinference/chat_user", {**WHO, **TAGGED}),
    ("openinference/chat_error", {"request_model": "gpt-4o-mini", "response_model": None}),
    ("openinference/anthropic_chat", {**CLAUDE, "finish_reasons": ("end_turn",)}),
    ("openinference/anthropic_error", {"request_model": "claude-sonnet-4-5"}),
    ("openinference/anthropic_error", {"response_model": None}),
    ("openinference/embeddings", {"operation": "embeddings", "provider": "openai"}),
    ("openinference/agent", {**WHO, "operation": "chat", "finish_reasons": ("tool_calls",)}),
    ("openllmetry/chat", {**CHAT, **ASKED, "streaming": False, "service_tier": "default"}),
    ("openllmetry/chat_stream", {"streaming": True, "time_to_first_token_ms": 1.0}),
    ("openllmetry/workflow", WHO),
    ("openllmetry/anthropic_cached", {**CLAUDE, "finish_reasons": ("stop",)}),
    ("openllmetry_events/chat", {**CHAT, **ASKED}),
    ("openllmetry_events/anthropic_chat", {"operation": "chat", "provider": "anthropic"}),
    ("openllmetry_old/chat", {**CHAT, **ASKED, "streaming": False}),
    ("openllmetry_old/chat_stream", {"streaming": True, "time_to_first_token_ms": 1.0}),
    ("openllmetry_old/anthropic_cached", {"operation": "chat", "provider": "anthropic"}),
    ("openllmetry_old/anthropic_cached", {"finish_reasons": ("end_turn",)}),
    ("openllmetry_old/embeddings", {"operation": "embeddings"}),
    ("otel_genai_openai/chat", {**CHAT, **ASKED, "service_tier": "default"}),
    ("otel_genai_openai/chat_stream", {"streaming": True, "time_to_first_token_ms": 500.0}),
    ("otel_google_genai/chat", {"operation": "generate_content", "provider": "gcp.gemini"}),
    ("otel_openai_v2/chat", {**CHAT, **ASKED, "service_tier": "default"}),
    ("otel_openai_v2_latest/chat", {**CHAT, **ASKED, "service_tier": "default"}),
    ("pydantic_ai_v1/agent", {**CHAT, **COST, "finish_reasons": ("tool_call",)}),
    ("pydantic_ai_v1_logs/agent", {**CHAT, **COST, "finish_reasons": ("tool_call",)}),
    ("pydantic_ai_v2/chat_parts", {**CHAT, **COST, **TUTOR}),
    ("pydantic_ai_v4/chat_parts", {**CHAT, **COST, **TUTOR}),
    ("pydantic_ai_v5/agent_user", {"session_id": "c-1", **TUTOR}),
    ("pydantic_ai_v5/chat_stream", {**CHAT, **COST, "time_to_first_token_ms": 500.0}),
    ("pydantic_ai_v6/chat_parts", {**CHAT, **COST, **TUTOR}),
    ("vercel_v5/chat", {**CHAT, **ASKED, **WHO, **TAGGED, **TUTOR}),
    ("vercel_v5/chat_stream", {"streaming": True, "time_to_first_token_ms": 0.5}),
    ("vercel_v5/embeddings", {"operation": "embeddings", "provider": "openai", **WHO}),
    ("vercel_v7/chat", {**CHAT, **ASKED}),
    ("vercel_v7/chat_stream", {"time_to_first_token_ms": 500.0}),
    ("vercel_v7_legacy/chat", {**CHAT, **ASKED, **WHO, **TAGGED, **TUTOR}),
    ("vercel_v7_legacy/chat_stream", {"streaming": True, "time_to_first_token_ms": 0.5}),
]
"""Capture → columns of its first call."""

AROUND: list[tuple[str, str, dict[str, Any]]] = [
    ("langfuse/chat_user", "get_weather", {"operation": "execute_tool", **WHO}),
    ("langfuse/chat_user", "tutor", {"operation": "invoke_agent", **TAGGED}),
    ("openinference/agent", "get_weather", {"operation": "execute_tool"}),
    ("openinference/agent", "get_weather", {"tool_name": "get_weather", **WHO}),
    ("openinference/agent", "tutor", {"operation": None}),
    ("openllmetry/workflow", "get_weather.tool", {"tool_name": "get_weather", **WHO}),
    ("openllmetry/workflow", "get_weather.tool", {"operation": "execute_tool"}),
    ("openllmetry/workflow", "tutor_workflow.workflow", {"operation": "invoke_workflow"}),
    ("openllmetry/workflow", "ask.task", {"operation": None, **WHO}),
    ("pydantic_ai_v1/agent", "agent run", {"operation": "invoke_agent", **TUTOR}),
    ("pydantic_ai_v1/agent", "running tool", {"operation": "execute_tool"}),
    ("pydantic_ai_v2/agent", "running tool", {"tool_name": "get_weather", **TUTOR}),
    ("pydantic_ai_v5/agent", "invoke_agent tutor", {"input_tokens": None, **TUTOR}),
    ("logfire/chat_user", "tutoring {user_id=}", {"user_id": "u-1", "session_id": None}),
    ("logfire/chat_user", "tutoring {user_id=}", TAGGED),
    ("vercel_v5/chat_tools", "ai.generateText", {"operation": "invoke_agent", "input_tokens": 24}),
    ("vercel_v5/chat_tools", "ai.toolCall", {"tool_name": "get_weather"}),
    ("vercel_v5/embeddings", "ai.embedMany", {"operation": "embeddings", "input_tokens": 6}),
    ("vercel_v7/chat_tools", "invoke_agent gpt-4o-mini", {"input_tokens": 48, **TUTOR, **WHO}),
    ("vercel_v7_legacy/chat_tools", "ai.generateText", {"input_tokens": 48, "output_tokens": 16}),
    ("litellm/chat", "raw_gen_ai_request", {"operation": None, "input_tokens": None}),
]
"""Capture → columns of a span that is no call."""

NO_PROVIDER = {
    "langfuse": "does not name it",
    "langfuse_v3": "does not name it",
    "litellm/embeddings": "sends an empty name",
    "litellm/responses": "sends an empty name",
    "litellm/responses_stream": "sends an empty name",
    "litellm_latest/embeddings": "sends an empty name",
    "litellm_old/embeddings": "sends an empty name",
    "logfire_v4": "names it only with OpenAI's usage, in no stream",
}
NO_MODEL = {"openllmetry_events/anthropic_chat": "does not name it"}


def columns(span: Span, names: dict[str, Any]) -> dict[str, Any]:
    """Return these columns of a span."""
    return {name: getattr(span, name) for name in names}


@pytest.mark.parametrize(("name", "expected"), COLUMNS)
def test_a_call_has_its_columns(name: str, expected: dict[str, Any]) -> None:
    """Calls of this library would be missing where one filters or groups by a column."""
    assert columns(calls(name)[0], expected) == expected


@pytest.mark.parametrize(("name", "title", "expected"), AROUND)
def test_what_is_around_a_call_is_no_call(name: str, title: str, expected: dict[str, Any]) -> None:
    """An agent's sum would be charged on top of its calls, or its tools not be found."""
    found = [span for span in capture(name) if span.name == title]
    assert found
    for span in found:
        assert not span.is_inference
        assert columns(span, expected) == expected


@pytest.mark.parametrize("name", CAPTURES)
def test_every_call_names_its_operation_and_model(name: str) -> None:
    """Calls would be counted without a price, or in no group at all."""
    for span in calls(name):
        assert span.operation in {"chat", "embeddings", "generate_content"}
        if name not in NO_MODEL:
            assert span.response_model or span.request_model
        if name not in NO_PROVIDER and name.partition("/")[0] not in NO_PROVIDER:
            assert span.provider in WELL_KNOWN


TOLD_BY_CONTENT = {"gen_ai.operation.name", "gen_ai.response.finish_reasons"}


@pytest.mark.parametrize("name", CAPTURES)
def test_every_attribute_of_a_capture_comes_back(name: str) -> None:
    """An export would lose, add or change what an application sent.

    What was said comes back under the current names, as tests/llm/test_messages.py checks, and with
    it what only it told.
    """
    for span, attributes in zip(capture(name), sent(name), strict=True):
        restored = without_content(llm.restore(span))
        expected = without_content(attributes)
        assert expected.items() <= restored.items()
        assert restored.keys() - expected.keys() <= TOLD_BY_CONTENT


@pytest.mark.parametrize("name", CAPTURES)
def test_only_canonical_attributes_leave(name: str) -> None:
    """What another tool reads out of `attributes` would be gone."""
    canonical = {entry.attribute for entry in OPENTELEMETRY.entries if isinstance(entry, Field)}
    for span, attributes in zip(capture(name), sent(name), strict=True):
        assert without_content(attributes).keys() - span.attributes.keys() <= canonical
        assert span.attributes.items() <= attributes.items()


def test_conditions_ask_for_nothing_that_is_taken_out() -> None:
    """A column could not be told from what a removed attribute gave: exports would add one."""
    canonical = {entry.attribute for entry in OPENTELEMETRY.entries}
    asked: set[str] = set()

    class Recorder(dict[str, Any]):
        def get(self, key: str, default: object = None) -> Any:
            asked.add(key)
            return default

        def __contains__(self, key: object) -> bool:
            asked.add(str(key))
            return False

    for convention in CONVENTIONS:
        for entry in convention.entries:
            if entry.where is not None:
                entry.where(Recorder())
    assert asked
    assert asked.isdisjoint(canonical - {"session.id"})
