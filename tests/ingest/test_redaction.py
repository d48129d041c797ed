"""Replacing addresses, numbers and keys before anything is stored."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from re import _constants, _parser  # type: ignore[attr-defined]  # private, but there is no other
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store.ingest.redaction import Redactor
from observatory_store.ingest.redaction_rules import RULES, is_luhn
from observatory_store.rows import (
    AttributeValue,
    Event,
    Link,
    LogRecord,
    Metric,
    MetricPoint,
    MetricSeries,
    Payload,
    Resource,
    Span,
)
from observatory_store.settings import Redaction

ALL = Redactor(Redaction)
VISA = "4111 1111 1111 1111"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow+/AB\nCDEF==\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail bob.o'neil+x@mail.example.co.uk.", "mail bob.o'[email]."),
        ("<ann@example.com>,b@c.de", "<[email]>,[email]"),
        ("jörg@bücher.example", "[email]"),
        ("a@b.c", "[email]"),
        ("lodash@4.17.21 and @team and a@b", "lodash@4.17.21 and @team and a@b"),
        ("call +49 30 1234-5678 or (555) 123-4567", "call [phone] or [phone]"),
        ("tel:+14155550123, 555-123-4567", "tel:[phone], [phone]"),
        ("2026-11-21 10:15, 10.0.0.1, v1.2.3-4567, 12345678", None),
        (f"card {VISA} 12/27", "card [card] 12/27"),
        ("4111111111111111, 3782-822463-10005", "[card], [card]"),
        (f"{VISA} 5500 0000 0000 0004", "[card] [card]"),
        ("4111 1111 1111 1112 and 41111111111111111111", None),
        ("4111111111111111abc x4111111111111111", None),
        ("4111\u00a01111\u202f1111\u00a01111 3782\u2011822463\u201310005", "[card] [card]"),
        ("+49\u00a030\u202f1234\u20115678, (555)\u00a0123\u20114567", "[phone], [phone]"),
        ("555\u2013123\u20134567, 1\u00a0555\u2011123\u20114567", "[phone], [phone]"),
        ("ann@example.xn--p1ai ann@example.com-- _ann@example.com_", "[email] [email] [email]"),
        ("1700000000000000000", None),
        ("sk-proj-abcdefghijklmnop_QRSTUV-123", "[key]"),
        ("key: AKIAIOSFODNN7EXAMPLE.", "key: [key]."),
        (f"ghp_{'a1' * 18} gsk_{'a1' * 13} xoxb-1234567890-ab", "[key] [key] [key]"),
        (f"AIza{'a' * 35} ya29.{'a' * 25} github_pat_{'a' * 22}", "[key] [key] [key]"),
        (f"eyJ{'a' * 20}.{'b' * 20}.{'c' * 20}", "[key]"),
        ("api_key: 'abcdefghijklmnop1234'", "[key]'"),
        ("task-sk-abcdefghijklmnopqrstuv and mask_abcdefghijklmnopqrstuvw", None),
        ("Authorization: Bearer abc.DEF_123-456~789xyz", "Authorization: [key]"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "[key]"),
        (f"before {PEM} after", "before [key] after"),
        (PEM.replace("\n", "\\n"), "[key]"),
        ("the bearer of good news everywhere", None),
        ("task-force-of-the-brave-and-the-many", None),
        ("obs_" + "a" * 43, "[key]"),
        (r'["a\nsk-proj-abcdefghijklmnop_QRST', r'["a\n[key]'),
        (rf'["a\n{VISA}\n+14155550123', r'["a\n[card]\n[phone]'),
    ],
)
def test_what_is_found(text: str, expected: str | None) -> None:
    """A secret would be stored, or a text that has none would lose its sense."""
    assert ALL.text(text) == (text if expected is None else expected)


def test_only_the_kinds_that_were_chosen() -> None:
    """Who wants cards gone would lose addresses that are needed."""
    text = f"ann@example.com {VISA}"
    assert Redactor([Redaction.CARD]).text(text) == "ann@example.com [card]"
    assert Redactor([Redaction.EMAIL]).text(text) == f"[email] {VISA}"


@pytest.mark.parametrize("digits", ["4111111111111111", "5500000000000004", "79927398713"])
def test_luhn(digits: str) -> None:
    """Any number as long as a card's would be taken for one."""
    assert is_luhn(digits)
    assert not is_luhn(digits[:-1] + str((int(digits[-1]) + 1) % 10))


def document() -> dict[str, Any]:
    """Return secrets at several depths, also in JSON within JSON."""
    return {
        "arguments": json.dumps({"to": "ann@example.com", "n": 1}),
        "list": ["x\nbob@example.com", 4111111111111111, 4111111111111111.0, 1.5, None, True],
        "carol@example.com": '"dave@example.com"',
    }


def test_json_stays_json() -> None:
    """A payload would be no JSON any more, so that nothing could read it."""
    text = json.dumps([{"role": "user", "parts": [document()]}])
    payload = ALL.payload(Payload(input_messages=text, tool_result="eve@example.com"))
    (part,) = json.loads(payload.input_messages or "")[0]["parts"]
    assert json.loads(part["arguments"]) == {"to": "[email]", "n": 1}
    assert part["list"] == ["x\n[email]", "[card]", "[card]", 1.5, None, True]
    assert part["[email]"] == '"[email]"'
    assert payload.tool_result == "[email]"


def test_a_text_without_secrets_is_the_same() -> None:
    """Every payload would be written anew, with other spaces than it was sent with."""
    payload = Payload(input_messages='[ {"role":"user",  "parts":[]} ]', content_attributes="{}")
    assert ALL.payload(payload) == payload


OWN_KEY = "ab+c1234"


@pytest.mark.parametrize(
    "name",
    [
        *("api_key", "apiKey", "OPENAI_API_KEY", "access_token", "aws_secret_access_key"),
        *("Authorization", "http.request.header.x-api-key", "llm.secret-key"),
    ],
)
def test_a_value_by_its_name(name: str) -> None:
    """A key of one's own making would be stored, though its name says what it is."""
    named: Any = {name: OWN_KEY, "n": [{name: OWN_KEY}]}
    clean: Any = {name: "[key]", "n": [{name: "[key]"}]}
    assert ALL.value(named) == clean
    assert json.loads(ALL.value(json.dumps(named))) == clean
    assert ALL.value(clean) == clean
    assert ALL.attributes({name: [OWN_KEY, OWN_KEY]}) == {name: ["[key]", "[key]"]}
    assert Redactor([Redaction.EMAIL]).value(named) == named


def test_a_name_that_is_no_keys() -> None:
    """The description of a tool's parameter would be lost, or the count of its tokens."""
    said: Any = {
        "properties": {"api_key": {"type": "string"}, "api_keys": "two", "key": "name"},
        "api_key": None,
        "api-key": "",
        "access_token": 5,
        "gen_ai.usage.input_tokens": "12",
    }
    assert ALL.value(said) == said


@pytest.mark.parametrize(
    "text",
    [
        '{"email":"ann@example.com","email":"x"}',
        r'[{"email":"ann\u0040example.com","n":1,"email":"x"}]',
        r'{"inner":"{\"email\":\"ann@example.com\",\"email\":\"x\"}"}',
    ],
)
def test_a_key_that_is_there_twice(text: str) -> None:
    """Only the last value would be looked at, and the first one stored."""
    redacted = ALL.value(text)
    assert "ann" not in redacted
    assert json.loads(redacted)
    assert ALL.value(redacted) == redacted


def test_a_span_everywhere_but_its_ids() -> None:
    """A secret would be stored in an event; or a user could not be found by their id."""
    secret: dict[str, AttributeValue] = {"to": "ann@example.com", "n": 5, "b": b"x"}
    clean: dict[str, AttributeValue] = {"to": "[email]", "n": 5, "b": b"x"}
    sent = Span(
        trace_id="4111" * 8,
        span_id="b" * 16,
        start_time=datetime(2026, 11, 1, tzinfo=UTC),
        name="mail to ann@example.com",
        user_id="ann@example.com",
        status_message="no user ann@example.com",
        attributes=secret,
        events=(Event(time_unix_nano=4111111111111111, attributes=secret),),
        links=(Link(trace_id="a" * 32, span_id="b" * 16, attributes=secret),),
        resource=Resource(attributes=secret, scope_attributes=secret),
    )
    (span,) = ALL.spans([sent])
    assert (span.trace_id, span.user_id) == ("4111" * 8, "ann@example.com")
    assert (span.name, span.status_message) == ("mail to [email]", "no user [email]")
    assert span.attributes == span.events[0].attributes == span.links[0].attributes == clean
    assert span.events[0].time_unix_nano == 4111111111111111
    assert span.resource == Resource(attributes=clean, scope_attributes=clean)


def test_texts_beside_the_attributes() -> None:
    """What is a column of its own would keep what the attribute of the same text does not."""
    mail, clean = "of ann@example.com", "of [email]"
    start = datetime(2026, 11, 1, tzinfo=UTC)
    resource = Resource(
        attributes={"service.name": mail}, schema_url=mail, scope_name=mail, scope_version=mail
    )
    sent = Span(
        trace_id="a" * 32,
        span_id="b" * 16,
        start_time=start,
        service_name=mail,
        environment=mail,
        trace_state=mail,
        links=(Link(trace_id="a" * 32, span_id="b" * 16, trace_state=mail),),
        resource=resource,
    )
    log = LogRecord(
        time=start, severity_text=mail, event_name=mail, service_name=mail, resource=resource
    )
    (span,), (record,) = ALL.spans([sent]), ALL.logs([log])
    for text in (span.service_name, span.environment, span.trace_state, span.links[0].trace_state):
        assert text == clean
    for text in (record.severity_text, record.event_name, record.service_name):
        assert text == clean
    for each in (span.resource, record.resource):
        assert (each.schema_url, each.scope_name, each.scope_version) == (clean, clean, clean)
        assert each.attributes == {"service.name": clean}


def test_a_resource_without_secrets_is_the_same() -> None:
    """Its hash would be worked out anew for every record that it sent."""
    resource = Resource(attributes={"service.name": "tutor"})
    record = LogRecord(time=datetime(2026, 11, 1, tzinfo=UTC), resource=resource)
    assert [one.resource is resource for one in ALL.logs([record, record])] == [True, True]


def test_a_log_record() -> None:
    """Logs would keep what traces do not."""
    (record,) = ALL.logs(
        [
            LogRecord(
                time=datetime(2026, 11, 1, tzinfo=UTC),
                body={"content": "I am ann@example.com"},
                attributes={"to": "ann@example.com"},
            )
        ]
    )
    assert (record.body, record.attributes) == ({"content": "I am [email]"}, {"to": "[email]"})


def test_the_resource_of_a_point() -> None:
    """A key on a command line would be stored with a process's metrics."""
    start = datetime(2026, 11, 1, tzinfo=UTC)
    mine: dict[str, AttributeValue] = {"user": "ann@example.com"}
    resource = Resource(attributes={"command": "-u ann@example.com"})
    metric = Metric(name="runs", type="gauge")
    series = MetricSeries(metric=metric, resource=resource, attributes=mine)
    clean = MetricSeries(metric=metric, resource=Resource(attributes={"command": "-u ann"}))
    points = [MetricPoint(series=one, time=start, value_int=1) for one in (series, series, clean)]
    found = ALL.points(points)
    assert found[0].series.resource.attributes == {"command": "-u [email]"}
    assert found[0].series.attributes == mine
    assert found[1].series is found[0].series
    assert found[2] is points[2]


def repeats(parsed: Any) -> Iterator[tuple[bool, int]]:
    """Yield whether each repeat of a pattern can give back what it took, and its most times."""
    for operation, argument in parsed:
        if operation in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
            yield True, argument[1]
        elif operation is _constants.POSSESSIVE_REPEAT:
            yield False, argument[1]
        for part in argument if isinstance(argument, tuple) else ():
            for inner in part if isinstance(part, list) else [part]:
                if isinstance(inner, _parser.SubPattern):
                    yield from repeats(inner)


@pytest.mark.parametrize("kind", Redaction)
def test_no_pattern_goes_back_far(kind: Redaction) -> None:
    """A text made for it would take time in proportion to its square, or worse."""
    for rule in RULES[kind]:
        pattern = rule.pattern
        found = list(repeats(_parser.parse(pattern.pattern, pattern.flags & re.VERBOSE)))
        assert found
        assert [most for gives_back, most in found if gives_back and most > 64] == []


HOSTILE = [
    "a" * 1_000_000,
    "a@" * 300_000,
    "a@b." * 200_000,
    "@" * 1_000_000,
    "a." * 400_000 + "@",
    "4" * 1_000_000,
    "4111 " * 200_000,
    "4 " * 400_000,
    "+1" * 400_000,
    "+1 (" * 200_000,
    "(555) 123" * 100_000,
    "-----BEGIN PRIVATE KEY-----" * 30_000,
    "-----BEGIN " * 80_000,
    "-" * 1_000_000,
    "-----BEGIN PRIVATE KEY-----" + " " * 1_000_000,
    "bearer " * 130_000,
    "bearer" + " " * 1_000_000,
    "api_key" * 130_000,
    "api_key=" * 100_000,
    "eyJ" * 300_000,
    "eyJaaaaaaaaaaa." * 60_000,
    "sk-" * 300_000,
    "[" * 1_000_000,
    '{"a":' * 100_000,
]


def _steps(text: str) -> int:
    """Return what the patterns find; a pattern that backtracks would not come to an end here."""
    rules = [rule for rules in RULES.values() for rule in rules]
    return sum(len(rule.pattern.findall(text)) for rule in rules)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:20]}-{len(text)}")
def test_hostile_texts_end(text: str) -> None:
    """One prompt would keep the service busy for hours."""
    assert _steps(text) <= len(text)
    assert isinstance(ALL.value(text), str)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.text() | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_any_value(value: AttributeValue) -> None:
    """An odd value would fail its batch; and to redact twice would change a replay."""
    redacted = ALL.value(value)
    assert ALL.value(redacted) == redacted


def test_a_deep_document() -> None:
    """A value nested on purpose would end the service, or hide an address."""
    value: Any = "ann@example.com"
    for _ in range(sys.getrecursionlimit() // 3):
        value = [value]
    assert "ann@" not in str(ALL.value(value))
    text = "[" * 300 + '"ann@example.com"' + "]" * 300
    assert "ann@" not in ALL.value(text)
