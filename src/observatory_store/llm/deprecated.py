"""Names that the OpenTelemetry conventions had before, and those that never got in."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.llm.convention import TOTAL_TOKENS, Convention, Field
from observatory_store.llm.providers import provider

DEPRECATED = Convention(
    name="deprecated GenAI",
    revision="opentelemetry-instrumentation-openai-v2 2.4b0, azure-ai-inference 1.0.0b9",
    entries=(
        Field(attribute="gen_ai.system", column="provider", convert=provider),
        Field(
            attribute="gen_ai.usage.prompt_tokens", column="input_tokens", convert=conversion.count
        ),
        Field(
            attribute="gen_ai.usage.completion_tokens",
            column="output_tokens",
            convert=conversion.count,
        ),
        Field(
            attribute="gen_ai.usage.cache_creation.input_tokens",
            column="cache_write_tokens",
            convert=conversion.count,
        ),
        Field(attribute="gen_ai.usage.total_tokens", column=TOTAL_TOKENS, convert=conversion.count),
        Field(
            attribute="gen_ai.openai.response.service_tier",
            column="service_tier",
            convert=conversion.service_tier,
        ),
        # The name of a metric, as Pydantic AI and Vercel put it on spans.
        Field(
            attribute="gen_ai.client.operation.time_to_first_chunk",
            column="time_to_first_token_ms",
            convert=conversion.milliseconds,
        ),
        Field(attribute="enduser.id", column="user_id", convert=conversion.identifier),
    ),
)
