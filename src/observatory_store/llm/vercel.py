"""Vercel's AI SDK: ``ai.*`` of versions 5 to 7, and what version 7 adds to the GenAI names."""

from __future__ import annotations

from observatory_store.llm import conversion, documents
from observatory_store.llm.convention import TOTAL_TOKENS, Convention, Document, Field
from observatory_store.llm.providers import provider

_CALLS = {
    f"ai.{name}.{step}": operation
    for name, step, operation in (
        ("generatetext", "dogenerate", "chat"),
        ("generateobject", "dogenerate", "chat"),
        ("streamtext", "dostream", "chat"),
        ("streamobject", "dostream", "chat"),
        ("embed", "doembed", "embeddings"),
        ("embedmany", "doembed", "embeddings"),
    )
}
_AROUND_CHATS = {call.rpartition(".")[0] for call, name in _CALLS.items() if name == "chat"}
_AROUND_EMBEDDINGS = {"ai.embed", "ai.embedmany"}
_OPERATIONS = (
    _CALLS
    | dict.fromkeys(_AROUND_CHATS, "invoke_agent")
    | dict.fromkeys(_AROUND_EMBEDDINGS, "embeddings")
    | {"ai.toolcall": "execute_tool"}
)
_STREAMS = {name: True for name in _OPERATIONS if "stream" in name}


def _application(column: str, *names: str) -> tuple[Field, ...]:
    """Return fields for what an application calls as it likes, in version 5 and in version 7."""
    return tuple(
        Field(
            attribute=f"{prefix}.{name}",
            column=column,
            convert=conversion.labels if column == "tags" else conversion.identifier,
        )
        for prefix in ("ai.telemetry.metadata", "ai.settings.context")
        for name in names
    )


VERCEL = Convention(
    name="Vercel AI SDK",
    revision="ai 5.0.277 with @ai-sdk/anthropic 2.0.45, and 7.0.173",
    entries=(
        Field(
            attribute="ai.operationId", column="operation", convert=conversion.one_of(_OPERATIONS)
        ),
        # The span around the call has its tokens again, or its last step's.
        Field(
            attribute="ai.operationId",
            column="is_inference",
            convert=conversion.one_of(dict.fromkeys(_AROUND_CHATS | _AROUND_EMBEDDINGS, False)),
        ),
        Field(attribute="ai.operationId", column="streaming", convert=conversion.one_of(_STREAMS)),
        Field(attribute="ai.model.provider", column="provider", convert=provider),
        Field(attribute="ai.model.id", column="request_model", convert=conversion.text),
        Field(attribute="ai.response.model", column="response_model", convert=conversion.text),
        Field(attribute="ai.response.id", column="response_id", convert=conversion.text),
        Field(
            attribute="ai.response.finishReason",
            column="finish_reasons",
            convert=conversion.texts,
        ),
        Field(
            attribute="ai.response.msToFirstChunk",
            column="time_to_first_token_ms",
            convert=conversion.elapsed,
        ),
        # In version 5 only this tells what of Claude's input was cached, which all else leaves out.
        Document(attribute="ai.response.providerMetadata", read=documents.usage_of_provider),
        *(
            Field(attribute=f"ai.usage.{name}", column=column, convert=conversion.count)
            for name, column in (
                ("inputTokens", "input_tokens"),
                ("promptTokens", "input_tokens"),
                ("tokens", "input_tokens"),
                ("outputTokens", "output_tokens"),
                ("completionTokens", "output_tokens"),
                ("inputTokenDetails.cacheReadTokens", "cache_read_tokens"),
                ("cachedInputTokens", "cache_read_tokens"),
                ("inputTokenDetails.cacheWriteTokens", "cache_write_tokens"),
                ("outputTokenDetails.reasoningTokens", "reasoning_tokens"),
                ("reasoningTokens", "reasoning_tokens"),
                ("totalTokens", TOTAL_TOKENS),
            )
        ),
        Field(attribute="ai.settings.temperature", column="temperature", convert=conversion.number),
        Field(attribute="ai.settings.topP", column="top_p", convert=conversion.number),
        Field(
            attribute="ai.settings.maxOutputTokens", column="max_tokens", convert=conversion.count
        ),
        Field(attribute="ai.toolCall.name", column="tool_name", convert=conversion.text),
        Field(attribute="ai.telemetry.functionId", column="agent_name", convert=conversion.text),
        *_application("user_id", "userId", "user_id"),
        *_application("session_id", "sessionId", "session_id"),
        *_application("tags", "tags"),
    ),
    first_token_events=frozenset({"ai.stream.firstChunk"}),
)
