"""A bad record is repaired or rejected alone; the good ones of its batch are stored."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from api.service import Service
from api.telemetry import gauge, log, logs, metrics, now, span, to_json, traces
from observatory_store.otlp import Signal

pytestmark = pytest.mark.editions("postgres")

JSON = "application/json"


REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "short trace id": ({"trace_id": b"\1" * 15}, "trace_id must be 16 bytes"),
    "zero trace id": ({"trace_id": bytes(16)}, "trace_id must be 16 bytes"),
    "long span id": ({"span_id": b"\1" * 9}, "span_id must be 8 bytes"),
    "zero span id": ({"span_id": bytes(8)}, "span_id must be 8 bytes"),
    "short parent id": ({"parent_span_id": b"\1"}, "parent_span_id must be 8 bytes"),
    "no start": ({"start_time_unix_nano": 0}, "older than what spans keeps"),
    "year 2554": ({"start_time_unix_nano": 2**64 - 2**31}, "ahead of the clock"),
}
REPAIRED: dict[str, tuple[dict[str, Any], str]] = {
    "NUL in a name": ({"name": "a\0b"}, "U+FFFD"),
    "NUL in a key and a value": ({"attributes": {"a\0": "b\0"}}, "U+FFFD"),
    "NUL in an event": ({"events": [Span.Event(name="\0", time_unix_nano=1)]}, "U+FFFD"),
    "end before start": ({"end_time_unix_nano": 1}, "duration was set to 0"),
    "unknown kind": ({"kind": 77}, "unspecified"),
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "NaN and infinities": {"attributes": {"a": math.nan, "b": math.inf, "c": [-math.inf]}},
    "10,000 attributes": {"attributes": {f"key{n}": n for n in range(10_000)}},
    "an empty name": {"name": ""},
}


async def _stored(service: Service) -> list[str]:
    return [row["name"] for row in await service.fetch("SELECT name FROM observatory.spans")]


async def test_bad_spans_are_answered_for_one_by_one(service: Service) -> None:
    """Otherwise one poisoned span would take the whole batch of its exporter along."""
    for case, (fields, message) in (REJECTED | REPAIRED).items():
        bad = span(**{"name": "bad", **fields})
        good = [span(f"{case} {n}") for n in range(2)]
        response = await service.send(Signal.TRACES, traces(good[0], bad, good[1]))
        assert response.status_code == 200, case
        partial = ExportTraceServiceResponse.FromString(response.content).partial_success
        assert partial.rejected_spans == (case in REJECTED), case
        assert message in partial.error_message, case
        assert {each.name for each in good} <= set(await _stored(service)), case
    assert await service.count("spans") == 2 * len(REJECTED) + 3 * len(REPAIRED)


async def test_strange_spans_are_stored_without_a_word(service: Service) -> None:
    """Otherwise a warning that means nothing would fill the sender's log."""
    sent = [span(**fields) for fields in ACCEPTED.values()]
    response = await service.send(Signal.TRACES, traces(*sent))
    assert (response.status_code, response.content) == (200, b"")
    for each in sent:
        (found,) = (await service.get(f"traces/{each.trace_id.hex()}"))["spans"]
        assert len(found["attributes"]) == len(each.attributes)


async def test_a_string_that_is_not_utf_8_rejects_its_span_only(service: Service) -> None:
    """Otherwise the protobuf parser, which refuses such a message, would refuse the batch."""
    body = traces(span("good"), span("@@@")).SerializeToString()
    response = await service.send(Signal.TRACES, body.replace(b"@@@", b"\xed\xa0\x80"))
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert "not UTF-8" in partial.error_message
    assert await _stored(service) == ["good"]


@pytest.mark.parametrize(
    ("old", "new", "rejected", "message"),
    [
        ('"name":"bad"', r'"name":"\ud800x"', 0, "lone surrogate"),
        ('"name":"bad"', r'"name":"\u0000"', 0, "U+FFFD"),
        ('"name":"bad"', '"name":7', 1, "Span is invalid"),
        ('"startTimeUnixNano":"START"', '"startTimeUnixNano":"-62135596800000000000"', 1, "Span"),
        ('"startTimeUnixNano":"START"', '"startTimeUnixNano":"253402300799000000000"', 1, "2554"),
        ('"traceId":"ID"', '"traceId":"xyz"', 1, "16 bytes"),
        ('"attributes":[]', '"attributes":[{"key":"a","value":DEEP}]', 1, "nested"),
        ('"kind":1', '"kind":"SPAN_KIND_CLIENT"', 1, "Span is invalid"),
    ],
    ids=["surrogate", "NUL", "type", "year 1", "year 9999", "id", "200 deep", "enum name"],
)
async def test_bad_spans_of_json(
    service: Service, old: str, new: str, rejected: int, message: str
) -> None:
    """Otherwise what only JSON can say wrongly would take the batch along."""
    bad = span("bad", kind=Span.SPAN_KIND_INTERNAL)
    text = to_json(traces(span("good"), bad)).decode()
    old = old.replace("START", str(bad.start_time_unix_nano)).replace("ID", bad.trace_id.hex())
    deep = '{"arrayValue":{"values":[' * 200 + "]}}" * 200
    assert '"name":"bad"' in text
    if old.startswith('"attributes"'):
        old, new = '"name":"bad"', f'"name":"bad",{new}'
    assert old in text
    response = await service.send(
        Signal.TRACES, text.replace(old, new.replace("DEEP", deep)).encode(), JSON
    )
    assert response.status_code == 200
    partial = response.json()["partialSuccess"]
    assert int(partial.get("rejectedSpans", "0")) == rejected
    assert message in partial["errorMessage"]
    assert "good" in await _stored(service)
    assert await service.count("spans") == 2 - rejected


async def test_a_value_nested_100_deep_rejects_its_span_only(service: Service) -> None:
    """Otherwise the depth limit of the protobuf parser would be one for the whole batch."""
    deep = b"\x18\x01"
    for _ in range(100):
        deep = _field(5, _field(1, deep))
    bad = span("bad").SerializeToString() + _field(9, _field(1, b"deep") + _field(2, deep))
    body = _field(1, _field(2, _field(2, bad) + _field(2, span("good").SerializeToString())))
    response = await service.send(Signal.TRACES, body)
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert "nested too deeply" in partial.error_message
    assert await _stored(service) == ["good"]


def _field(number: int, content: bytes) -> bytes:
    """Write a length-delimited field."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


async def test_a_value_nested_100_deep_is_stored_from_json(service: Service) -> None:
    """Otherwise JSON would have protobuf's limit for no reason, or its reader come back damaged."""
    sent = span()
    text = to_json(traces(sent)).decode()
    deep = '{"arrayValue":{"values":[' * 100 + "]}}" * 100
    text = text.replace('"name":"work"', f'"attributes":[{{"key":"a","value":{deep}}}]')
    response = await service.send(Signal.TRACES, text.encode(), JSON)
    assert response.json() == {}
    tree = await service.get(f"traces/{sent.trace_id.hex()}")
    assert msgspec.json.encode(tree["spans"][0]["attributes"]["a"]) == b"[" * 100 + b"]" * 100


async def test_bad_metrics_are_rejected_alone(service: Service) -> None:
    """Otherwise a metric of a kind that is not known yet would take the known ones along."""
    unknown = Metric(name="unknown")
    broken = gauge("infinite", math.inf, time_unix_nano=2**64 - 1)
    sent = metrics(gauge("nan", math.nan), unknown, broken, gauge("inf\0", math.inf))
    response = await service.send(Signal.METRICS, sent)
    partial = ExportMetricsServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_data_points) == (200, 2)
    assert "no data of a known type" in partial.error_message
    assert "ahead of the clock" in partial.error_message
    names = [metric["name"] for metric in (await service.get("metrics"))["metrics"]]
    assert names == ["inf\ufffd", "nan"]
    for name, value in (("nan", "NaN"), ("inf\ufffd", "Infinity")):
        (point,) = (await service.get(f"metrics/{name}/points"))["points"]
        assert point["value_double"] == value


async def test_an_unknown_metric_kind_of_json_is_rejected_alone(service: Service) -> None:
    """Otherwise a newer sender would lose what an older service does understand."""
    text = to_json(metrics(gauge("good", 1), gauge("bad", 2))).decode()
    head, tail = text.split('"name":"bad"')
    response = await service.send(
        Signal.METRICS, (head + '"name":"bad"' + tail.replace("gauge", "cloud")).encode(), JSON
    )
    assert response.json()["partialSuccess"]["rejectedDataPoints"] == "1"
    assert [one["name"] for one in (await service.get("metrics"))["metrics"]] == ["good"]


async def test_two_points_at_one_time_keep_the_first(service: Service) -> None:
    """Otherwise which of two values is drawn would depend on luck, and the sender not know."""
    moment = now()
    first, second = (gauge("g", value, time_unix_nano=moment) for value in (1.0, 2.0))
    assert (await service.send(Signal.METRICS, metrics(first))).content == b""
    response = await service.send(Signal.METRICS, metrics(second, gauge("other", 3.0)))
    partial = ExportMetricsServiceResponse.FromString(response.content).partial_success
    assert partial.rejected_data_points == 1
    (point,) = (await service.get("metrics/g/points"))["points"]
    assert point["value_double"] == 1.0
    assert len((await service.get("metrics/other/points"))["points"]) == 1


async def test_bad_logs_are_rejected_alone(service: Service) -> None:
    """Otherwise one record without a time would take the batch along."""
    sent = logs(
        log("good"),
        log("timeless", time_unix_nano=0),
        log({"a\0": ["\0", math.nan]}),
        log("late", time_unix_nano=1),
        log("half an id", trace_id=b"\1\2"),
    )
    response = await service.send(Signal.LOGS, sent)
    partial = ExportLogsServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_log_records) == (200, 2)
    for reason in ("a log record has no time", "older than what logs keeps", "U+FFFD"):
        assert reason in partial.error_message
    found = (await service.get("logs"))["logs"]
    structured, good, half = sorted(
        (each["body"] for each in found), key=lambda body: (type(body) is str, body)
    )
    assert (good, half) == ("good", "half an id")
    assert math.isnan(float(structured["a\ufffd"][1]["$double"]))
