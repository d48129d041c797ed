"""Content that is broken, huge, or in no known form: none of it is lost, and none of it is slow."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store import llm
from observatory_store.llm.messages import EVENT_NAMES, from_logs, restore_events, take, taking
from observatory_store.llm.messages import events as message_events
from observatory_store.llm.messages.normal import is_definitions, is_messages, is_parts
from observatory_store.llm.messages.sources import (
    CANONICAL,
    DOCUMENTS,
    FAMILIES,
    RAW,
    RESPONSES,
    TOOL_TEXTS,
)
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


WORDS = st.sampled_from(
    ["", "text", "tool_call", "tool_result", "function_call", "image", "message", "file", "x", "[]"]
)
KEYS = st.sampled_from(
    [
        *("type", "kind", "role", "content", "parts", "message", "text", "event.name"),
        *("tool_calls", "tool_call", "function", "name", "arguments", "id", "tool_call_id"),
        *("functionCall", "functionResponse", "inlineData", "image_url", "url", "file_id", "uri"),
        *("summary", "parameters", "input_schema", "json_schema", "tools", "system", "response"),
        *("messages", "choices", "finish_reason", "usage", "mime_type", "format", "modality"),
    ]
)
ABSURD: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.none() | st.integers(0, 2) | st.builds(dict) | st.builds(list),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
FORMS = {
    "input_messages": is_messages,
    "output_messages": is_messages,
    "system_instructions": is_parts,
    "tool_definitions": is_definitions,
}


def assert_in_normal_form(payload: Payload | None) -> None:
    """What is there has to be what its columns promise."""
    for field, is_normal in FORMS.items():
        text = None if payload is None else getattr(payload, field)
        assert text is None or is_normal(text), text


@given(
    st.dictionaries(st.sampled_from([*CANONICAL, *NAMES]), ABSURD, min_size=1, max_size=3),
    st.sampled_from([json.dumps, lambda value: value]),
)
def test_absurd_attributes_give_the_normal_form_or_stay(
    attributes: Attributes, sent: Callable[[Any], AttributeValue]
) -> None:
    """One map where a text belongs would lose a batch, or make messages nobody can read."""
    assert_in_normal_form(take({name: sent(value) for name, value in attributes.items()})[0])


@given(st.lists(st.tuples(st.sampled_from(sorted(EVENT_NAMES)), ABSURD, ABSURD), max_size=3))
def test_absurd_events_give_the_normal_form_or_stay(
    events: list[tuple[str, AttributeValue, AttributeValue]],
) -> None:
    """A trace could not be read any more for one log record of it."""
    key = "gen_ai.event.content"
    assert_in_normal_form(from_logs([(name, body, {}) for name, body, _ in events]))
    assert_in_normal_form(from_logs([(name, body, {key: said}) for name, body, said in events]))
    sent = tuple(
        Event(time_unix_nano=1, name=name, attributes={"content": body, "message": said})
        for name, body, said in events
    )
    assert_in_normal_form(take({}, sent)[0])


@pytest.mark.parametrize("kind", [{}, [], {"a": 1}, 5, None, True])
@pytest.mark.parametrize("inside", ["message", "part", "tool"])
def test_a_type_may_be_anything(kind: Any, inside: str) -> None:
    """A map as a message's type would lose the batch, and later its trace."""
    part = {"text": "Hi"} | ({"type": kind} if inside == "part" else {})
    message: dict[str, Any] = {"role": "tool" if inside == "tool" else "user", "content": [part]}
    if inside == "message":
        message["type"] = kind
    payload = taken({"input.value": {"messages": [message]}})
    assert "Hi" in (payload.input_messages or "")
    assert_in_normal_form(payload)
    for name in ("gen_ai.user.message", "gen_ai.tool.message", "gen_ai.choice"):
        said = from_logs([(name, message, {})])
        assert said is not None
        assert "Hi" in str(said)
        assert_in_normal_form(said)


def test_what_nobody_thought_of_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in one reader would lose the whole batch, of all who sent in it."""

    def fail(document: Any) -> None:
        raise ZeroDivisionError(document)

    monkeypatch.setitem(DOCUMENTS, "input.value", fail)
    monkeypatch.setattr(message_events, "read_input", fail)
    monkeypatch.setattr(taking, "canonical_content", fail)
    attributes: Attributes = {"input.value": "Hi", "gen_ai.input.messages": "Ho"}
    assert kept(taken(attributes)) == attributes
    event = Event(
        time_unix_nano=1, name="gen_ai.content.prompt", attributes={"gen_ai.prompt": "Hi"}
    )
    payload, events = take({}, (event,))
    assert payload is not None
    assert (kept(payload), events[0].attributes) == ({"event.0.gen_ai.prompt": "Hi"}, {})


def test_what_is_too_deep_to_be_written_is_kept() -> None:
    """A document that can be read, but not written with one level more, would be lost."""
    for levels in range(900, 1100):
        text = json.dumps({"messages": [{"role": "user", "content": "Hi", "x": 0}]})
        text = text.replace('"x": 0', f'"x": {"[" * levels}{"]" * levels}')
        payload = taken({"input.value": text})
        assert payload.input_messages or kept(payload) == {"input.value": text}


ESCAPED = [
    (r'[{"role":"user","parts":[{"type":"text","content":"caf\u00e9 \ud83d\ude00"}]}]', "café 😀"),
    (r'[{"role":"user","parts":[{"type":"text","content":"\u041f \ud83d!"}]}]', "П \ufffd!"),
    (r'[{"role":"user","parts":[{"type":"text","content":"\udc00\u00e9"}]}]', "\ufffdé"),
    (r'[{"role":"user","parts":[{"type":"text","content":"\u0000\u00e9\\ud800"}]}]', "\0é\\ud800"),
]


@pytest.mark.parametrize(("sent", "said"), ESCAPED)
def test_letters_are_stored_as_letters(sent: str, said: str) -> None:
    """No search would find a word with an accent, or in Cyrillic, that Python's json wrote."""
    payload = taken({"gen_ai.input.messages": sent, "gen_ai.tool.call.result": sent})
    assert payload.tool_result == payload.input_messages
    assert (payload.structured, payload.content_attributes) == ((), None)
    text = payload.input_messages or ""
    assert json.loads(text)[0]["parts"][0]["content"] == said
    assert said.replace("\0", "\\u0000").replace("\\ud", "\\\\ud") in text
    assert "\0" not in text
    foreign = taken({"input.value": sent.replace("parts", "content")})
    assert (foreign.input_messages, foreign.content_attributes) == (text, None)


@pytest.mark.parametrize(
    "sent",
    [
        r"C:\users",
        r'{"a":1e999,"b":"\u00e9"}',
        r'{"a":"\u00e9","a":2}',
        r'{"a":"\u00e',
        '[ 1.50, "é" ]',
    ],
)
def test_other_texts_stay_as_they_are(sent: str) -> None:
    """What a tool said would be changed, or a number of it lost."""
    assert taken({"gen_ai.tool.call.result": sent}).tool_result == sent


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("llm.prompts", ["SECRET", "x"]),
        ("llm.function_call", '{"name": "SECRET"}'),
        ("traceloop.prompt.template", "SECRET {x}"),
        ("traceloop.prompt.template_variables", '{"x": "SECRET"}'),
        ("traceloop.prompt.template_variables.x", "SECRET"),
    ],
)
def test_further_carriers(name: str, value: AttributeValue) -> None:
    """A prompt would stay with the numbers, where payloads are dropped or expire."""
    assert "SECRET" in str(taken({name: value}))


def test_content_in_events_of_any_name() -> None:
    """Prompts in an event that has the application's own name would be stored under ``drop``."""
    sent = Event(
        time_unix_nano=1,
        name="my.call",
        attributes={"gen_ai.input.messages": "Hi", "gen_ai.tool.call.arguments": "x", "n": 1},
    )
    span = span_of({}, (sent,))
    assert span.payload is not None
    assert "Hi" in (span.payload.input_messages or "")
    assert span.events[0].attributes == {"n": 1}
    assert restore_events(span).events == (sent,)


def test_an_event_that_says_two_things_keeps_both() -> None:
    """One would be taken for the other, and lost."""
    sent = Event(
        time_unix_nano=1,
        name="gen_ai.user.message",
        attributes={"gen_ai.event.content": '{"content": "Hi"}', "content": "Ho"},
    )
    span = span_of({}, (sent,))
    assert span.payload is not None
    assert '"Hi"' in (span.payload.input_messages or "")
    assert restore_events(span).events == (sent,)


def parts_of(content: Any, **message: Any) -> list[dict[str, Any]]:
    """Return the parts of one message in normal form."""
    sent = json.dumps({"messages": [{"role": "assistant", "content": content, **message}]})
    payload = taken({"input.value": sent})
    assert payload.content_attributes is None
    return json.loads(payload.input_messages or "")[0]["parts"]  # type: ignore[no-any-return]


def test_what_stands_beside_a_nested_part_stays() -> None:
    """Without its signature a thought of Gemini's could not be sent again."""
    call, response, thought = parts_of(
        [
            {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "abc"},
            {"functionResponse": {"name": "f", "response": {"b": 2}}, "willContinue": True},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "t", "extra": 3}]},
        ]
    )
    assert call == {
        "type": "tool_call",
        "name": "f",
        "arguments": {"a": 1},
        "thoughtSignature": "abc",
    }
    assert (response["response"], response["willContinue"]) == ({"b": 2}, True)
    assert thought["content"] == "t"
    assert thought["summary"][0]["extra"] == 3


def test_only_equal_calls_are_one() -> None:
    """A second call under the first one's id would be lost."""
    parts = parts_of(
        [
            {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}},
            {"type": "tool_use", "id": "1", "name": "f", "input": {"a": 2}},
            {"type": "tool_use", "id": "1", "name": "g", "input": {"a": 1}, "index": 0},
        ],
        tool_calls=[
            {"id": "1", "function": {"name": "f", "arguments": '{"a": 1}'}, "index": 0},
            {"id": "1", "function": {"name": "g", "arguments": '{"a": 1}'}, "index": 5},
        ],
    )
    common = {"type": "tool_call", "id": "1"}
    assert parts == [
        common | {"name": "f", "arguments": {"a": 1}, "index": 0},
        common | {"name": "f", "arguments": {"a": 2}},
        common | {"name": "g", "arguments": {"a": 1}, "index": 0, "outer": {"index": 5}},
    ]
