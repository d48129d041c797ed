"""Attributes of other dialects that cannot be used: each is left alone, the others are read."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from observatory_store import llm
from observatory_store.llm.conversion import MAX_COUNT
from observatory_store.rows import Attributes, AttributeValue

START = datetime(2026, 11, 1, tzinfo=UTC)
AROUND: Attributes = {
    "openinference.span.kind": "LLM",
    "llm.token_count.completion": 8,
    "logfire.span_type": "span",
}

BAD_COUNTS: list[AttributeValue] = [
    -1,
    2**31,
    2**63 - 1,
    1.5,
    math.nan,
    math.inf,
    True,
    "-1",
    "1e3",
]

UNUSABLE: list[tuple[str, str, list[AttributeValue]]] = [
    ("llm.token_count.prompt", "input_tokens", BAD_COUNTS),
    ("gen_ai.usage.prompt_tokens", "input_tokens", BAD_COUNTS),
    ("ai.usage.tokens", "input_tokens", BAD_COUNTS),
    (
        "llm.model_name",
        "request_model",
        ["", "x" * 10_000, 5, ["m"], None],
    ),
    (
        "operation.cost",
        "sent_cost_usd",
        [
            -0.1,
            -0.0,
            math.nan,
            math.inf,
            1e12,
            1e-300,
            "free",
            "",
            "1_000",
            "NaN",
            "-1",
            "9" * 40,
            True,
            [0.1],
            {"total": 0.1},
        ],
    ),
    (
        "langfuse.observation.usage_details",
        "input_tokens",
        [
            "",
            "{",
            "[]",
            "null",
            '{"input": ',
            '{"input": -1}',
            '{"input": "many"}',
            '{"input": 1e999}',
            '{"input": 2147483648}',
            '{"input": 2147483647, "cache_read_input_tokens": 1}',
            '{"input": {"input": 1}}',
            '{"input": ' * 10_000,
            '{"a": "' + "x" * 100_000 + '", "input": 1}',
            5,
            [1],
        ],
    ),
    (
        "metadata.usage_object",
        "input_tokens",
        [
            "{'prompt_tokens': __import__('os').getpid()}",
            "{'prompt_tokens': len('ab')}",
            "{'prompt_tokens': 1 + 1}",
            "{'prompt_tokens': [x for x in (1,)][0]}",
            "{'prompt_tokens': -5}",
            "{'prompt_tokens': 5",
            "{'prompt_tokens': " * 10_000,
            "{'note': \"it's\", 'prompt_tokens': 5}",
            "{}",
        ],
    ),
    (
        "langfuse.observation.cost_details",
        "sent_cost_usd",
        ['{"total": "much"}', '{"total": -1}', '{"total": 0, "input": 0}', "{}", "[1]", "0.1"],
    ),
    (
        "langfuse.observation.completion_start_time",
        "time_to_first_token_ms",
        ["soon", '"soon"', "2026-11-01T00:00:01", "2025-01-01T00:00:00Z", "", 5, '"'],
    ),
    ("ai.response.msToFirstChunk", "time_to_first_token_ms", [-1, math.nan, "soon"]),
    ("logfire.tags", "tags", [[], [""], ["x" * 10_000], "", [1], ["a"] * 200, '["a"', {"a": "b"}]),
    ("llm.invocation_parameters", "temperature", ["{", '{"temperature": "warm"}', "[0.2]"]),
    ("response_data", "input_tokens", ["{", '{"usage": 5}', '{"usage": [{}]}', "[]"]),
    ("user_id", "user_id", ["", "[Scrubbed due to 'session']", True, 2.5]),
]


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [(name, column, value) for name, column, unusable in UNUSABLE for value in unusable],
)
def test_what_cannot_be_used_only_stays(name: str, column: str, value: AttributeValue) -> None:
    """Nonsense from one sender would end up in sums, fail its batch, or run as a program."""
    attributes = {**AROUND, name: value}
    fields = llm.read(attributes, START)
    assert column not in fields
    assert fields["operation"] == "chat"
    assert fields["output_tokens"] == 8
    assert attributes.keys() == {*AROUND, name}
    assert attributes[name] is value


@pytest.mark.parametrize(
    ("name", "value", "column", "expected"),
    [
        ("llm.token_count.prompt", "24", "input_tokens", 24),
        ("llm.token_count.prompt", 24.0, "input_tokens", 24),
        ("llm.token_count.prompt", MAX_COUNT, "input_tokens", MAX_COUNT),
        ("operation.cost", "0.10", "sent_cost_usd", Decimal("0.10")),
        ("operation.cost", 0.1, "sent_cost_usd", Decimal("0.1")),
        ("operation.cost", 0, "sent_cost_usd", Decimal(0)),
        ("llm.is_streaming", "True", "streaming", True),
        ("tag.tags", '["beta", "team=x"]', "tags", ("tag=beta", "team=x")),
        ("tag.tags", "beta", "tags", ("tag=beta",)),
        ("tag.tags", ["=beta"], "tags", ("tag==beta",)),
        ("llm.finish_reason", '["stop", "length"]', "finish_reasons", ("stop", "length")),
        ("metadata.user_api_key_user_id", 42, "user_id", "42"),
        ("gen_ai.cost.total_cost", 5.4e-06, "sent_cost_usd", Decimal("0.0000054")),
        (
            "langfuse.observation.cost_details",
            '{"input": 0.1, "output": 0.2}',
            "sent_cost_usd",
            Decimal("0.3"),
        ),
        (
            "langfuse.observation.completion_start_time",
            "2026-11-01T01:00:00.25+01:00",
            "time_to_first_token_ms",
            250.0,
        ),
    ],
)
def test_a_value_in_another_type_is_used(
    name: str, value: AttributeValue, column: str, expected: Any
) -> None:
    """A sender that writes everything as text would have no usage."""
    attributes = {name: value}
    found = llm.read(attributes, START)[column]
    assert (found, type(found)) == (expected, type(expected))
    assert attributes == {name: value}


@pytest.mark.parametrize("value", [-5, 12.5, 2**63 - 1, 2**31, "many", True, [1], math.inf])
@pytest.mark.parametrize("name", ["gen_ai.usage.input_tokens", "llm.token_count.prompt"])
def test_a_count_that_cannot_be_used_is_flagged(name: str, value: AttributeValue) -> None:
    """A call without usage looks like one whose library sends none: nobody would mend it."""
    fields = llm.read({**AROUND, name: value}, START)
    assert (fields.get("input_tokens"), fields["usage_conflict"]) == (None, "unusable_count")
    if value != math.inf:  # which JSON does not have
        usage = msgspec.json.encode({"prompt_tokens": value}).decode()
        fields = llm.read({**AROUND, "metadata.usage_object": usage}, START)
        assert fields["usage_conflict"] == "unusable_count"


@pytest.mark.parametrize("value", ["", None, math.nan])
def test_a_count_that_is_not_said_is_not_flagged(value: AttributeValue) -> None:
    """LiteLLM sends what it does not know as an empty text, JavaScript as NaN."""
    for name in ("gen_ai.usage.input_tokens", "llm.token_count.prompt"):
        assert "usage_conflict" not in llm.read({**AROUND, name: value}, START)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (
            {"input_tokens": 10, "audio.input_tokens": 6, "image.input_tokens": 5},
            "media_over_input",
        ),
        ({"input_tokens": 11, "audio.input_tokens": 6, "image.input_tokens": 5}, None),
        ({"output_tokens": 4, "audio.output_tokens": 5}, "media_over_output"),
        (
            {"output_tokens": 8, "audio.output_tokens": 5, "reasoning.output_tokens": 4},
            "media_over_output",
        ),
        ({"output_tokens": 9, "image.output_tokens": 5, "reasoning.output_tokens": 4}, None),
        ({"audio.output_tokens": 5, "image.input_tokens": 5}, None),
    ],
)
def test_audio_and_images_are_within_their_whole(
    counts: dict[str, int], expected: str | None
) -> None:
    """Such a call has no cost, and nothing would tell why."""
    attributes = {f"gen_ai.usage.{name}": count for name, count in counts.items()}
    assert (
        llm.read({"gen_ai.operation.name": "chat", **attributes}).get("usage_conflict") == expected
    )
