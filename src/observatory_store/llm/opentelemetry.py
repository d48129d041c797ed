"""The OpenTelemetry semantic conventions for generative AI."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.llm.convention import Convention, Field
from observatory_store.llm.inference import operation
from observatory_store.llm.providers import provider

OPENTELEMETRY = Convention(
    name="opentelemetry",
    revision="open-telemetry/semantic-conventions-genai, main, November 2026 (Development)",
    entries=(
        Field(
            attribute="gen_ai.operation.name",
            column="operation",
            convert=operation,
        ),
        Field(
            attribute="gen_ai.provider.name",
            column="provider",
            convert=provider,
        ),
        Field(
            attribute="gen_ai.request.model",
            column="request_model",
            convert=conversion.text,
        ),
        Field(
            attribute="gen_ai.response.model",
            column="response_model",
            convert=conversion.text,
        ),
        Field(
            attribute="gen_ai.response.id",
            column="response_id",
            convert=conversion.text,
        ),
        Field(
            attribute="gen_ai.usage.input_tokens",
            column="input_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.output_tokens",
            column="output_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.cache_read.input_tokens",
            column="cache_read_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.cache_write.input_tokens",
            column="cache_write_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.reasoning.output_tokens",
            column="reasoning_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.audio.input_tokens",
            column="input_audio_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.audio.output_tokens",
            column="output_audio_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.image.input_tokens",
            column="input_image_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.image.output_tokens",
            column="output_image_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="observatory.web_search_requests",
            column="web_search_requests",
            convert=conversion.count,
        ),
        Field(
            attribute="openai.response.service_tier",
            column="service_tier",
            convert=conversion.service_tier,
        ),
        Field(
            attribute="gen_ai.response.time_to_first_chunk",
            column="time_to_first_token_ms",
            convert=conversion.milliseconds,
            restore=conversion.seconds,
        ),
        Field(
            attribute="gen_ai.response.finish_reasons",
            column="finish_reasons",
            convert=conversion.texts,
            restore=list,
        ),
        Field(
            attribute="gen_ai.request.stream",
            column="streaming",
            convert=conversion.flag,
        ),
        Field(
            attribute="gen_ai.request.temperature",
            column="temperature",
            convert=conversion.number,
        ),
        Field(
            attribute="gen_ai.request.top_p",
            column="top_p",
            convert=conversion.number,
        ),
        Field(
            attribute="gen_ai.request.max_tokens",
            column="max_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="user.id",
            column="user_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="gen_ai.conversation.id",
            column="session_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="session.id",
            column="session_id",
            convert=conversion.identifier,
        ),
        Field(
            attribute="gen_ai.agent.name",
            column="agent_name",
            convert=conversion.text,
        ),
        Field(
            attribute="gen_ai.tool.name",
            column="tool_name",
            convert=conversion.text,
        ),
        Field(
            attribute="observatory.tags",
            column="tags",
            convert=conversion.tags,
            restore=list,
        ),
        Field(
            attribute="observatory.deployment",
            column="deployment",
            convert=conversion.text,
        ),
        # What the Anthropic client's own spans say beside the conventions.
        Field(
            attribute="anthropic.response.service_tier",
            column="service_tier",
            convert=conversion.service_tier,
        ),
        Field(
            attribute="anthropic.message.stop_reason",
            column="finish_reasons",
            convert=conversion.texts,
        ),
    ),
    payload={
        "gen_ai.input.messages": "input_messages",
        "gen_ai.output.messages": "output_messages",
        "gen_ai.system_instructions": "system_instructions",
        "gen_ai.tool.definitions": "tool_definitions",
        "gen_ai.tool.call.arguments": "tool_arguments",
        "gen_ai.tool.call.result": "tool_result",
    },
)
