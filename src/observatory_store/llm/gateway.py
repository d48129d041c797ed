"""The names of older gateways, from before there were conventions."""

from __future__ import annotations

from observatory_store.llm import conversion
from observatory_store.llm.convention import Convention, Field

GATEWAY = Convention(
    name="older gateways",
    revision="no library: names that gateways of 2024 and 2025 made up",
    entries=(
        # llm.provider and llm.usage.total_tokens are in OpenInference's and OpenLLMetry's tables.
        Field(attribute="llm.model", column="request_model", convert=conversion.text),
        *(
            Field(attribute=f"llm.usage.{name}", column=column, convert=conversion.count)
            for name, column in (
                ("input_tokens", "input_tokens"),
                ("prompt_tokens", "input_tokens"),
                ("output_tokens", "output_tokens"),
                ("completion_tokens", "output_tokens"),
                ("cached_tokens", "cache_read_tokens"),
                ("cache_read_tokens", "cache_read_tokens"),
                ("cache_write_tokens", "cache_write_tokens"),
                ("reasoning_tokens", "reasoning_tokens"),
            )
        ),
        Field(attribute="llm.cost.total_usd", column="sent_cost_usd", convert=conversion.cost),
        Field(
            attribute="llm.metrics.ttft_ms",
            column="time_to_first_token_ms",
            convert=conversion.elapsed,
        ),
    ),
)
