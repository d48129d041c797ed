"""Pydantic's Logfire and Pydantic AI."""

from __future__ import annotations

from observatory_store.llm import conversion, documents
from observatory_store.llm.convention import Convention, Document, Field, has
from observatory_store.rows import AttributeValue


def _baggage(value: AttributeValue) -> str | None:
    found = conversion.identifier(value)
    return None if found is None or found.startswith("[Scrubbed due to") else found


LOGFIRE = Convention(
    name="Logfire, Pydantic AI",
    revision="logfire 4.0.0 and 5.2.0, pydantic-ai-slim 1.0.10 and 2.68.0",
    entries=(
        # In format 1 an agent's span has the sum of its calls under a call's own names.
        Field(
            attribute="agent_name",
            column="operation",
            convert=conversion.always("invoke_agent"),
            where=has("model_name"),
        ),
        Field(
            attribute="tool_response",
            column="operation",
            convert=conversion.always("execute_tool"),
            where=has("gen_ai.tool.call.id"),
        ),
        Field(
            attribute="agent_name",
            column="agent_name",
            convert=conversion.text,
            where=has("model_name"),
        ),
        Document(attribute="gen_ai.usage.raw", read=documents.usage),
        Document(
            attribute="response_data",
            read=documents.usage_of_response,
            where=has("logfire.span_type"),
        ),
        Document(attribute="request_data", read=documents.request, where=has("logfire.span_type")),
        *(
            Field(attribute=f"gen_ai.usage.details.{name}", column=column, convert=conversion.count)
            for name, column in (
                ("cache_read_tokens", "cache_read_tokens"),
                ("cache_read_input_tokens", "cache_read_tokens"),
                ("cache_write_tokens", "cache_write_tokens"),
                ("cache_creation_input_tokens", "cache_write_tokens"),
                ("reasoning_tokens", "reasoning_tokens"),
                ("input_audio_tokens", "input_audio_tokens"),
                ("output_audio_tokens", "output_audio_tokens"),
                ("web_search_requests", "web_search_requests"),
            )
        ),
        Field(attribute="operation.cost", column="sent_cost_usd", convert=conversion.cost),
        # Baggage, which Logfire copies to spans.
        Field(
            attribute="user_id",
            column="user_id",
            convert=_baggage,
            where=has("logfire.span_type"),
        ),
        Field(
            attribute="session_id",
            column="session_id",
            convert=_baggage,
            where=has("logfire.span_type"),
        ),
        Field(attribute="logfire.tags", column="tags", convert=conversion.labels),
    ),
)
