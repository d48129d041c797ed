"""A span that cannot be stored is rejected alone, with the reason; what OTLP allows is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from observatory_store.otlp import Decoded, MediaType, decode_traces
from observatory_store.rows import Span

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = {
    "traceId": TRACE_ID,
    "spanId": SPAN_ID,
    "startTimeUnixNano": "1700000000123456789",
    "endTimeUnixNano": "1700000000123456790",
}


def _json(*spans: Any) -> Decoded[Span]:
    body = msgspec.json.encode({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    return decode_traces(body, MediaType.JSON, lambda *_: {})


def _protobuf(*spans: trace_pb2.Span) -> Decoded[Span]:
    scope = trace_pb2.ScopeSpans(spans=spans)
    data = trace_pb2.TracesData(resource_spans=[trace_pb2.ResourceSpans(scope_spans=[scope])])
    return decode_traces(data.SerializeToString(), MediaType.PROTOBUF, lambda *_: {})


def _span(**fields: Any) -> trace_pb2.Span:
    defaults = {"trace_id": bytes.fromhex(TRACE_ID), "span_id": bytes.fromhex(SPAN_ID)}
    return trace_pb2.Span(**(defaults | fields))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": ""}, "trace_id"),
        ({"traceId": "0" * 32}, "trace_id"),
        ({"traceId": TRACE_ID[:-2]}, "trace_id"),
        ({"traceId": TRACE_ID[:-1] + " "}, "trace_id"),
        ({"traceId": "CvdlGRbNQ92ESOshHIAxnA=="}, "trace_id"),
        ({"traceId": 5}, "traceId"),
        ({"spanId": ""}, "span_id"),
        ({"spanId": "0" * 16}, "span_id"),
        ({"spanId": SPAN_ID + "00"}, "span_id"),
        ({"parentSpanId": "abcd"}, "parent_span_id"),
        ({"startTimeUnixNano": 2**64}, "2554"),
        ({"endTimeUnixNano": str(2**64)}, "2554"),
        ({"startTimeUnixNano": -1}, ">= 0"),
        ({"startTimeUnixNano": "9" * 9000}, ""),
        ({"startTimeUnixNano": "yesterday"}, "startTimeUnixNano"),
        ({"flags": 2**32}, "4294967295"),
        ({"droppedEventsCount": -1}, ">= 0"),
        ({"kind": "SPAN_KIND_SERVER"}, "kind"),
        ({"events": [{"timeUnixNano": 2**64}]}, "2554"),
        ({"attributes": [{"key": "a", "value": {"intValue": str(2**63)}}]}, "9223372036854775807"),
        ({"attributes": [{"key": "a", "value": {"boolValue": "perhaps"}}]}, "boolValue"),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "a"}}]}, "base64"),
    ],
)
def test_rejected_alone(change: dict[str, Any], reason: str) -> None:
    """Otherwise one bad span costs its sender the whole batch, or is lost without a word."""
    decoded = _json(GOOD, GOOD | change, GOOD)
    assert len(decoded.rows) == 2
    assert decoded.rejected == 1
    assert len(decoded.problems) == 1
    assert reason in decoded.problems[0]
    assert len(decoded.problems[0]) <= 300


@pytest.mark.parametrize(
    "change",
    [
        {"trace_id": b""},
        {"trace_id": bytes(16)},
        {"trace_id": bytes(15) + b"a" * 2},
        {"span_id": b""},
        {"span_id": bytes(8)},
        {"span_id": b"a" * 16},
        {"parent_span_id": b"a"},
    ],
)
def test_rejected_alone_in_protobuf(change: dict[str, Any]) -> None:
    """Otherwise an SDK with a bug in one span loses its other spans."""
    decoded = _protobuf(_span(), _span(**change), _span())
    assert (len(decoded.rows), decoded.rejected, len(decoded.problems)) == (2, 1, 1)


@pytest.mark.parametrize("record", [None, 5, [], "span"])
def test_no_object(record: Any) -> None:
    """Otherwise a stray null in the array of spans takes the batch along."""
    decoded = _json(GOOD, record)
    assert (len(decoded.rows), decoded.rejected) == (1, 1)


@pytest.mark.parametrize("parent", ["", "0" * 16, None])
def test_root(parent: str | None) -> None:
    """Otherwise a root span looks like the child of a span that never arrives."""
    (span,) = _json(GOOD | {"parentSpanId": parent}).rows
    assert span.parent_span_id is None
    (span,) = _protobuf(_span(parent_span_id=bytes(8))).rows
    assert span.parent_span_id is None


def test_null_is_unset() -> None:
    """Otherwise clients that write null for what they do not know are refused."""
    nulls = dict.fromkeys(("name", "kind", "attributes", "events", "links", "status", "flags"))
    (expected,) = _json(GOOD).rows
    decoded = _json(GOOD | nulls)
    assert decoded.rows == [expected]
    assert decoded.problems == ()
    pairs = [
        {"key": "a", "value": None},
        {"key": "b", "value": {"stringValue": None}},
        {"key": "c", "value": {"arrayValue": {"values": [None, {"intValue": 1}]}}},
        {"key": "d"},
    ]
    (span,) = _json(GOOD | {"attributes": pairs}).rows
    assert span.attributes == {"a": None, "b": None, "c": [None, 1], "d": None}
    body = b'{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":null}]}]}'
    assert decode_traces(body, MediaType.JSON, lambda *_: {}).rejected == 0


def test_unknown_fields_and_other_spellings() -> None:
    """Otherwise a newer client is refused, or snake_case is read though OTLP forbids it."""
    decoded = _json(GOOD | {"future": {"a": [1, None]}, "trace_state": "a=b", "name": "x"})
    (span,) = decoded.rows
    assert (span.name, span.trace_state) == ("x", "")


def test_numbers_of_json() -> None:
    """Otherwise int64 is read from strings but not from numbers, or the other way round."""
    times = {"startTimeUnixNano": 1700000000123456789, "endTimeUnixNano": 1.7e18}
    (span,) = _json(GOOD | times | {"kind": "3"}).rows
    assert span.start_nanos == 789
    assert span.kind == "client"


def test_enums_of_the_future() -> None:
    """Otherwise a span of a kind that is not known yet is lost."""
    for decoded in (
        _json(GOOD | {"kind": 9, "status": {"code": -4}}),
        _protobuf(_span(kind=9, status={"code": -4}, end_time_unix_nano=1)),
    ):
        (span,) = decoded.rows
        assert (span.kind, span.status, decoded.rejected) == ("unspecified", "unset", 0)
        assert len(decoded.problems) == 2


@pytest.mark.parametrize("end", [0, 1_700_000_000_123_456_788])
def test_end_before_start(end: int) -> None:
    """Otherwise a clock that was set back gives negative durations, or loses the span."""
    decoded = _json(GOOD | {"endTimeUnixNano": end})
    (span,) = decoded.rows
    assert (span.duration_us, span.duration_nanos, decoded.rejected) == (0, 0, 0)
    assert "duration" in decoded.problems[0]


def test_nanoseconds() -> None:
    """Otherwise times are off by up to a microsecond after a round trip."""
    (span,) = _protobuf(
        _span(start_time_unix_nano=1_700_000_000_123_456_789, end_time_unix_nano=2**64 - 1)
    ).rows
    assert span.start_time == datetime(2023, 11, 14, 22, 13, 20, 123_456, tzinfo=UTC)
    assert span.start_nanos == 789
    duration = 2**64 - 1 - 1_700_000_000_123_456_789
    assert (span.duration_us, span.duration_nanos) == divmod(duration, 1000)


def test_unset_start() -> None:
    """Otherwise the caller cannot reject it by its own time limits."""
    (span,) = _protobuf(_span()).rows
    assert span.start_time == datetime(1970, 1, 1, tzinfo=UTC)


def test_link_with_malformed_ids() -> None:
    """Otherwise a bad link takes its span along."""
    decoded = _json(GOOD | {"links": [{"traceId": "xyz", "spanId": SPAN_ID}]})
    (span,) = decoded.rows
    assert (span.links[0].trace_id, span.links[0].span_id) == ("", SPAN_ID)
    assert "link" in decoded.problems[0]


def test_duplicate_keys() -> None:
    """Otherwise it would depend on the encoding which of two equal keys is kept."""
    pairs = [{"key": "a", "value": {"intValue": number}} for number in (1, 2)]
    assert _json(GOOD | {"attributes": pairs}).rows[0].attributes == {"a": 2}
    values = [KeyValue(key="a", value=AnyValue(int_value=number)) for number in (1, 2)]
    assert _protobuf(_span(attributes=values)).rows[0].attributes == {"a": 2}


def test_string_table_of_profiles() -> None:
    """Otherwise an index into a table that traces do not have is shown as a value."""
    pair = KeyValue(key_strindex=3, value=AnyValue(string_value_strindex=4))
    (span,) = _protobuf(_span(attributes=[pair])).rows
    assert span.attributes == {"": None}


def test_columns() -> None:
    """Otherwise what the LLM mapping makes of attributes is not stored."""

    def columns(attributes: dict[str, Any], *_: Any) -> dict[str, Any]:
        return {"operation": attributes.pop("gen_ai.operation.name"), "environment": "test"}

    pairs = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]
    resource = {
        "attributes": [
            {"key": "deployment.environment.name", "value": {"stringValue": "production"}},
        ]
    }
    scope = {"spans": [GOOD | {"attributes": pairs}]}
    body = msgspec.json.encode({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]})
    (span,) = decode_traces(body, MediaType.JSON, columns).rows
    assert (span.operation, span.environment, span.attributes) == ("chat", "test", {})
    body = msgspec.json.encode(
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [GOOD]}]}]}
    )
    (span,) = decode_traces(body, MediaType.JSON, lambda *_: {}).rows
    assert span.environment == "production"


def test_problems_are_bounded() -> None:
    """Otherwise a response grows with the number of bad records."""
    bad = [GOOD | {"kind": 100 + number} for number in range(25)]
    decoded = _json(*bad, *bad)
    assert len(decoded.rows) == 50
    assert len(decoded.problems) == 11
    assert decoded.problems[-1] == "and 30 more"
    decoded = _json(*[GOOD | {"traceId": ""}] * 1000)
    assert (decoded.rejected, len(decoded.problems)) == (1000, 1)


def test_ten_thousand_attributes() -> None:
    """Otherwise a wide span is cut or refused."""
    values = [
        KeyValue(key=f"key.{number}", value=AnyValue(int_value=number)) for number in range(10_000)
    ]
    (span,) = _protobuf(_span(attributes=values)).rows
    assert span.attributes == {f"key.{number}": number for number in range(10_000)}
