"""Attributes of any dialects together, to columns and back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from llm.captures import without_content
from observatory_store import llm
from observatory_store.llm.mapping import CONVENTIONS
from observatory_store.rows import Attributes, Event, Span

NAMES = sorted(
    {entry.attribute for convention in CONVENTIONS for entry in convention.entries}
    | {"logfire.span_type", "gen_ai.tool.call.id", "model_name"}
)
VALUES = st.sampled_from(
    [
        "chat",
        "embedding",
        "LLM",
        "CHAIN",
        "gemini",
        "openai",
        "agent",
        "ai.generateText",
        0,
        1,
        7,
        7.0,
        "7",
        -1,
        2**63 - 1,
        0.5,
        -0.0,
        True,
        "True",
        "",
        "auto",
        ["stop"],
        '["stop"]',
        ["k=v", "beta"],
        '"2026-11-01T00:00:01Z"',
        '{"input_tokens": 7, "output_tokens": 1, "cache_read_input_tokens": 1}',
        "{'prompt_tokens': 7, 'completion_tokens': 1, 'total_tokens': 8}",
        '{"usage": {"prompt_tokens": 1}, "messages": [], "temperature": 0.5, "stream": true}',
        '{"total": 0.5}',
        '{"',
        "x" * 10_000,
    ]
)


@given(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=16),
    st.sampled_from(["First Token Stream Event", "exception"]),
)
@example({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.prompt_tokens": 7}, "exception")
@example({"gen_ai.response.time_to_first_chunk": 1.0, "llm.metrics.ttft_ms": 1000}, "exception")
@example({"gen_ai.response.time_to_first_chunk": 1.0, "tag.tags": []}, "First Token Stream Event")
def test_every_attribute_of_every_dialect_comes_back(attributes: Attributes, event: str) -> None:
    """An export would lose what one dialect says because another one says the same."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    events = (Event(time_unix_nano=int(start.timestamp() + 1) * 10**9, name=event),)
    rest = dict(attributes)
    fields: dict[str, Any] = llm.read(rest, start, events)
    span = Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=start,
        attributes=rest,
        **fields,
    )
    restored = llm.restore(span)
    said = attributes.keys() - restored.keys()  # stands in the payload, in normal form
    assert said.isdisjoint(without_content(attributes))
    expected = {name: attributes[name] for name in attributes if name not in said}
    assert same({name: restored[name] for name in expected}, expected)
    assert said or restored.keys() == expected.keys()


def same(found: Attributes, expected: Attributes) -> bool:
    """Tell whether maps have the same values, of the same types."""
    types = [{name: type(value) for name, value in each.items()} for each in (found, expected)]
    return found == expected and types[0] == types[1]
