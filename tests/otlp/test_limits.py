"""How much one request may hold: counted before it is built, and refused with the limit."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from observatory_store.errors import BodyTooLargeError, TooManyRecordsError
from observatory_store.otlp import MediaType, decode_logs, decode_metrics, decode_traces, limits
from observatory_store.otlp.wire_format import field

if TYPE_CHECKING:
    from collections.abc import Callable

TIME = b"\x09" + (1_700_000_000_000_000_000).to_bytes(8, "little")
IDS = field(1, b"a" * 16) + field(2, b"b" * 8)


def _request(*records: bytes) -> bytes:
    return field(1, field(2, b"".join(field(2, record) for record in records)))


def _json(signal: str, records: str) -> bytes:
    scopes = {"Spans": "spans", "Logs": "logRecords", "Metrics": "metrics"}[signal]
    return f'{{"resource{signal}":[{{"scope{signal}":[{{"{scopes}":[{records}]}}]}}]}}'.encode()


def _spans(body: bytes, media_type: MediaType) -> Any:
    return decode_traces(body, media_type, lambda *_: {})


MANY, MOST = 10_100, 10_000


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the limits of a hundredth, so that the bodies are."""
    monkeypatch.setattr(limits, "MOST_MESSAGES", MOST)
    monkeypatch.setattr(limits, "MOST_FIELDS", 4 * MOST)
    monkeypatch.setattr(limits, "UNCOUNTED", 2 * MOST)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "record",
    [
        lambda n: field(9, b"") * n,
        lambda n: field(9, b"") * n + b"\xff",
        lambda n: field(9, field(2, field(6, field(1, b"") * n))),
        lambda n: field(9, field(2, field(5, field(1, field(5, field(1, b""))) * n))),
        lambda n: field(11, b"") * n,
        lambda n: b"\xca\x00\x00" * n,
        lambda n: b"\xa3\x06" + field(9, b"") * n + b"\xa4\x06",
        lambda n: b"\x78\x01" * 4 * n,
        lambda n: b"\xf9\x01" + bytes(8) + b"\xfd\x01" + bytes(4) + b"\xfa\x01\x00" * 4 * n,
    ],
    ids=range(9),
)
def test_protobuf_of_nothing_but_messages(record: Callable[[int], bytes]) -> None:
    """Otherwise megabytes of two-byte attributes become gigabytes of objects."""
    for body in (
        _request(IDS + record(MANY)),
        _request(IDS + record(MANY)) + b"\xff",
        _request(*[IDS + record(MANY // 16)] * 16),
        _request(IDS + record(MANY // 16)) * 16,
    ):
        with pytest.raises(
            TooManyRecordsError, match=r"more than \d0000 protobuf (messages|fields)"
        ):
            _spans(body, MediaType.PROTOBUF)


@pytest.mark.usefixtures("small")
def test_protobuf_of_nothing_but_counts() -> None:
    """Otherwise a packed list of zeros, a byte each, becomes eight times as much, several times."""
    zeros = bytes(4 * MANY)
    point = field(8, field(2, zeros))
    body = _request(field(1, b"m") + field(10, field(1, point)))
    with pytest.raises(TooManyRecordsError, match="fields"):
        decode_metrics(body, MediaType.PROTOBUF)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("body", "what"),
    [
        (_json("Spans", "{}" + ",{}" * MANY), "JSON objects"),
        (_json("Spans", '{"attributes":[{}' + ",{}" * MANY + "]}"), "JSON objects"),
        (_json("Spans", "0" + ",0" * 4 * MANY), "JSON members"),
        (_json("Spans", "0" + ",[]" * 4 * MANY), "JSON members"),
        (_json("Spans", '"\\\\",{' + ",{}" * MANY), "JSON objects"),
    ],
    ids=range(5),
)
def test_json_of_nothing_but_objects(body: bytes, what: str) -> None:
    """Otherwise 15 KB of gzip become two gigabytes, and stop everything else for ten seconds."""
    with pytest.raises(TooManyRecordsError, match=f"0000 {what}"):
        _spans(body, MediaType.JSON)
    for cut in (body[:-30], body[:-30] + b'"', body + b'"{,[' * 10, body + b"\\"):
        with pytest.raises(TooManyRecordsError, match=what):
            _spans(cut, MediaType.JSON)


@pytest.mark.usefixtures("small")
def test_what_only_texts_hold_is_not_counted() -> None:
    """Otherwise a prompt that is JSON, or code, or a list of numbers, is refused."""
    text = '{"a": [1, "\\\\"], ' * 13_000
    span = {"traceId": "a" * 32, "spanId": "b" * 16, "name": text, "endTimeUnixNano": 1}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    assert body.count(b"{") > MOST
    assert _spans(body, MediaType.JSON).rows[0].name == text
    request = ExportTraceServiceRequest()
    message = request.resource_spans.add().scope_spans.add().spans.add()
    message.trace_id, message.span_id, message.name = b"a" * 16, b"b" * 8, "J\x00" * 30_000
    assert len(_spans(request.SerializeToString(), MediaType.PROTOBUF).rows) == 1


def test_tokens_of_json() -> None:
    """Otherwise a string that looks like structure, or hides it, is counted wrong."""
    chance = random.Random(5)
    for _ in range(300):
        texts = ["".join(chance.choices('a\\"{,[/\n', k=chance.randrange(9))) for _ in range(6)]
        document = {text: [{"k": other}, other, [[], {}]] for text, other in zip(texts, texts[3:])}  # noqa: B905 - the rest has no partner
        body = json.dumps(document).encode()
        structure = json.dumps([len(document), *([{"k": 0}, 0, [[], {}]] for _ in document)])
        found = [token[1] for token in limits._TOKEN.finditer(body)]
        assert found.count(b"{") == 1 + structure.count("{")
        assert found.count(b"[") == structure.count("[") - 1


RECORDS = limits.MOST_RECORDS
POINT = '{"timeUnixNano":"1","asInt":"1"}'


@pytest.mark.parametrize(
    ("decode", "media_type", "body"),
    [
        (_spans, MediaType.PROTOBUF, lambda n: _request(*[b""] * n)),
        (_spans, MediaType.JSON, lambda n: _json("Spans", ",".join(["{}"] * n))),
        (_spans, MediaType.JSON, lambda n: _json("Spans", ",".join(["0"] * n))),
        (decode_logs, MediaType.PROTOBUF, lambda n: _request(*[TIME] * n)),
        (decode_logs, MediaType.PROTOBUF, lambda n: _request(TIME) * n),
        (decode_logs, MediaType.PROTOBUF, lambda n: _request(*[b"\x1a\x01\xff"] * n)),
        (
            decode_logs,
            MediaType.JSON,
            lambda n: _json("Logs", ",".join(['{"timeUnixNano":1}'] * n)),
        ),
        (
            decode_metrics,
            MediaType.PROTOBUF,
            lambda n: _request(field(1, b"m") + field(5, field(1, b"") * n)),
        ),
        (
            decode_metrics,
            MediaType.JSON,
            lambda n: _json(
                "Metrics", f'{{"name":"m","sum":{{"dataPoints":[{",".join([POINT] * n)}]}}}}'
            ),
        ),
        (
            decode_metrics,
            MediaType.JSON,
            lambda n: _json(
                "Metrics", f'{{"name":1,"sum":{{"dataPoints":[{",".join([POINT] * n)}]}}}}'
            ),
        ),
        (
            decode_metrics,
            MediaType.JSON,
            lambda n: _json("Metrics", ",".join(['{"name":1}'] * n)),
        ),
    ],
    ids=range(11),
)
def test_the_most_records(decode: Any, media_type: MediaType, body: Any) -> None:
    """Otherwise a request takes more than one transaction should, or an honest one is refused."""
    decoded = decode(body(RECORDS), media_type)
    assert len(decoded.rows) + decoded.rejected == RECORDS
    with pytest.raises(BodyTooLargeError, match="more than 50000"):
        decode(body(RECORDS + 1), media_type)


@pytest.mark.usefixtures("small")
def test_a_large_honest_request_is_counted_and_taken() -> None:
    """Otherwise the count itself, which only large bodies meet, could refuse or miscount them."""
    request = ExportLogsServiceRequest()
    for service in range(3):
        scope = request.resource_logs.add().scope_logs.add()
        for number in range(200):
            record = scope.log_records.add(time_unix_nano=number + 1)
            record.body.kvlist_value.values.add(key="text").value.string_value = "x" * 300
            for key in "abcde":
                record.attributes.add(key=key).value.int_value = service
    body = request.SerializeToString()
    assert len(body) > limits.UNCOUNTED
    assert len(decode_logs(body, MediaType.PROTOBUF).rows) == 600
