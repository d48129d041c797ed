"""What cannot be parsed is rejected alone; a body that is nothing at all is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from observatory_store.errors import UndecodableError
from observatory_store.otlp import (
    MediaType,
    decode_logs,
    decode_metrics,
    decode_traces,
    encode_logs,
)


@pytest.mark.parametrize("decode", [decode_metrics, decode_logs])
@pytest.mark.parametrize("body", [b"\0" * 40, b"\x12\x03abc\xff", b"\x0b\x0c\x0b"])
def test_a_body_without_anything_to_salvage_is_refused(decode: Any, body: bytes) -> None:
    """A 200 for noise would hide from its sender that nothing arrives."""
    with pytest.raises(UndecodableError):
        decode(body, MediaType.PROTOBUF)


BAD = "BAD!"
"""Replaced in the serialised bytes by as many bytes that are not UTF-8."""


def _spoiled(message: Any) -> bytes:
    body: bytes = message.SerializeToString()
    return body.replace(BAD.encode(), b"\xff\xfe\xff\xfe")


def _span(name: str, **fields: Any) -> trace_pb2.Span:
    return trace_pb2.Span(
        trace_id=b"a" * 16, span_id=b"b" * 8, name=name, end_time_unix_nano=1, **fields
    )


def _entry(service: str, *scopes: trace_pb2.ScopeSpans) -> trace_pb2.ResourceSpans:
    pair = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return trace_pb2.ResourceSpans(resource=Resource(attributes=[pair]), scope_spans=scopes)


def _nested(depth: int) -> AnyValue:
    value = AnyValue(string_value="core")
    for _ in range(depth):
        outer = AnyValue()
        outer.array_value.values.append(value)
        value = outer
    return value


def test_protobuf_text_that_is_not_utf8() -> None:
    """Otherwise one span with latin-1 bytes costs the batch, and the client sends it for ever."""
    data = trace_pb2.TracesData(
        resource_spans=[
            _entry("a", trace_pb2.ScopeSpans(spans=[_span("1"), _span(BAD), _span("2")])),
            _entry("b", trace_pb2.ScopeSpans(schema_url="url", spans=[_span("3")])),
        ]
    )
    decoded = decode_traces(_spoiled(data), MediaType.PROTOBUF, lambda *_: {})
    assert [(span.name, span.service_name) for span in decoded.rows] == [
        ("1", "a"),
        ("2", "a"),
        ("3", "b"),
    ]
    assert decoded.rows[2].resource.scope_schema_url == "url"
    assert decoded.rejected == 1
    assert "UTF-8" in decoded.problems[0]


def test_invalid_resource_or_scope() -> None:
    """Otherwise spans are filed under no service, or lost without being counted."""
    two = [_span("x"), _span("y")]
    data = trace_pb2.TracesData(
        resource_spans=[
            _entry(BAD, trace_pb2.ScopeSpans(spans=two), trace_pb2.ScopeSpans(spans=two)),
            _entry("b", trace_pb2.ScopeSpans(schema_url=BAD, spans=two)),
            _entry("c", trace_pb2.ScopeSpans(spans=[_span("1")])),
        ]
    )
    decoded = decode_traces(_spoiled(data), MediaType.PROTOBUF, lambda *_: {})
    assert [span.name for span in decoded.rows] == ["1"]
    assert decoded.rejected == 6


def test_protobuf_nested_too_deeply() -> None:
    """Otherwise a runaway structure in one attribute costs the batch."""
    deep = logs_pb2.LogRecord(time_unix_nano=1)
    inner = bytearray()
    for _ in range(120):
        inner = bytearray(_length_delimited(5, _length_delimited(1, bytes(inner))))
    records = [
        logs_pb2.LogRecord(time_unix_nano=1, body=_nested(40)).SerializeToString(),
        deep.SerializeToString() + _length_delimited(5, bytes(inner)),
        logs_pb2.LogRecord(time_unix_nano=2).SerializeToString(),
    ]
    scope = b"".join(_length_delimited(2, record) for record in records)
    body = _length_delimited(1, _length_delimited(2, scope))
    decoded = decode_logs(body, MediaType.PROTOBUF)
    assert (len(decoded.rows), decoded.rejected) == (2, 1)
    assert "nested" in decoded.problems[0]


def _length_delimited(number: int, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2]) + bytes(length) + bytes([size]) + content


def test_metric_counts_its_points() -> None:
    """Otherwise partial_success says 1 where a hundred points were lost."""
    points = [metrics_pb2.NumberDataPoint(as_int=number) for number in range(100)]
    bad = metrics_pb2.Metric(name=BAD, gauge=metrics_pb2.Gauge(data_points=points))
    good = metrics_pb2.Metric(name="good", gauge=metrics_pb2.Gauge(data_points=points))
    scope = metrics_pb2.ScopeMetrics(metrics=[bad, good])
    entry = metrics_pb2.ResourceMetrics(scope_metrics=[scope])
    body = _spoiled(metrics_pb2.MetricsData(resource_metrics=[entry]))
    decoded = decode_metrics(body, MediaType.PROTOBUF)
    assert (len(decoded.rows), decoded.rejected) == (100, 100)
    number = {"dataPoints": [{"asInt": "few"}, {"asInt": "many"}]}
    metrics = [{"name": "a", "sum": number}, {"name": 1}, {"name": "b", "gauge": 5}, 7]
    metrics.append({"name": 1, "gauge": {"dataPoints": [{"asInt": 1}, {"asInt": "many"}]}})
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    decoded = decode_metrics(msgspec.json.encode(document), MediaType.JSON)
    assert (len(decoded.rows), decoded.rejected) == (0, 7)


def test_point_is_rejected_alone() -> None:
    """Otherwise one bad label value costs all series of its metric."""
    good = metrics_pb2.NumberDataPoint(as_int=1, time_unix_nano=1)
    bad = metrics_pb2.NumberDataPoint(
        attributes=[KeyValue(key="path", value=AnyValue(string_value=BAD))]
    )
    data = metrics_pb2.Sum(data_points=[good, bad, good] * 50, aggregation_temporality=2)  # type: ignore[arg-type]  # enums are integers
    metric = metrics_pb2.Metric(name="requests", unit="1", sum=data)
    scope = metrics_pb2.ScopeMetrics(metrics=[metric, metric])
    entry = metrics_pb2.ResourceMetrics(scope_metrics=[scope])
    body = _spoiled(metrics_pb2.MetricsData(resource_metrics=[entry]))
    decoded = decode_metrics(body, MediaType.PROTOBUF)
    assert (len(decoded.rows), decoded.rejected) == (200, 100)
    points = [{"asInt": 1, "timeUnixNano": 1}, {"count": None, "asInt": "many"}]
    point = {"dataPoints": points * 50, "aggregationTemporality": 2}
    record = {"name": "requests", "unit": "1", "sum": point, "gauge": None}
    document = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [record]}]}]}
    other = decode_metrics(msgspec.json.encode(document), MediaType.JSON)
    assert (len(other.rows), other.rejected) == (50, 50)
    assert other.rows[0] == decoded.rows[0]
    assert other.rows[0].series.metric.temporality == "cumulative"


@pytest.mark.parametrize(
    "body",
    [
        b"hello world",
        b'{"resourceSpans":[]}',
        b"\x0a\x05abc",
        b"\x0a\x02\x12\x05",
        b"\x0a\x04\x12\x02\x12\x05",
        b"\xff" * 20,
        b"\x09\x00",
        b"\x0d\x00",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    ],
)
def test_not_protobuf(body: bytes) -> None:
    """Otherwise a client with the wrong content type gets a 200 and loses everything."""
    with pytest.raises(UndecodableError, match="not protobuf"):
        decode_traces(body, MediaType.PROTOBUF, lambda *_: {})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"{}{}",
        b'{"resourceSpans":5}',
        b'{"resourceSpans":[5]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":{}}]}]}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{]}]}]}',
        "{}".encode("utf-16"),
        b"\x0a\x05abc",
    ],
)
def test_not_json(body: bytes) -> None:
    """Otherwise a client with the wrong content type gets a 200 and loses everything."""
    with pytest.raises(UndecodableError, match="is not a JSON object with an array"):
        decode_traces(body, MediaType.JSON, lambda *_: {})


@pytest.mark.parametrize("opening", [b'{"a":', b'{"resourceSpans":[{"scopeSpans":[{"spans":[['])
def test_absurd_nesting(opening: bytes) -> None:
    """Otherwise a body of braces alone ends in a 500, or ends the process."""
    with pytest.raises(UndecodableError, match="nested too deeply"):
        decode_traces(opening + b'{"a":' * 100_000, MediaType.JSON, lambda *_: {})


@pytest.mark.parametrize("body", [b"{}", b' {"resourceSpans": null} ', b'{"resourceSpans": []}'])
def test_empty_request(body: bytes) -> None:
    """Otherwise an exporter that flushes nothing logs errors (OTLP: an empty request succeeds)."""
    decoded = decode_traces(body, MediaType.JSON, lambda *_: {})
    assert (decoded.rows, decoded.rejected, decoded.problems) == ([], 0, ())
    decoded = decode_traces(b"", MediaType.PROTOBUF, lambda *_: {})
    assert (decoded.rows, decoded.rejected, decoded.problems) == ([], 0, ())


def _json_log(depth: int) -> dict[str, Any]:
    body: dict[str, Any] = {"stringValue": "core"}
    for level in range(depth):
        if level % 2:
            body = {"kvlistValue": {"values": [{"key": "k", "value": body}]}}
        else:
            body = {"arrayValue": {"values": [body]}}
    return {"timeUnixNano": "1", "body": body}


def test_json_nesting() -> None:
    """Otherwise deep but honest structures are refused, or too deep ones cost the batch."""
    records = [_json_log(100), _json_log(128), _json_log(129), _json_log(0)]
    body = msgspec.json.encode({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    decoded = decode_logs(body, MediaType.JSON)
    assert (len(decoded.rows), decoded.rejected) == (3, 1)
    assert "128" in decoded.problems[0]
    again = decode_logs(msgspec.json.encode(encode_logs(decoded.rows)), MediaType.JSON)
    assert again.rows == decoded.rows


def test_json_resource_too_deep() -> None:
    """Otherwise records are filed under a resource without its attributes."""
    attributes = [{"key": "a", "value": _json_log(129)["body"]}]
    document = {
        "resourceLogs": [
            {
                "resource": {"attributes": attributes},
                "scopeLogs": [{"logRecords": [_json_log(0), _json_log(1)]}],
            },
            {"scopeLogs": [{"logRecords": [_json_log(0)]}]},
        ]
    }
    decoded = decode_logs(msgspec.json.encode(document), MediaType.JSON)
    assert (len(decoded.rows), decoded.rejected) == (1, 2)


def test_array_of_nothing() -> None:
    """Otherwise an empty list and an empty value are taken for each other."""
    scope = logs_pb2.ScopeLogs(
        log_records=[
            logs_pb2.LogRecord(time_unix_nano=1, body=AnyValue(array_value=ArrayValue())),
            logs_pb2.LogRecord(time_unix_nano=1, body=AnyValue()),
        ]
    )
    data = logs_pb2.LogsData(resource_logs=[logs_pb2.ResourceLogs(scope_logs=[scope])])
    decoded = decode_logs(data.SerializeToString(), MediaType.PROTOBUF)
    assert [record.body for record in decoded.rows] == [[], None]
