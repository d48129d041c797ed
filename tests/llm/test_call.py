"""What a gateway hands over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from observatory_store import llm
from observatory_store.errors import InvalidInputError
from observatory_store.llm import LLMCall
from observatory_store.rows import Span

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
IDS = ("a" * 32, "b" * 16)


def convert(**fields: Any) -> Span:
    """Return the span of a call with these fields."""
    return LLMCall(**fields).to_span(NOW, lambda: IDS)


def test_a_call_becomes_a_span() -> None:
    """A gateway's call would be stored incompletely."""
    span = convert(
        provider="openai",
        model="gpt-4o",
        response_model="gpt-4o-2024-08-06",
        input_tokens=812,
        output_tokens=64,
        cache_read_tokens=512,
        duration_ms=1500.5,
        time_to_first_token_ms=0.1,
        streaming=True,
        finish_reasons=("stop",),
        temperature=1,
        user_id="u",
        session_id="s",
        service_name="gateway",
        environment="prod",
        tags={"team": "search"},
        input_messages=[{"role": "user", "content": "Hi"}],
        output_messages="Hello",
        attributes={"server.port": 443},
    )
    assert (span.trace_id, span.span_id, span.parent_span_id) == (*IDS, None)
    assert (span.name, span.kind, span.status) == ("chat gpt-4o", "client", "unset")
    assert span.start_time == NOW - timedelta(milliseconds=1500.5)
    assert span.duration_us == 1_500_500
    assert span.is_inference
    assert (span.request_model, span.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert (span.input_tokens, span.cache_read_tokens) == (812, 512)
    assert span.time_to_first_token_ms == 0.1
    assert span.temperature == 1.0
    assert span.tags == ("team=search",)
    assert (span.service_name, span.environment) == ("gateway", "prod")
    assert (span.resource.service_name, span.resource.environment) == ("gateway", "prod")
    assert span.payload is not None
    assert span.payload.input_messages == (
        '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'
    )
    assert span.attributes == {"server.port": 443}


def test_a_call_reads_as_the_conventions_say() -> None:
    """A span from a gateway would differ from the same span from an instrumented client."""
    restored = llm.restore(
        convert(provider="openai", model="m", time_to_first_token_ms=250.0, tags={"a": "b"})
    )
    assert restored == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.response.time_to_first_chunk": 0.25,
        "observatory.tags": ["a=b"],
    }


def test_the_calls_own_fields_go_before_its_attributes() -> None:
    """A call would be counted under a model that it did not use."""
    span = convert(
        model="right",
        time_to_first_token_ms=1.0,
        attributes={
            "gen_ai.request.model": "wrong",
            "gen_ai.response.time_to_first_chunk": 9,
            "gen_ai.usage.input_tokens": 5,
        },
    )
    assert (span.request_model, span.input_tokens) == ("right", 5)
    assert span.time_to_first_token_ms == 1.0
    assert span.attributes == {}


def test_an_error_is_an_error() -> None:
    """Failed calls would be missing from the error rate."""
    span = convert(error="rate limited", status="ok")
    assert (span.status, span.status_message) == ("error", "rate limited")


@pytest.mark.parametrize(
    ("fields", "start", "duration_us"),
    [
        ({}, NOW, 0),
        ({"start_time": NOW - timedelta(seconds=2)}, NOW - timedelta(seconds=2), 2_000_000),
        ({"start_time": NOW + timedelta(seconds=2)}, NOW + timedelta(seconds=2), 0),
        ({"end_time": NOW, "duration_ms": 250}, NOW - timedelta(milliseconds=250), 250_000),
        ({"start_time": NOW, "duration_ms": 0.5}, NOW, 500),
        (
            {
                "start_time": datetime(2026, 11, 1, 13, tzinfo=timezone(timedelta(hours=1))),
                "end_time": NOW + timedelta(seconds=1),
            },
            NOW,
            1_000_000,
        ),
    ],
)
def test_two_of_start_end_and_duration_are_enough(
    fields: dict[str, Any], start: datetime, duration_us: int
) -> None:
    """Latencies would be wrong for gateways that measure in another way."""
    span = convert(**fields)
    assert (span.start_time, span.duration_us) == (start, duration_us)
    assert span.start_time.tzinfo is UTC


def test_given_ids_are_kept_and_others_are_made() -> None:
    """A call would not appear in the trace that it belongs to."""
    span = convert(trace_id="C" * 32, parent_span_id="d" * 16)
    assert (span.trace_id, span.span_id, span.parent_span_id) == ("c" * 32, IDS[1], "d" * 16)
    full = LLMCall(trace_id="c" * 32, span_id="e" * 16)
    assert full.to_span(NOW, lambda: pytest.fail("ids are not needed")).span_id == "e" * 16


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_tokens": -1}, "input_tokens must be an int from 0 to 2147483647, not -1"),
        ({"output_tokens": 2**31}, "output_tokens must be an int"),
        ({"output_tokens": 10**5000}, "output_tokens must be an int"),
        ({"attributes": {"a": [2**64]}}, "attributes has an int that 64 bits do not hold"),
        ({"output_tokens": "5"}, "output_tokens must be an int"),
        ({"cache_read_tokens": True}, "cache_read_tokens must be an int"),
        ({"max_tokens": 1.5}, "max_tokens must be an int"),
        ({"temperature": float("nan")}, "temperature must be a finite number"),
        ({"top_p": "1"}, "top_p must be a finite number"),
        ({"streaming": "yes"}, "streaming must be a bool"),
        ({"model": "x" * 10_000}, "model is longer than 1000 bytes"),
        ({"service_name": "x" * 1001}, "service_name is longer than 1000 bytes"),
        ({"provider": 5}, "provider must be a str"),
        ({"error": 500}, "error must be a str"),
        ({"status": "failed"}, "status must be unset, ok or error"),
        ({"start_time": datetime(2026, 1, 1)}, "start_time must be a datetime with a time zone"),  # noqa: DTZ001
        ({"end_time": "2026-01-01"}, "end_time must be a datetime with a time zone"),
        ({"start_time": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))}, "range"),
        ({"start_time": NOW, "end_time": NOW - timedelta(seconds=1)}, "is before start_time"),
        ({"start_time": NOW, "end_time": NOW, "duration_ms": 0}, "not all"),
        ({"duration_ms": -1}, "duration_ms must not be negative"),
        ({"duration_ms": 1e300}, "duration_ms is too large"),
        ({"time_to_first_token_ms": -1}, "time_to_first_token_ms must not be negative"),
        ({"trace_id": "xyz"}, "trace_id must be 32 hex digits, not all zero, not 'xyz'"),
        ({"trace_id": "0" * 32}, "trace_id must be 32 hex digits"),
        ({"span_id": "a" * 15}, "span_id must be 16 hex digits"),
        ({"parent_span_id": 7}, "parent_span_id must be 16 hex digits"),
        ({"span_id": "b" * 16 + "\n"}, "span_id must be 16 hex digits"),
        ({"tags": {"a=b": "c"}}, "a tag's key must not be empty nor contain '='"),
        ({"tags": {"": "c"}}, "a tag's key must not be empty"),
        ({"tags": {"a": 1}}, "tag a must be a str"),
        ({"tags": {"a": "x" * 1000}}, "each of at most 1000 bytes"),
        ({"tags": ["a=b"]}, "tags must be a mapping"),
        ({"finish_reasons": [1]}, "finish_reasons must be"),
        ({"finish_reasons": "stop"}, "finish_reasons must be"),
        ({"attributes": {"a": object()}}, "attributes cannot be written as JSON"),
        ({"input_messages": object()}, "input_messages cannot be written as JSON"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    """A gateway's developer would search for the one field that is wrong, or a batch would fail."""
    with pytest.raises(InvalidInputError) as caught:
        convert(**fields)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_circle_is_refused() -> None:
    """A message that refers to itself would end the request with a RecursionError."""
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(InvalidInputError):
        convert(input_messages=circle)


def test_making_a_call_never_raises() -> None:
    """Telemetry would fail the request that it observes."""
    LLMCall(input_tokens=-1, trace_id="nonsense", start_time=datetime(2026, 1, 1))  # noqa: DTZ001


def test_text_that_postgres_refuses_is_repaired() -> None:
    """One NUL in a prompt would fail the batch that it is in."""
    bad = "a\0b\ud800c"
    span = convert(
        model=bad,
        name=bad,
        error=bad,
        service_name=bad,
        tags={bad: bad},
        input_messages=bad,
        output_messages=[{bad: (bad,)}],
        attributes={bad: [bad]},
    )
    good = "a\ufffdb\ufffdc"
    assert (span.request_model, span.name, span.status_message) == (good, good, good)
    assert (span.service_name, span.tags) == (good, (f"{good}={good}",))
    assert span.attributes == {good: [good]}
    assert span.payload is not None
    restored = llm.restore(span)
    assert restored["gen_ai.input.messages"] == good
    assert restored["gen_ai.output.messages"] == [{good: [good]}]


def test_messages_may_be_objects() -> None:
    """A gateway would have to unpack what its vendor's client gives it."""

    @dataclass
    class Message:
        role: str

    class Answer:
        def model_dump(self, *, mode: str) -> dict[str, str]:
            return {"mode": mode}

    span = convert(input_messages=[Message("user")], output_messages=Answer(), tool_result=b"\0")
    restored = llm.restore(span)
    assert restored["gen_ai.input.messages"] == [{"role": "user"}]
    assert restored["gen_ai.output.messages"] == {"mode": "json"}
    assert restored["gen_ai.tool.call.result"] == b"\0"


def test_a_tool_call_is_no_call_of_a_model() -> None:
    """Tool calls would count as requests to a model."""
    span = convert(operation="execute_tool", tool_name="search", tool_arguments={"q": "x"})
    assert not span.is_inference
    assert (span.name, span.kind) == ("execute_tool search", "internal")
