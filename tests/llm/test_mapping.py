"""Attributes to columns and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from observatory_store import llm
from observatory_store.llm.messages import CANONICAL
from observatory_store.llm.opentelemetry import OPENTELEMETRY
from observatory_store.rows import Attributes, AttributeValue, Payload, Span

NAMES = [field.attribute for field in OPENTELEMETRY.entries] + list(CANONICAL)

CHAT: Attributes = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.usage.input_tokens": 812,
    "gen_ai.usage.output_tokens": 64,
    "gen_ai.usage.cache_read.input_tokens": 512,
    "gen_ai.usage.cache_write.input_tokens": 8,
    "gen_ai.usage.reasoning.output_tokens": 16,
    "gen_ai.response.time_to_first_chunk": 0.5,
    "gen_ai.response.finish_reasons": ["stop", "length"],
    "gen_ai.request.stream": True,
    "gen_ai.request.temperature": 0.7,
    "gen_ai.request.top_p": 1.0,
    "gen_ai.request.max_tokens": 1000,
    "user.id": "u-1",
    "gen_ai.conversation.id": "c-1",
    "gen_ai.agent.name": "Tutor",
    "gen_ai.tool.name": "search",
    "observatory.tags": ["team=search", "tier="],
    "observatory.deployment": "eu-1",
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}],
    "gen_ai.output.messages": '[{"role": "assistant"}]',
}


def span(attributes: Attributes) -> Span:
    """Return a span with these attributes, read; the map itself is left alone."""
    rest = dict(attributes)
    fields = llm.read(rest)
    return Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=datetime(2026, 11, 1, tzinfo=UTC),
        attributes=rest,
        **fields,
    )


def same(left: AttributeValue, right: AttributeValue) -> bool:
    """Compare with types, NaN and the sign of zero."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return repr(left) == repr(right)
    return left == right


def values() -> st.SearchStrategy[AttributeValue]:
    """Give values of every type, nested ones too, and the awkward ones of each."""
    scalars: st.SearchStrategy[Any] = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.integers(-1, 3),
        st.floats(),
        st.sampled_from([0.0, -0.0, 1.0, 0.1, 2.0**31, 1e308, math.nan, math.inf]),
        st.text(max_size=8),
        st.sampled_from(["a", "1", "true", "0.5", "[", "k=v", "x" * 251, "é" * 600, "x" * 10_000]),
        st.binary(max_size=8),
    )
    keys = st.one_of(st.text(max_size=4), st.sampled_from(["$double", "$bytes", "$map", "$"]))
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=6,
    )


def fitting() -> st.SearchStrategy[AttributeValue]:
    """Give values that columns take, and few of them, so that attributes agree now and then."""
    return st.sampled_from(
        ["a", "b", "chat", 0, 1, 7.0, 0.25, True, ["stop"], ["k=v"], "7", "", []]
    )


@given(
    st.dictionaries(
        st.one_of(st.sampled_from(NAMES), st.text(max_size=5)),
        st.one_of(values(), fitting()),
        max_size=12,
    )
)
@example(CHAT)
@example({"gen_ai.conversation.id": "a", "session.id": "a"})
@example({"gen_ai.conversation.id": 1, "session.id": "1"})
@example({"gen_ai.conversation.id": "1", "session.id": 1})
@example({"gen_ai.conversation.id": "a", "session.id": "b"})
@example({"gen_ai.conversation.id": -1.0, "session.id": "b"})
@example({"gen_ai.response.finish_reasons": "stop", "gen_ai.response.time_to_first_chunk": 1})
def test_every_attribute_comes_back(attributes: Attributes) -> None:
    """A sender's attribute would be lost or altered on its way to whoever exports the span."""
    assert same(llm.restore(span(attributes)), attributes)


def test_a_chat_call_fills_its_columns_and_leaves_nothing_behind() -> None:
    """Analysts would find no numbers, or every number twice: in a column and as an attribute."""
    found = span(CHAT)
    assert found.attributes == {}
    assert found.is_inference
    assert (found.operation, found.provider) == ("chat", "openai")
    assert (found.request_model, found.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert (found.input_tokens, found.output_tokens) == (812, 64)
    assert (found.cache_read_tokens, found.cache_write_tokens) == (512, 8)
    assert (found.reasoning_tokens, found.max_tokens) == (16, 1000)
    assert (found.response_id, found.user_id, found.session_id) == ("chatcmpl-1", "u-1", "c-1")
    assert (found.agent_name, found.tool_name, found.deployment) == ("Tutor", "search", "eu-1")
    assert (found.time_to_first_token_ms, found.streaming) == (500.0, True)
    assert (found.temperature, found.top_p) == (0.7, 1.0)
    assert found.finish_reasons == ("stop", "length")
    assert found.tags == ("team=search", "tier=")
    assert found.payload == Payload(
        input_messages='[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]',
        output_messages='[{"role": "assistant"}]',
        structured=("input_messages",),
    )


@pytest.mark.parametrize(
    ("name", "value", "column", "expected"),
    [
        ("gen_ai.usage.input_tokens", "12", "input_tokens", 12),
        ("gen_ai.usage.input_tokens", 12.0, "input_tokens", 12),
        ("gen_ai.usage.input_tokens", "0" * 30 + "7", "input_tokens", 7),
        ("gen_ai.request.temperature", 1, "temperature", 1.0),
        ("gen_ai.request.temperature", "0.5", "temperature", 0.5),
        ("gen_ai.request.stream", "True", "streaming", True),
        ("gen_ai.response.finish_reasons", "stop", "finish_reasons", ("stop",)),
        ("gen_ai.response.finish_reasons", '["stop"]', "finish_reasons", ("stop",)),
        ("gen_ai.provider.name", "gemini", "provider", "gcp.gemini"),
        ("gen_ai.operation.name", "embedding", "operation", "embeddings"),
        ("gen_ai.response.time_to_first_chunk", 2, "time_to_first_token_ms", 2000.0),
        ("session.id", "s", "session_id", "s"),
        ("user.id", 42, "user_id", "42"),
    ],
)
def test_a_value_in_another_type_is_used_and_kept(
    name: str, value: AttributeValue, column: str, expected: object
) -> None:
    """A sender that writes counts as strings would have no usage, or lose what it wrote."""
    found = span({name: value})
    assert getattr(found, column) == expected
    assert found.attributes == {name: value}


UNUSABLE: list[tuple[str, str, list[AttributeValue]]] = [
    (
        "gen_ai.usage.input_tokens",
        "input_tokens",
        [-1, 2**31, 2**63, 1.5, math.nan, math.inf, True, "-1", "1e3", "٣", "9" * 40, None],
    ),
    (
        "gen_ai.request.temperature",
        "temperature",
        [math.nan, math.inf, "nan", "warm", True, [0.5], b"0"],
    ),
    ("gen_ai.request.model", "request_model", ["", "x" * 10_000, "é" * 501, 5, ["m"], {}]),
    ("user.id", "user_id", [True, 1.5, 2**64]),
    (
        "gen_ai.response.finish_reasons",
        "finish_reasons",
        [["stop", None], [""], "", '["stop"', '[{"a": 1}]', ["x"] * 129, {"0": "stop"}],
    ),
    (
        "gen_ai.response.time_to_first_chunk",
        "time_to_first_token_ms",
        [-0.1, 1e308, "soon"],
    ),
    ("gen_ai.request.stream", "streaming", [1, "yes", ""]),
    ("observatory.tags", "tags", ["team=search", ["team"], ["=x"], [{"team": "x"}]]),
]


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [(name, column, value) for name, column, unusable in UNUSABLE for value in unusable],
)
def test_an_unusable_value_only_stays(name: str, column: str, value: AttributeValue) -> None:
    """Nonsense from one sender would end up in sums and indexes, or fail a whole batch."""
    found = span({name: value})
    assert getattr(found, column) is None
    assert same(found.attributes, {name: value})


def test_a_time_that_milliseconds_round_is_kept() -> None:
    """A time to first chunk would come back with another last digit."""
    seconds = next(
        value / 10_000_000 for value in range(10_000) if value / 1e7 * 1000 / 1000 != value / 1e7
    )
    found = span({"gen_ai.response.time_to_first_chunk": seconds})
    assert found.time_to_first_token_ms == pytest.approx(seconds * 1000)
    assert found.attributes == {"gen_ai.response.time_to_first_chunk": seconds}


def test_the_conversation_goes_before_the_session() -> None:
    """Calls of one conversation would be scattered over the user's browser sessions."""
    found = span({"session.id": "s", "gen_ai.conversation.id": "c"})
    assert found.session_id == "c"
    assert found.attributes == {"session.id": "s"}


def test_a_span_without_llm_attributes_is_not_touched() -> None:
    """Every span of a plain web service would be slowed down or changed."""
    attributes: Attributes = {"http.request.method": "GET", "gen_ai.request.seed": 7}
    assert llm.read(attributes) == {}
    assert attributes == {"http.request.method": "GET", "gen_ai.request.seed": 7}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.operation.name": "chat"}, True),
        ({"gen_ai.operation.name": "text_completion"}, True),
        ({"gen_ai.operation.name": "generate_content"}, True),
        ({"gen_ai.operation.name": "embeddings"}, True),
        ({"gen_ai.operation.name": "rerank", "gen_ai.request.model": "m"}, True),
        ({"gen_ai.operation.name": "rerank"}, False),
        ({"gen_ai.response.model": "m", "gen_ai.usage.output_tokens": 0}, True),
        ({"gen_ai.request.model": "m"}, False),
        ({"gen_ai.usage.input_tokens": 5}, False),
        *(
            (
                {
                    "gen_ai.operation.name": operation,
                    "gen_ai.request.model": "m",
                    "gen_ai.usage.input_tokens": 5,
                },
                False,
            )
            for operation in (
                "invoke_agent",
                "create_agent",
                "execute_tool",
                "invoke_workflow",
                "plan",
                "retrieval",
                "search_memory",
            )
        ),
    ],
)
def test_only_calls_of_a_model_count(attributes: Attributes, expected: bool) -> None:  # noqa: FBT001
    """An agent's sum of tokens would be charged on top of the calls that it sums up."""
    assert span(attributes).is_inference is expected


def test_derived_columns_give_no_attributes() -> None:
    """An export would invent attributes that nobody sent."""
    found = Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=datetime(2026, 11, 1, tzinfo=UTC),
        environment="prod",
        is_inference=True,
        price_ref="x",
        api_key_id=3,
    )
    assert llm.restore(found) == {}
