"""The examples that the OTLP specification ships (opentelemetry-proto, ``examples/``)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from observatory_store.otlp import (
    MediaType,
    decode_logs,
    decode_metrics,
    decode_traces,
    encode_logs,
    encode_metrics,
    encode_traces,
)
from observatory_store.rows import LogRecord, Metric, Resource, Span

EXAMPLES = Path(__file__).parent / "examples"

TIME = datetime(2018, 12, 13, 14, 51, 0, 300_000, tzinfo=UTC)
RESOURCE = Resource(
    attributes={"service.name": "my.service"},
    scope_name="my.library",
    scope_version="1.0.0",
    scope_attributes={"my.scope.attribute": "some scope attribute"},
)


def _body(name: str) -> bytes:
    return (EXAMPLES / name).read_bytes()


def test_trace() -> None:
    """Otherwise the first curl that a user copies from the specification is refused or garbled."""
    decoded = decode_traces(_body("trace.json"), MediaType.JSON, lambda *_: {})
    assert decoded.rows == [
        Span(
            trace_id="5b8efff798038103d269b633813fc60c",
            span_id="eee19b7ec3c1b174",
            parent_span_id="eee19b7ec3c1b173",
            start_time=datetime(2018, 12, 13, 14, 51, tzinfo=UTC),
            duration_us=1_000_000,
            name="I'm a server span",
            kind="server",
            service_name="my.service",
            source="otlp",
            attributes={"my.span.attr": "some value"},
            resource=RESOURCE,
        )
    ]
    assert (decoded.rejected, decoded.problems) == (0, ())
    document = encode_traces(decoded.rows, lambda span: span.attributes)
    span = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert span["traceId"] == "5b8efff798038103d269b633813fc60c"
    assert span["startTimeUnixNano"] == "1544712660000000000"
    assert span["endTimeUnixNano"] == "1544712661000000000"
    assert span["kind"] == 2


def test_log() -> None:
    """Otherwise attributes of logs lose their types."""
    decoded = decode_logs(_body("logs.json"), MediaType.JSON)
    (record,) = decoded.rows
    assert isinstance(record, LogRecord)
    assert record.time == record.observed_time == TIME
    assert record.severity_number == 10
    assert record.body == "Example log record"
    assert record.trace_id == "5b8efff798038103d269b633813fc60c"
    assert record.service_name == "my.service"
    assert record.resource == RESOURCE
    assert record.attributes == {
        "string.attribute": "some string",
        "boolean.attribute": True,
        "int.attribute": 10,
        "double.attribute": 637.704,
        "array.attribute": ["many", "values"],
        "map.attribute": {"some.map.key": "some value"},
    }


def test_event() -> None:
    """Otherwise an event, a log record with a name and a map as body, is not found by its name."""
    decoded = decode_logs(_body("events.json"), MediaType.JSON)
    (record,) = decoded.rows
    assert record.event_name == "browser.page_view"
    assert isinstance(record.body, dict)
    assert record.body["type"] == 0
    again = encode_logs(decoded.rows)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert again["body"]["kvlistValue"]["values"][0] == {"key": "type", "value": {"intValue": "0"}}


def test_metrics() -> None:
    """Otherwise a kind of metric is missing from the store."""
    decoded = decode_metrics(_body("metrics.json"), MediaType.JSON)
    counter, gauge, histogram, exponential = decoded.rows
    assert counter.series.metric == Metric(
        name="my.counter",
        unit="1",
        type="sum",
        temporality="delta",
        is_monotonic=True,
        description="I am a Counter",
    )
    assert counter.value_double == 5
    assert counter.start_time == TIME
    assert gauge.value_double == 10
    assert gauge.series.metric.temporality is None
    assert gauge.start_time is None
    assert (histogram.count, histogram.sum, histogram.min, histogram.max) == (2, 2, 0, 2)
    assert (histogram.bucket_counts, histogram.explicit_bounds) == ((1, 1), (1,))
    assert (exponential.scale, exponential.zero_count, exponential.zero_threshold) == (0, 1, 0)
    assert (exponential.positive_offset, exponential.positive_counts) == (1, (0, 2))
    assert (exponential.negative_offset, exponential.negative_counts) == (None, None)
    metrics: list[dict[str, Any]] = encode_metrics(decoded.rows)["resourceMetrics"][0][
        "scopeMetrics"
    ][0]["metrics"]
    assert [metric["name"] for metric in metrics] == [
        "my.counter",
        "my.gauge",
        "my.histogram",
        "my.exponential.histogram",
    ]
