"""The same call on several spans of one request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from observatory_store import llm
from observatory_store.rows import Span

START = datetime(2026, 11, 1, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(["input_tokens", "output_tokens", "cost_usd", "price_ref"])


def call(number: int, parent: int | None = None, **fields: Any) -> Span:
    """Return a priced call; with a parent, inside that one."""
    defaults: dict[str, Any] = {
        "trace_id": "a" * 32,
        "is_inference": True,
        "operation": "chat",
        "request_model": "m",
        "input_tokens": 24,
        "output_tokens": 8,
        "cost_usd": Decimal(1),
        "price_ref": "p",
    }
    return Span(
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        start_time=START + timedelta(milliseconds=number),
        **(defaults | fields),
    )


def counted(*spans: Span) -> list[int]:
    """Return the numbers of the spans that count, whatever their order in the request."""
    found = llm.settle_repeats(list(spans))
    again = llm.settle_repeats(list(reversed(spans)))
    assert sorted(found, key=lambda span: span.span_id) == sorted(
        again, key=lambda span: span.span_id
    )
    assert all(
        span.cost_usd is None and not span.price_ref for span in found if span.usage_conflict
    )
    return sorted(int(span.span_id, 16) for span in found if span.is_inference)


def conflicts(*spans: Span) -> list[str | None]:
    """Return what is said of each span."""
    return [span.usage_conflict for span in llm.settle_repeats(list(spans))]


def test_a_client_that_traces_itself_is_counted_once() -> None:
    """Every call of Claude would cost twice what it does."""
    assert counted(call(1), call(2, 1)) == [1]
    assert conflicts(call(1), call(2, 1)) == [None, "repeats_parent"]
    assert conflicts(call(1), call(2, 1, usage_conflict="total_mismatch")) == [
        None,
        "repeats_parent,total_mismatch",
    ]


def test_three_layers_are_counted_once() -> None:
    """A framework over an instrumentation over a client would still count two calls."""
    assert counted(call(1), call(2, 1), call(3, 2)) == [1]


def test_the_same_answer_is_found_through_spans_between() -> None:
    """An HTTP span or a step between the two layers would hide that they are one call."""
    between = call(2, 1, is_inference=False, operation=None)
    inner = call(3, 2, response_id="msg_1", input_tokens=20)
    assert counted(call(1, response_id="msg_1"), between, inner) == [1]
    assert counted(call(1), between, inner) == [1, 3]


def test_calls_side_by_side_both_count() -> None:
    """The second of two equal calls would be free."""
    agent = call(1, is_inference=False, operation="invoke_agent")
    assert counted(agent, call(2, 1, response_id="r"), call(3, 1, response_id="r")) == [2, 3]


def test_another_call_inside_counts() -> None:
    """A tool that asks a model during a call would do so for nothing."""
    assert counted(call(1), call(2, 1, input_tokens=25)) == [1, 2]
    assert counted(call(1), call(2, 1, request_model="other")) == [1, 2]
    assert counted(call(1), call(2, 1, operation="embeddings")) == [1, 2]
    assert counted(call(1), call(2, 1, trace_id="b" * 32)) == [1, 2]


def test_the_layer_with_the_numbers_counts() -> None:
    """A wrapper that knows no usage would take it away from the span that does."""
    wrapper = call(1, **NOTHING)
    assert counted(wrapper, call(2, 1)) == [2]
    assert conflicts(wrapper, call(2, 1)) == ["counted_elsewhere", None]
    assert counted(wrapper, call(2, 1, **NOTHING), call(3, 2)) == [3]
    assert counted(call(1), call(2, 1, **NOTHING), call(3, 2)) == [1]
    assert counted(wrapper, call(2, 1, **NOTHING)) == [1]
    assert counted(call(1), call(2, 1, **NOTHING)) == [1]


def test_spans_that_are_their_own_ancestors_end() -> None:
    """One broken trace would keep the service busy for ever."""
    assert counted(call(1, 1, response_id="r"), call(2, 3, response_id="r")) == [1, 2]
    circle = [call(number, number % 50 + 1, request_model=f"{number}") for number in range(1, 51)]
    assert counted(*circle) == list(range(1, 51))


def test_other_answers_are_other_calls() -> None:
    """Two short questions to one model often have the same numbers; both are charged."""
    assert counted(call(1, response_id="a"), call(2, 1, response_id="b")) == [1, 2]
    assert counted(call(1, response_id="a"), call(2, 1)) == [1]
    assert counted(call(1), call(2, 1, response_id="b")) == [1]


def test_one_of_a_circle_counts() -> None:
    """A call that each span takes for the other's would have no cost at all."""
    assert counted(call(1, 2, response_id="r"), call(2, 1, response_id="r")) == [1]
    three = [call(1, 3), call(2, 1), call(3, 2)]
    assert counted(*three) == [1]
    assert counted(*(replace(each, response_id="r") for each in three)) == [1]


def test_a_request_without_repeats_is_left_alone() -> None:
    """Every request would be copied for nothing."""
    spans = [call(1), call(2), call(3, 1, is_inference=False)]
    assert llm.settle_repeats(spans) is spans
    assert llm.settle_repeats([]) == []
