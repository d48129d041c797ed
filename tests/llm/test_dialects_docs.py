"""The table of what each library fills is what its captures show."""

from __future__ import annotations

from pathlib import Path

from llm.captures import CAPTURES, capture
from observatory_store.llm.mapping import CONVENTIONS

DOCS = Path(__file__).parents[2] / "docs"

COLUMNS = {
    "GenAI": ("otel_genai_openai", "otel_google_genai", "otel_openai_v2_latest"),
    "deprecated": ("otel_openai_v2", "azure_inference"),
    "OpenInference": ("openinference",),
    "OpenLLMetry": ("openllmetry", "openllmetry_events", "openllmetry_old"),
    "Langfuse": ("langfuse", "langfuse_v3"),
    "Vercel": ("vercel_v5", "vercel_v7", "vercel_v7_legacy"),
    "Logfire": ("logfire", "logfire_v4"),
    "Pydantic AI": tuple(
        f"pydantic_ai_{version}" for version in ("v1", "v1_logs", "v2", "v4", "v5", "v6")
    ),
    "LiteLLM": ("litellm", "litellm_latest", "litellm_old"),
}
"""Heading → folders of fixtures."""

FIELDS = (
    "operation",
    "provider",
    "request_model",
    "response_model",
    "response_id",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "service_tier",
    "sent_cost_usd",
    "time_to_first_token_ms",
    "finish_reasons",
    "streaming",
    "temperature",
    "top_p",
    "max_tokens",
    "user_id",
    "session_id",
    "agent_name",
    "tool_name",
    "tags",
)


def matrix() -> str:
    """Return the table, in Markdown."""
    filled: dict[str, set[str]] = {heading: set() for heading in COLUMNS}
    for name in CAPTURES:
        # What the Anthropic client says of itself is not the library's doing.
        spans = [
            span for span in capture(name) if span.resource.scope_name != "com.anthropic.sdk.python"
        ]
        folder = name.partition("/")[0]
        (heading,) = [heading for heading, folders in COLUMNS.items() if folder in folders]
        filled[heading] |= {
            field for field in FIELDS for span in spans if getattr(span, field) is not None
        }
    marks = {
        field: ["●" if field in filled[heading] else "" for heading in COLUMNS] for field in FIELDS
    }
    lines = [
        f"| Column | {' | '.join(COLUMNS)} |",
        "|---" * (len(COLUMNS) + 1) + "|",
        *(f"| `{field}` | {' | '.join(each)} |" for field, each in marks.items()),
    ]
    return "\n".join(lines).replace("|  |", "| |").replace("|  |", "| |")


def test_the_table_of_columns_is_what_the_captures_show() -> None:
    """Readers would choose a library by what it no longer, or not yet, gives."""
    assert matrix() in (DOCS / "dialects.md").read_text()


def test_every_mapped_attribute_is_documented() -> None:
    """Whoever wonders where a number is from would not find it."""
    text = (DOCS / "dialects.md").read_text() + (DOCS / "genai-attributes.md").read_text()
    attributes = {entry.attribute for each in CONVENTIONS for entry in each.entries}
    assert {name for name in attributes if f"`{name}`" not in text} == set()
