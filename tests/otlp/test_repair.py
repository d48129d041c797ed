"""Texts that PostgreSQL or UTF-8 cannot hold are repaired, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from observatory_store.otlp import MediaType, decode_logs, decode_metrics, decode_traces

NUL = "a\0b"
REPAIRED = "a\ufffdb"


def _text(value: str) -> AnyValue:
    return AnyValue(string_value=value)


ATTRIBUTES = [
    KeyValue(key=NUL, value=_text(NUL)),
    KeyValue(key="list", value=AnyValue(array_value=ArrayValue(values=[_text(NUL)]))),
    KeyValue(
        key="map",
        value=AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key=NUL, value=_text(NUL))])),
    ),
    KeyValue(key="bytes", value=AnyValue(bytes_value=b"a\0b")),
]
RESOURCE = Resource(
    attributes=ATTRIBUTES,
    entity_refs=[EntityRef(schema_url=NUL, type=NUL, id_keys=[NUL], description_keys=[NUL])],
)
SCOPE = InstrumentationScope(name=NUL, version=NUL, attributes=ATTRIBUTES)
IDS: dict[str, Any] = {"trace_id": b"a" * 16, "span_id": b"a" * 8}


def _texts(value: Any) -> list[str]:
    """Return every text inside a row, but for bytes in base64."""
    found: list[str] = []

    def walk(item: Any) -> None:
        if isinstance(item, dict):
            for key, inner in item.items():
                found.append(key)
                walk(inner)
        elif isinstance(item, (list, tuple)):
            for inner in item:
                walk(inner)
        elif isinstance(item, str):
            found.append(item)

    walk(msgspec.to_builtins(value, builtin_types=(bytes,)))
    return found


def _check(decoded: Any, repaired: int) -> None:
    texts = _texts(decoded.rows)
    assert not any("\0" in text for text in texts)
    assert texts.count(REPAIRED) == repaired
    assert decoded.rejected == 0
    (problem,) = decoded.problems
    assert "U+0000" in problem


def test_nul_in_spans() -> None:
    """Otherwise PostgreSQL refuses the whole batch for one NUL byte."""
    span = trace_pb2.Span(
        **IDS,
        name=NUL,
        trace_state=NUL,
        attributes=ATTRIBUTES,
        end_time_unix_nano=1,
        status=trace_pb2.Status(message=NUL),
        events=[trace_pb2.Span.Event(name=NUL, attributes=ATTRIBUTES)],
        links=[trace_pb2.Span.Link(**IDS, trace_state=NUL, attributes=ATTRIBUTES)],
    )
    scope = trace_pb2.ScopeSpans(scope=SCOPE, schema_url=NUL, spans=[span])
    entry = trace_pb2.ResourceSpans(resource=RESOURCE, schema_url=NUL, scope_spans=[scope])
    body = trace_pb2.TracesData(resource_spans=[entry]).SerializeToString()
    decoded = decode_traces(body, MediaType.PROTOBUF, lambda *_: {})
    _check(decoded, 5 * 5 + 4 + 2 + 2 + 3 + 1 + 1)
    assert decoded.rows[0].attributes["bytes"] == b"a\0b"


def test_nul_in_logs() -> None:
    """Otherwise one binary line in a log takes the other lines along."""
    body = AnyValue(kvlist_value=KeyValueList(values=ATTRIBUTES))
    record = logs_pb2.LogRecord(
        time_unix_nano=1, severity_text=NUL, event_name=NUL, body=body, attributes=ATTRIBUTES
    )
    scope = logs_pb2.ScopeLogs(log_records=[record])
    data = logs_pb2.LogsData(resource_logs=[logs_pb2.ResourceLogs(scope_logs=[scope])])
    _check(decode_logs(data.SerializeToString(), MediaType.PROTOBUF), 5 * 2 + 2)


def test_nul_in_metrics() -> None:
    """Otherwise one label value takes the metrics of a whole collector along."""
    exemplar = metrics_pb2.Exemplar(filtered_attributes=ATTRIBUTES)
    point = metrics_pb2.NumberDataPoint(attributes=ATTRIBUTES, exemplars=[exemplar], as_int=1)
    metric = metrics_pb2.Metric(
        name=NUL,
        unit=NUL,
        description=NUL,
        metadata=ATTRIBUTES,
        gauge=metrics_pb2.Gauge(data_points=[point]),
    )
    scope = metrics_pb2.ScopeMetrics(metrics=[metric])
    entry = metrics_pb2.ResourceMetrics(scope_metrics=[scope])
    data = metrics_pb2.MetricsData(resource_metrics=[entry])
    _check(decode_metrics(data.SerializeToString(), MediaType.PROTOBUF), 5 * 3 + 3)


def _log(body: bytes) -> Any:
    return decode_logs(
        b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","body":{"stringValue":'
        + body
        + b"}}]}]}]}",
        MediaType.JSON,
    )


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"a\\u0000b"', r"a\u0000b"),
        (rb'"a\\\u0000b"', "a\\\ufffdb"),
        (rb'"\ud800"', "\ufffd"),
        (rb'"\ud800x"', "\ufffdx"),
        (rb'"\uDC00x"', "\ufffdx"),
        (rb'"\udc00\ud800"', "\ufffd\ufffd"),
        (rb'"\ud800\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\ude00\ude00"', "\U0001f600\ufffd"),
        (rb'"\ud83d\u0041"', "\ufffdA"),
        (rb'"\\ud800"', r"\ud800"),
        (rb'"\\\ud800"', "\\\ufffd"),
        (rb'"\ud800\\ud800"', "\ufffd\\ud800"),
        (rb'"\"\ud800\n"', '"\ufffd\n'),
        (b'"a\xffb"', "a\ufffdb"),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        ('"é€\\ud800"'.encode(), "é€\ufffd"),
    ],
)
def test_json_text(sent: bytes, stored: str) -> None:
    """Otherwise half an emoji, cut by a client's length limit, costs the batch."""
    decoded = _log(sent)
    assert decoded.rows[0].body == stored
    assert decoded.rejected == 0


def test_repairs_are_told() -> None:
    """Otherwise a user wonders where the U+FFFD in a prompt comes from."""
    assert "U+0000" in _log(rb'"\u0000"').problems[0]
    assert "surrogate" in _log(rb'"\ud800"').problems[0]
    assert "UTF-8" in _log(b'"\xff"').problems[0]
    assert _log(rb'"\\u0000"').problems == ()
    assert _log(rb'"\ud83d\ude00"').problems == ()


@pytest.mark.parametrize("encoded", ["+/8=", "-_8=", "-_8", "+/8"])
def test_base64(encoded: str) -> None:
    """Otherwise bytes are refused from a client that writes the URL alphabet."""
    (record,) = decode_logs(
        msgspec.json.encode(
            {
                "resourceLogs": [
                    {
                        "scopeLogs": [
                            {"logRecords": [{"timeUnixNano": 1, "body": {"bytesValue": encoded}}]}
                        ]
                    }
                ]
            }
        ),
        MediaType.JSON,
    ).rows
    assert record.body == b"\xfb\xff"
