"""Content that is broken, huge, or in no known form: none of it is lost, and none of it is slow."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store import llm
from observatory_store.llm.messages import from_logs, restore_events, take
from observatory_store.llm.messages.sources import DOCUMENTS, FAMILIES, RAW, RESPONSES, TOOL_TEXTS
from observatory_store.rows import Attributes, AttributeValue, Event, Payload, Span
from observatory_store.rows.attributes import decode_map

DEEP = "[" * 100_000


def taken(attributes: Attributes) -> Payload:
    """Return what is taken; nothing may be left."""
    rest = dict(attributes)
    payload, _ = take(rest, ())
    assert rest == {}
    assert payload is not None
    return payload


def kept(payload: Payload) -> Attributes:
    """Return the attributes that were kept as they were."""
    return decode_map(payload.content_attributes or "{}")


def span_of(attributes: Attributes, events: tuple[Event, ...] = ()) -> Span:
    """Return a span as it would be stored."""
    rest = dict(attributes)
    fields: dict[str, Any] = {"events": events} | llm.read(rest, None, events)
    return Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=datetime(2026, 11, 1, tzinfo=UTC),
        attributes=rest,
        **fields,
    )


@pytest.mark.parametrize(
    "value",
    [
        '[{"role": "user", "parts": [{"type": "te',
        DEEP,
        '{"role":' * 100,
        "",
        7,
        None,
        b"\0",
        [[["x"]]],
        {"unknown": 1},
        '{"unknown": 1}',
        "[1, 2]",
    ],
)
@pytest.mark.parametrize("name", ["gen_ai.input.messages", "langfuse.observation.input"])
def test_what_cannot_be_converted_is_kept(name: str, value: AttributeValue) -> None:
    """A prompt that a limit of the sender's cut off would be lost, or stay with the span."""
    payload = taken({name: value})
    assert payload.input_messages is None
    assert kept(payload) == {name: value}


def test_a_text_is_what_the_user_said() -> None:
    """A prompt without any structure would be found in no message."""
    payload = taken({"gen_ai.prompt": "Why [not]?", "gen_ai.completion": "Because."})
    assert json.loads(payload.input_messages or "") == [
        {"role": "user", "parts": [{"type": "text", "content": "Why [not]?"}]}
    ]
    assert json.loads(payload.output_messages or "") == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Because."}]}
    ]
    assert payload.content_attributes is None


@pytest.mark.parametrize("index", ["5", "00", str(2**63), "9" * 19])
def test_any_index_is_an_order_and_nothing_more(index: str) -> None:
    """One attribute would make the service hold a list of 2^63 messages."""
    payload = taken({f"gen_ai.prompt.{index}.content": "late", "gen_ai.prompt.1.role": "system"})
    assert sorted(
        len(message["parts"]) for message in json.loads(payload.input_messages or "")
    ) == [0, 1]


@pytest.mark.parametrize(
    "names",
    [
        ["gen_ai.prompt.0", "gen_ai.prompt.0.content"],
        ["gen_ai.prompt.0.content", "gen_ai.prompt.0.content.x"],
        ["gen_ai.prompt.0.content", "gen_ai.prompt.00.content"],
        ["gen_ai.prompt.0." + "a." * 100 + "b"],
        ["gen_ai.prompt.0" + "0" * 50 + ".content"],
        ["gen_ai.prompt.0x.content"],
    ],
)
def test_names_that_contradict_each_other_are_kept(names: list[str]) -> None:
    """One of two values would take the other's place."""
    attributes: Attributes = dict.fromkeys(names, "x")
    assert kept(taken(attributes)) == attributes


def test_many_parts() -> None:
    """A long conversation would be cut, or take its square of time."""
    attributes: Attributes = {
        f"llm.input_messages.0.message.contents.{n}.message_content.{key}": value
        for n in range(10_000)
        for key, value in (("type", "text"), ("text", f"part {n}"))
    }
    attributes["llm.input_messages.0.message.role"] = "user"
    (message,) = json.loads(taken(attributes).input_messages or "")
    assert [part["content"] for part in message["parts"]] == [f"part {n}" for n in range(10_000)]


def test_a_request_beside_the_messages_is_kept() -> None:
    """What only the request says, as a seed, would be lost with it."""
    attributes: Attributes = {
        "input.value": '{"messages": [{"role": "user", "content": "Hi"}], "seed": 7}',
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "Hi",
    }
    payload = taken(attributes)
    assert kept(payload).keys() == {"input.value"}
    assert payload.input_messages == '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'


def test_a_span_without_content_is_left_alone() -> None:
    """Every span of a plain web service would be slowed down or changed."""
    attributes: Attributes = {
        "http.request.method": "GET",
        "events": 3,
        "final_result": "ok",
        "request_data": '{"id": 5}',
        "llm.token_count.prompt": 5,
        "gen_ai.prompt.name": "greeting",
        "llm.invocation_parameters": '{"temperature": 0.5}',
    }
    before = dict(attributes)
    for _ in range(2):
        assert take(attributes, ()) == (None, ())
    assert attributes == before


def test_events_keep_name_and_time_and_what_is_no_message() -> None:
    """Messages would be stored twice, or an exported span would lose what could not be read."""
    events = (
        Event(
            time_unix_nano=1,
            name="gen_ai.user.message",
            attributes={"gen_ai.event.content": '{"content": "Hi"}', "gen_ai.system": "x"},
        ),
        Event(time_unix_nano=2, name="exception", attributes={"content": "no message"}),
        Event(time_unix_nano=3, name="gen_ai.choice", attributes={"gen_ai.event.content": "{"}),
    )
    span = span_of({}, events)
    assert [event.name for event in span.events] == [event.name for event in events]
    assert [event.attributes for event in span.events] == [
        {"gen_ai.system": "x"},
        {"content": "no message"},
        {},
    ]
    assert span.payload is not None
    assert span.payload.input_messages == (
        '[{"role":"user","parts":[{"type":"text","content":"Hi"}]}]'
    )
    # Not all could be read, so all of it is kept, and comes back.
    assert restore_events(span).events == events
    assert llm.restore(span).keys() == {"gen_ai.input.messages"}


def test_events_whose_attributes_are_the_message() -> None:
    """Agents built on Amazon's library would seem to say nothing."""
    events = (
        Event(time_unix_nano=1, name="gen_ai.user.message", attributes={"content": "Hi"}),
        Event(
            time_unix_nano=2,
            name="gen_ai.choice",
            attributes={"message": '[{"text": "Hello"}]', "finish_reason": "end_turn"},
        ),
    )
    payload = span_of({}, events).payload
    assert payload is not None
    assert json.loads(payload.output_messages or "") == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Hello"}],
            "finish_reason": "end_turn",
        }
    ]


def test_log_records_that_are_no_messages_say_nothing() -> None:
    """Any log record of a span would be shown as a prompt."""
    assert from_logs([("", "started", {}), ("http", {"content": "x"}, {})]) is None


NAMES = [
    *DOCUMENTS,
    *RESPONSES,
    *TOOL_TEXTS,
    *RAW,
    *[
        f"{family}{index}.{key}"
        for family in FAMILIES
        for index in (0, 3)
        for key in ("role", "content", "text", "message.content", "x.y")
    ],
]
TEXTS = st.sampled_from(
    [
        "plain",
        "",
        "null",
        "[]",
        "{}",
        '"quoted"',
        "[{",
        '[{"role": "user", "content": "SECRET"}]',
        '{"messages": [{"role": "user", "content": [{"type": "text", "text": "SECRET"}]}]}',
        '{"message": {"role": "assistant", "content": null, "tool_calls": [{"id": 1}, 2, null]}}',
        '[{"event.name": "gen_ai.choice", "message": "SECRET"}]',
        '[{"type": 5}, null, {"kind": "image-url"}, {"functionCall": []}]',
        '{"content": {"a": 1}, "role": 5, "tools": [1], "system": {"parts": 3}}',
        '{"choices": [{"message": 5}, {"content": {"parts": [{"inlineData": {"data": 1}}]}}]}',
        '[{"toolCallId": "1", "toolName": "t", "input": "{"}]',
    ]
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.binary(max_size=3),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(st.sampled_from(["role", "content", "messages", "type", "$bytes"]), TEXTS),
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
def test_whatever_comes_is_taken_or_kept(attributes: Attributes) -> None:
    """One odd attribute would fail a batch, or be nowhere."""
    before = dict(attributes)
    span = span_of(attributes)
    stays = span.attributes
    assert all(stays[name] is before[name] for name in stays)
    found = kept(span.payload) if span.payload else {}
    assert all(repr(found[name]) == repr(before[name]) for name in found.keys() & before.keys())
    text = str(span.payload)
    for name in before.keys() - stays.keys() - found.keys():
        assert "SECRET" not in str(before[name]) or "SECRET" in text
