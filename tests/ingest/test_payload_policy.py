"""Payloads kept, cut, or dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from observatory_store.ingest import Privacy, span_columns
from observatory_store.ingest.payload_policy import MARK
from observatory_store.llm.messages.normal import is_messages
from observatory_store.otlp import MediaType, decode_logs, decode_traces
from observatory_store.pricing import GenAIPrices
from observatory_store.rows import Event, LogRecord, Payload, Span
from observatory_store.settings import PAYLOAD_CHARACTERS, PayloadPolicy, Redaction

KEEP, TRUNCATE, DROP = PayloadPolicy
LONG = "x" * 5000
CUT = "x" * PAYLOAD_CHARACTERS + "…[4000 characters cut]"

FIXTURES = Path(__file__).parents[1] / "llm" / "fixtures"
CONTENT = ["tutor. Answer", "capital of", "weather in", "degrees", "What is on", "iVBOR"]
NO_CONTENT = {"gen_ai.tool.description", "tool.description", "question", "logfire.msg"}


def span(**fields: Any) -> Span:
    """Return a span."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    return Span(trace_id="a" * 32, span_id="b" * 16, start_time=start, **fields)


def log(**fields: Any) -> LogRecord:
    """Return a log record."""
    return LogRecord(time=datetime(2026, 11, 1, tzinfo=UTC), **fields)


def kept(row: Span, policy: PayloadPolicy) -> Span:
    """Return what a policy leaves."""
    (found,) = Privacy(policy).spans([row])
    assert Privacy(policy).spans([found]) == [found]
    return found


def test_a_projects_own_policy_goes_first() -> None:
    """One project's prompts would be stored, or lost, because another one's are."""
    said = span(payload=Payload(output_messages=LONG))
    for service in PayloadPolicy:
        assert kept(said, KEEP) is said
        assert Privacy(service).spans([said], KEEP) == [said]
        assert Privacy(service).spans([said], DROP)[0].payload is None
        assert Privacy(service).spans([said], TRUNCATE) == Privacy(TRUNCATE).spans([said])


def test_what_is_not_all_says_so() -> None:
    """A reader would take the beginning of a prompt, or none, for what was said."""
    said = span(payload=Payload(output_messages=LONG), attributes={"a": 1})
    silent = span(attributes={"a": 1})
    short = span(payload=Payload(output_messages="short"))
    assert kept(said, DROP).attributes == {"a": 1, MARK: "dropped"}
    assert kept(said, TRUNCATE).attributes == {"a": 1, MARK: "truncated"}
    assert kept(short, DROP).attributes == {MARK: "dropped"}
    assert kept(short, TRUNCATE) is short
    assert kept(silent, DROP) is silent
    assert kept(silent, TRUNCATE) is silent


def test_as_many_characters_as_were_chosen() -> None:
    """The setting would do nothing."""
    privacy = Privacy(TRUNCATE, characters=3)
    (found,) = privacy.spans([span(payload=Payload(tool_result="abcdef"))])
    assert found.payload == Payload(tool_result="abc…[3 characters cut]")
    assert privacy.spans([found]) == [found]


def test_redaction_goes_before_the_cut() -> None:
    """The half of an address at the cut would be no address any more, and be stored."""
    text = "x" * 8 + " ann@example.com " + "y" * 90
    (found,) = Privacy(TRUNCATE, [Redaction.EMAIL], 12).spans(
        [span(payload=Payload(tool_result=text))]
    )
    assert found.payload == Payload(tool_result="x" * 8 + " [em…[95 characters cut]")


def test_truncated_messages_are_messages() -> None:
    """A payload that was cut could not be read."""
    messages = [
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": LONG},
                {"type": "text", "content": "short"},
                {"type": "blob", "modality": "image", "content": LONG},
                {"type": "tool_call", "name": "t", "arguments": {"a": [LONG, 5]}},
                {"type": "tool_call", "name": "t", "arguments": json.dumps({"a": LONG})},
            ],
        }
    ]
    payload = Payload(
        input_messages=json.dumps(messages),
        output_messages="[]",
        tool_result=LONG,
        content_attributes=json.dumps({"input.value": json.dumps({"prompt": LONG, "n": 1})}),
    )
    found = kept(span(payload=payload), TRUNCATE).payload
    assert found is not None
    assert is_messages(found.input_messages or "")
    parts = json.loads(found.input_messages or "")[0]["parts"]
    assert [part.get("content") for part in parts[:3]] == [CUT, "short", "…[5000 characters cut]"]
    assert parts[3]["arguments"] == {"a": [CUT, 5]}
    assert json.loads(parts[4]["arguments"]) == {"a": CUT}
    assert (found.output_messages, found.tool_result) == ("[]", CUT)
    inner = json.loads(json.loads(found.content_attributes or "")["input.value"])
    assert inner == {"prompt": CUT, "n": 1}


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 500 + "]" * 500 + " " * 5000])
def test_what_is_no_usable_json_is_cut_as_a_text(text: str) -> None:
    """Broken or hostile JSON would be stored whole, or fail its batch."""
    found = kept(span(payload=Payload(tool_arguments=text)), TRUNCATE).payload
    assert found is not None
    assert len(found.tool_arguments or "") < 2 * PAYLOAD_CHARACTERS


def test_a_key_that_is_there_twice() -> None:
    """A text before another one of the same name would be stored whole."""
    said = f'{{"a":"{LONG}","a":"x"}}'
    payload = Payload(tool_result=said, tool_arguments=f'{{"a":{{"b":1}},"c":"{"y" * 900}"}}')
    assert kept(span(payload=payload), TRUNCATE).payload == Payload(
        tool_result='{"a":"x"}', tool_arguments=payload.tool_arguments
    )


def test_a_span_that_a_program_built() -> None:
    """Content in the attributes of such a span would be stored all the same."""
    built = span(
        attributes={"gen_ai.prompt": "secret", "http.route": "/"},
        events=(Event(time_unix_nano=1, name="gen_ai.user.message", attributes={"content": "s"}),),
        payload=Payload(output_messages="secret"),
    )
    assert kept(built, KEEP) is built
    dropped = kept(built, DROP)
    assert dropped.payload is None
    assert dropped.attributes == {"http.route": "/", MARK: "dropped"}
    assert dropped.events == (Event(time_unix_nano=1, name="gen_ai.user.message"),)


def test_logs() -> None:
    """Prompts that come as log records would be stored where payloads are dropped."""
    message = log(
        event_name="gen_ai.user.message",
        body={"content": LONG, "role": "user"},
        attributes={"gen_ai.system": "openai"},
    )
    named = log(
        body="secret", attributes={"event.name": "gen_ai.choice", "gen_ai.event.content": LONG}
    )
    ordinary = log(body=LONG, attributes={"gen_ai.input.messages": "secret", "to": LONG})
    dropped = Privacy(DROP).logs([message, named, ordinary])
    assert [one.body for one in dropped] == [None, None, LONG]
    assert [one.attributes for one in dropped] == [
        {"gen_ai.system": "openai", MARK: "dropped"},
        {"event.name": "gen_ai.choice", MARK: "dropped"},
        {"to": LONG, MARK: "dropped"},
    ]
    assert Privacy(DROP).logs(dropped) == dropped
    cut = Privacy(TRUNCATE).logs([message, named, ordinary])
    assert [one.body for one in cut] == [{"content": CUT, "role": "user"}, "secret", LONG]
    assert cut[1].attributes["gen_ai.event.content"] == CUT
    assert [one.attributes.get(MARK) for one in cut] == ["truncated", "truncated", None]
    assert Privacy(TRUNCATE).logs(cut) == cut


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_nothing_of_any_library_is_left_where_payloads_are_dropped(path: Path) -> None:
    """The dialect of one library would bring prompts into a store that must not have any."""
    if path.stem.endswith(".metrics"):
        return
    rows: list[Any]
    if path.stem.endswith(".logs"):
        rows = list(Privacy(DROP).logs(decode_logs(path.read_bytes(), MediaType.JSON).rows))
        texts = [str((row.body, row.attributes)) for row in rows]
    else:
        columns = span_columns(GenAIPrices())
        decoded = decode_traces(path.read_bytes(), MediaType.JSON, columns)
        rows = list(Privacy(DROP).spans(decoded.rows))
        assert [row.payload for row in rows] == [None] * len(rows)
        texts = [
            str([{k: v for k, v in row.attributes.items() if k not in NO_CONTENT}, row.events])
            for row in rows
        ]
    assert [words for text in texts for words in CONTENT if words in text] == []
