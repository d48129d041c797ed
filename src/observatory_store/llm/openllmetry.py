"""OpenLLMetry, the conventions of Traceloop: its own names, and those it was first to use."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.llm.convention import TOTAL_TOKENS, Convention, Field, equals
from observatory_store.llm.providers import provider

_REQUEST_TYPES = {
    "chat": "chat",
    # Claude's messages in 0.38, and all of LiteLLM's chats.
    "completion": "chat",
    "embedding": "embeddings",
    "responses": "chat",
}
_KINDS = {"agent": "invoke_agent", "tool": "execute_tool", "workflow": "invoke_workflow"}

OPENLLMETRY = Convention(
    name="OpenLLMetry",
    revision="opentelemetry-instrumentation-openai and -anthropic 0.38.12 and 0.62.4",
    entries=(
        Field(
            attribute="traceloop.span.kind",
            column="operation",
            convert=conversion.one_of(_KINDS),
        ),
        Field(
            attribute="llm.request.type",
            column="operation",
            convert=conversion.one_of(_REQUEST_TYPES),
        ),
        Field(attribute="llm.vendor", column="provider", convert=provider),
        Field(attribute="llm.request.model", column="request_model", convert=conversion.text),
        Field(attribute="llm.response.model", column="response_model", convert=conversion.text),
        Field(
            attribute="gen_ai.usage.cache_read_input_tokens",
            column="cache_read_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.cache_creation_input_tokens",
            column="cache_write_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.reasoning_tokens",
            column="reasoning_tokens",
            convert=conversion.count,
        ),
        Field(attribute="llm.usage.total_tokens", column=TOTAL_TOKENS, convert=conversion.count),
        Field(attribute="gen_ai.is_streaming", column="streaming", convert=conversion.flag),
        Field(attribute="llm.is_streaming", column="streaming", convert=conversion.flag),
        Field(
            attribute="gen_ai.completion.0.finish_reason",
            column="finish_reasons",
            convert=conversion.texts,
        ),
        Field(
            attribute="traceloop.association.properties.user_id",
            column="user_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="traceloop.association.properties.session_id",
            column="session_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="traceloop.entity.name",
            column="agent_name",
            convert=conversion.text,
            where=equals("traceloop.span.kind", "agent"),
        ),
        Field(
            attribute="traceloop.entity.name",
            column="tool_name",
            convert=conversion.text,
            where=equals("traceloop.span.kind", "tool"),
        ),
    ),
    first_token_events=frozenset(
        {"gen_ai.content.completion.chunk", "llm.content.completion.chunk"}
    ),
)
