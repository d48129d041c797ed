"""A large request is decoded slice by slice: together they are the request, no more and no less."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api import telemetry
from observatory_store.errors import TooManyRecordsError, UndecodableError
from observatory_store.ingest.row_size import row_bytes
from observatory_store.otlp import (
    MediaType,
    Signal,
    decode_logs,
    decode_metrics,
    decode_traces,
    limits,
    slices,
)
from observatory_store.otlp import json_slices as in_json
from observatory_store.otlp import protobuf_slices as in_protobuf
from observatory_store.otlp.decoded import Tally
from observatory_store.otlp.signal import FIELDS, JSON_NAMES
from observatory_store.otlp.wire_format import field

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = 120
TYPES: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
}


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Make slices so small that each test has many."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (limits, in_protobuf, in_json):
            patch.setattr(module, "SLICE", SMALL)
        patch.setattr("observatory_store.otlp.slicing.UNCOUNTED", 0)
        patch.setattr(limits, "MOST_HEADER_BYTES", 10 * SMALL)
        yield


def _slices(signal: Signal, body: bytes, media_type: MediaType) -> list[bytes]:
    return list(slices(signal, body, media_type, Tally()))


def _varint(number: int, *, overlong: bool) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number | 0x80, 0]) if overlong else bytes([*found, number])


@st.composite
def _within(draw: st.DrawFn, number: int, content: st.SearchStrategy[bytes]) -> bytes:
    """Return a submessage as any encoder might write it."""
    inner = draw(content)
    tag = _varint(number << 3 | 2, overlong=draw(st.booleans()))
    return tag + _varint(len(inner), overlong=draw(st.booleans())) + inner


UNKNOWN = st.sampled_from(
    [
        b"\xa0\x06\x05",
        b"\xa1\x06" + b"8 bytes.",
        b"\xa5\x064 by",
        b"\xa2\x06\x03\x0a\x0a\x0a",
        b"\xa3\x06\x0a\x01a\xab\x06\x08\x01\xac\x06\xa4\x06",
    ]
)


def _message(*parts: st.SearchStrategy[bytes], most: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.one_of(*parts, UNKNOWN), max_size=most).map(b"".join)


TEXT = st.binary(max_size=60).map(lambda raw: raw.hex().encode())
VALUE = _within(1, TEXT)
ATTRIBUTE = _message(_within(1, TEXT), _within(2, VALUE), most=3)
POINT = _message(_within(7, ATTRIBUTE), st.just(b"\x19whenwhen"), most=4)
DATA = _message(_within(1, POINT), st.just(b"\x10\x02"), most=4)
RECORDS = {
    Signal.TRACES: _message(_within(5, TEXT), _within(9, ATTRIBUTE), _within(11, VALUE), most=5),
    Signal.LOGS: _message(_within(3, TEXT), _within(5, VALUE), _within(6, ATTRIBUTE), most=5),
    Signal.METRICS: st.tuples(
        _message(_within(1, TEXT), most=2),
        st.sampled_from([5, 7]).flatmap(lambda kind: _within(kind, DATA)),
        _message(_within(3, TEXT), most=2),
    ).map(b"".join),
}


def _requests(signal: Signal) -> st.SearchStrategy[bytes]:
    schema = _within(3, TEXT)
    resource = _within(1, _message(_within(1, ATTRIBUTE), most=2))
    scope = _within(1, _message(_within(1, TEXT), _within(3, ATTRIBUTE), most=2))
    scopes = _message(_within(2, RECORDS[signal]), scope, schema, most=8)
    entry = _message(_within(2, scopes), resource, schema, most=6)
    return _message(_within(1, entry), most=6)


def _flat(signal: Signal, body: bytes) -> list[bytes]:
    """Return each record, of metrics each point, with all that is said of it."""
    request = TYPES[signal].FromString(body)
    entries, scopes, records = FIELDS[signal]
    found = []
    for entry in getattr(request, entries):
        for scope in getattr(entry, scopes):
            for record in getattr(scope, records):
                alone = TYPES[signal]()
                into_entry = getattr(alone, entries).add()
                into_entry.resource.CopyFrom(entry.resource)
                into_entry.schema_url = entry.schema_url
                into = getattr(into_entry, scopes).add(scope=scope.scope)
                into.schema_url = scope.schema_url
                copied = getattr(into, records).add()
                copied.CopyFrom(record)
                kind = signal is Signal.METRICS and record.WhichOneof("data")
                for point in getattr(record, kind).data_points if kind else [None]:
                    if kind:
                        del getattr(copied, kind).data_points[:]
                        getattr(copied, kind).data_points.append(point)
                    alone.DiscardUnknownFields()
                    found.append(alone.SerializeToString(deterministic=True))
    return found


@pytest.mark.parametrize("signal", Signal)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_slices_of_protobuf_are_the_request(signal: Signal, data: st.DataObject) -> None:
    """Otherwise a record of a large batch is lost or doubled, or filed under another sender."""
    body = data.draw(_requests(signal))
    parts = _slices(signal, body, MediaType.PROTOBUF)
    assert [one for part in parts for one in _flat(signal, part)] == _flat(signal, body)
    assert all(len(part) < 10 * SMALL for part in parts)


@settings(max_examples=80, deadline=None)
@given(body=_requests(Signal.TRACES) | st.binary(max_size=60), cut=st.integers(0, 400))
def test_what_is_not_protobuf_is_undecodable(body: bytes, cut: int) -> None:
    """Otherwise a batch that was cut off is acknowledged in part, and the rest is lost."""
    body = body[:cut]
    try:
        whole = _flat(Signal.TRACES, body)
    except Exception:  # noqa: BLE001 - upb's, or that a string is not UTF-8
        whole = None
    try:
        parts = _slices(Signal.TRACES, body, MediaType.PROTOBUF)
        found = [one for part in parts for one in _flat(Signal.TRACES, part)]
    except Exception:  # noqa: BLE001 - the same
        found = None
    assert found == whole


@pytest.mark.parametrize("body", [b"\x0a", b"\x0a\x7f", b"\x0a\xff", b"\x0b\x0a\x00", b"\x00\x00"])
def test_broken_framing(body: bytes) -> None:
    """Otherwise it ends in a 500, or in an acknowledgement of what was not stored."""
    body = field(1, field(2, field(2, b"\x2a\x01a") * 40)) + body
    with pytest.raises(UndecodableError):
        _slices(Signal.TRACES, body, MediaType.PROTOBUF)


SCALARS = st.none() | st.integers(0, 9) | st.text(max_size=9) | st.just('a "},{" b')
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


def _documents(signal: Signal) -> st.SearchStrategy[Any]:
    names = JSON_NAMES[signal]
    other = {"schemaUrl": ANY_JSON, "unknown": ANY_JSON}
    record = st.dictionaries(st.sampled_from(["name", "attributes"]), ANY_JSON) | ANY_JSON
    records = st.none() | st.lists(record, max_size=12)
    scope = st.fixed_dictionaries({}, optional={names.records: records, "scope": ANY_JSON, **other})
    scopes = st.none() | st.lists(scope, max_size=4)
    entry = st.fixed_dictionaries(
        {}, optional={names.scopes: scopes, "resource": ANY_JSON, **other}
    )
    entries = st.none() | st.lists(entry, max_size=4)
    return st.fixed_dictionaries({}, optional={names.entries: entries, **other})


def _flat_json(signal: Signal, body: bytes) -> list[Any]:
    names = JSON_NAMES[signal]
    return [
        (
            {key: value for key, value in entry.items() if key in ("resource", "schemaUrl")},
            {key: value for key, value in scope.items() if key in ("scope", "schemaUrl")},
            record,
        )
        for entry in json.loads(body).get(names.entries) or ()
        for scope in entry.get(names.scopes) or ()
        for record in scope.get(names.records) or ()
    ]


@pytest.mark.parametrize("signal", Signal)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_slices_of_json_are_the_request(signal: Signal, data: st.DataObject) -> None:
    """Otherwise a record of a large batch is lost or doubled, or filed under another sender."""
    document = data.draw(_documents(signal))
    body = json.dumps(document, indent=data.draw(st.none() | st.just(1))).encode()
    parts = _slices(signal, body, MediaType.JSON)
    assert [one for part in parts for one in _flat_json(signal, part)] == _flat_json(signal, body)


def test_json_with_a_lone_surrogate() -> None:
    """Otherwise one character that is none refuses a large batch."""
    spans = [{"name": f"{n}", "traceId": "a" * 32, "spanId": "b" * 16} for n in range(20)]
    spans[7]["name"] = "\ud800"
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    tally = Tally()
    parts = list(slices(Signal.TRACES, body, MediaType.JSON, tally))
    names = [record["name"] for part in parts for *_, record in _flat_json(Signal.TRACES, part)]
    assert len(parts) > 1
    assert names == [*map(str, range(7)), "\ufffd", *map(str, range(8, 20))]
    assert tally.decoded([]).problems


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"5", b'{"resourceSpans":[5]}', b'{"resourceSpans":' + b"[" * 100_000]
)
def test_what_is_not_json_is_undecodable(body: bytes) -> None:
    """Otherwise a client with the wrong content type gets a 200 and loses everything."""
    with pytest.raises(UndecodableError, match="JSON"):
        _slices(Signal.TRACES, body, MediaType.JSON)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (field(1, field(1, b"\x0a\x00" * 900) + field(2, field(2, b"\x2a\x01a" * 40) * 9)), "pb"),
        (
            b'{"resourceSpans":[{"resource":{"a":"%s"},"scopeSpans":[{"spans":[%s]}]}]}'
            % (b"x" * 1800, b",".join([b'{"name":"a span"}'] * 40)),
            "json",
        ),
    ],
)
def test_a_large_resource_of_many_slices_is_refused(body: bytes, media_type: str) -> None:
    """Otherwise each slice repeats it: 30 MB of it take a minute."""
    kind = MediaType.JSON if media_type == "json" else MediaType.PROTOBUF
    with pytest.raises(TooManyRecordsError, match="a resource or scope of more than"):
        _slices(Signal.TRACES, body, kind)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_messages_are_counted_as_upb_has_them(data: st.DataObject) -> None:
    """Otherwise a large record that is honest is refused, or one that is hostile is built."""
    body = data.draw(_requests(Signal.TRACES).filter(bool))
    request = ExportTraceServiceRequest.FromString(body)
    request.DiscardUnknownFields()
    body = request.SerializeToString()
    messages = _count(request)
    shape = limits.shape(ExportTraceServiceRequest.DESCRIPTOR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "UNCOUNTED", -1)
        patch.setattr(limits, "MOST_MESSAGES", messages)
        limits.check_protobuf(body, shape)
        if messages:
            patch.setattr(limits, "MOST_MESSAGES", messages - 1)
            with pytest.raises(TooManyRecordsError):
                limits.check_protobuf(body, shape)


def _count(message: Any) -> int:
    return sum(
        1 + _count(inner)
        for descriptor, content in message.ListFields()
        if descriptor.message_type is not None
        for inner in (content if descriptor.is_repeated else [content])
    )


IDS = field(1, b"a" * 16) + field(2, b"b" * 8)
TIME = b"\x09" + (1_700_000_000_000_000_000).to_bytes(8, "little")
KEYS = [field(1, f"some.key.{n}".encode()) for n in range(300)]


def _spans(record: bytes, count: int) -> Any:
    body = field(1, field(2, field(2, IDS + record) * count))
    return decode_traces(body, MediaType.PROTOBUF, lambda *_: {}).rows


@pytest.mark.parametrize(
    ("signal", "decode"),
    [
        (Signal.TRACES, lambda: _spans(b"", 3000)),
        (Signal.TRACES, lambda: _spans(b"\x5a\x00" * 300, 20)),
        (Signal.TRACES, lambda: _spans(b"\x6a\x00" * 300, 20)),
        (Signal.TRACES, lambda: _spans(field(5, b"x" * 9000 + "😀".encode()), 20)),
        (Signal.TRACES, lambda: _spans(b"".join(field(9, key) for key in KEYS), 20)),
        (Signal.TRACES, lambda: _spans(field(11, b"".join(field(3, key) for key in KEYS)), 20)),
        (
            Signal.TRACES,
            lambda: _spans(field(9, field(2, field(5, b"\x0a\x02\x32\x00" * 300))), 20),
        ),
        (
            Signal.TRACES,
            lambda: _spans(field(9, field(2, field(5, b"\x0a\x02\x2a\x00" * 300))), 20),
        ),
        (
            Signal.LOGS,
            lambda: decode_logs(field(1, field(2, field(2, TIME) * 3000)), MediaType.PROTOBUF).rows,
        ),
        (
            Signal.LOGS,
            lambda: (
                decode_logs(
                    field(
                        1, field(2, field(2, TIME + field(5, field(5, b"\x0a\x02\x32\x00" * 3000))))
                    ),
                    MediaType.PROTOBUF,
                ).rows
            ),
        ),
        (
            Signal.METRICS,
            lambda: (
                decode_metrics(
                    telemetry.metrics(
                        telemetry.gauge("a", 1.0),
                        *[telemetry.gauge("b", 1.0 * n) for n in range(3000)],
                    ).SerializeToString(),
                    MediaType.PROTOBUF,
                ).rows
            ),
        ),
        (
            Signal.METRICS,
            lambda: (
                decode_metrics(
                    field(
                        1,
                        field(
                            2,
                            field(
                                2,
                                field(1, b"m")
                                + field(10, field(1, field(8, field(2, b"\xff\xff\x03" * 3000)))),
                            ),
                        ),
                    ),
                    MediaType.PROTOBUF,
                ).rows
            ),
        ),
    ],
    ids=range(12),
)
def test_rows_take_no_more_than_is_counted(signal: Signal, decode: Any) -> None:
    """Otherwise requests that are admitted together take more memory than they may."""
    decode()
    tracemalloc.start()
    try:
        rows = decode()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken <= row_bytes(signal, rows) * 1.1
