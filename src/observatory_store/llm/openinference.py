"""OpenInference, the conventions of Arize Phoenix."""

from __future__ import annotations

from observatory_store.llm import conversion, documents
from observatory_store.llm.convention import TOTAL_TOKENS, Convention, Document, Field, has
from observatory_store.llm.providers import provider

_OPERATIONS = {
    "agent": "invoke_agent",
    "embedding": "embeddings",
    "llm": "chat",
    "retriever": "retrieval",
    "tool": "execute_tool",
}

OPENINFERENCE = Convention(
    name="OpenInference",
    revision="openinference-instrumentation-openai 0.1.66, -anthropic 3.1.0, -langchain 0.1.80",
    entries=(
        Field(
            attribute="openinference.span.kind",
            column="operation",
            convert=conversion.one_of(_OPERATIONS),
        ),
        # A chain may repeat the sums of the calls below it.
        Field(
            attribute="openinference.span.kind",
            column="is_inference",
            convert=conversion.one_of({"chain": False}),
        ),
        Field(attribute="llm.provider", column="provider", convert=provider),
        Field(attribute="llm.system", column="provider", convert=provider),
        Field(attribute="llm.request.model_name", column="request_model", convert=conversion.text),
        Field(
            attribute="llm.response.model_name", column="response_model", convert=conversion.text
        ),
        Document(attribute="llm.invocation_parameters", read=documents.parameters),
        Document(attribute="embedding.invocation_parameters", read=documents.parameters),
        # One name for both models: the one that answered, if anything did.
        Field(
            attribute="llm.model_name",
            column="response_model",
            convert=conversion.text,
            where=has("llm.token_count.prompt"),
        ),
        Field(attribute="llm.model_name", column="request_model", convert=conversion.text),
        Field(
            attribute="embedding.model_name",
            column="response_model",
            convert=conversion.text,
            where=has("llm.token_count.prompt"),
        ),
        Field(attribute="embedding.model_name", column="request_model", convert=conversion.text),
        Field(attribute="llm.token_count.prompt", column="input_tokens", convert=conversion.count),
        Field(
            attribute="llm.token_count.completion",
            column="output_tokens",
            convert=conversion.count,
        ),
        Field(attribute="llm.token_count.total", column=TOTAL_TOKENS, convert=conversion.count),
        Field(
            attribute="llm.token_count.prompt_details.cache_read",
            column="cache_read_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="llm.token_count.prompt_details.cache_write",
            column="cache_write_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="llm.token_count.prompt_details.audio",
            column="input_audio_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="llm.token_count.completion_details.audio",
            column="output_audio_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="llm.token_count.completion_details.reasoning",
            column="reasoning_tokens",
            convert=conversion.count,
        ),
        Field(attribute="llm.cost.total", column="sent_cost_usd", convert=conversion.cost),
        Field(attribute="llm.finish_reason", column="finish_reasons", convert=conversion.texts),
        # Names that other conventions have for other things.
        Field(
            attribute="agent.name",
            column="agent_name",
            convert=conversion.text,
            where=has("openinference.span.kind"),
        ),
        Field(
            attribute="tool.name",
            column="tool_name",
            convert=conversion.text,
            where=has("openinference.span.kind"),
        ),
        Field(attribute="tag.tags", column="tags", convert=conversion.labels),
    ),
    first_token_events=frozenset({"First Token Stream Event"}),
)
