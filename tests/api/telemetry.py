"""OTLP messages with everything set, and how to compare two of them."""

from __future__ import annotations

import base64
import itertools
import math
import secrets
import time
from typing import Any, TypeVar

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1 import metrics_pb2 as m
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

MessageT = TypeVar("MessageT", bound=Message)

SECOND = 1_000_000_000
_IDS = {"traceId", "spanId", "parentSpanId"}


QUARTER = 900 * SECOND

_first = time.time_ns() // 1000 * 1000 - 60 * SECOND
if _first % QUARTER > QUARTER - 10 * SECOND:
    _first -= 10 * SECOND
_moments = itertools.count(_first + 789, 1000)


def now() -> int:
    """Return a moment a little ago, whose nanoseconds are not whole microseconds.

    Each is later than those before, and all of a run are in one quarter-hour.
    """
    return next(_moments)


def value(thing: Any) -> AnyValue:  # noqa: PLR0911 - one for each type
    """Return an ``AnyValue``."""
    match thing:
        case None:
            return AnyValue()
        case str():
            return AnyValue(string_value=thing)
        case bool():
            return AnyValue(bool_value=thing)
        case int():
            return AnyValue(int_value=thing)
        case float():
            return AnyValue(double_value=thing)
        case bytes():
            return AnyValue(bytes_value=thing)
        case list():
            return AnyValue(array_value=ArrayValue(values=map(value, thing)))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=pairs(thing)))
        case _:
            raise TypeError(thing)


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    """Return a ``KeyValue`` list."""
    return [KeyValue(key=key, value=value(item)) for key, item in attributes.items()]


EVERY_TYPE: dict[str, Any] = {
    "text": 'π "quoted"\n\\',
    "empty text": "",
    "yes": True,
    "big": 2**63 - 1,
    "small": -(2**63),
    "double": 1.0,
    "tiny": 5e-324,
    "nan": math.nan,
    "inf": -math.inf,
    "minus zero": -0.0,
    "bytes": b"\0\xff",
    "nothing": None,
    "list": [1, 1.0, "1", b"1", [], None],
    "map": {"deep": {"deeper": [True]}, "$double": 1},
    "tagged": {"$bytes": "no bytes"},
}
RESOURCE = Resource(
    attributes=pairs({"service.name": "gateway", "deployment.environment.name": "prod"}),
    dropped_attributes_count=2,
)
SCOPE = InstrumentationScope(
    name="tests", version="1.2", attributes=pairs({"scope": 1}), dropped_attributes_count=3
)


def span(name: str = "work", *, attributes: dict[str, Any] | None = None, **fields: Any) -> Span:
    """Return a valid span."""
    start = fields.pop("start_time_unix_nano", now())
    given: dict[str, Any] = {
        "trace_id": secrets.token_bytes(16),
        "span_id": secrets.token_bytes(8),
        "start_time_unix_nano": start,
        "end_time_unix_nano": start + SECOND,
        **fields,
    }
    return Span(name=name, attributes=pairs(attributes or {}), **given)


def traces(*spans: Span, service: str = "gateway") -> ExportTraceServiceRequest:
    """Return a request with these spans."""
    resource = Resource(attributes=pairs({"service.name": service}))
    entry = ResourceSpans(resource=resource, scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[entry])


def llm_attributes() -> dict[str, Any]:
    """Return the attributes of a call of a model, with payloads."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.conversation.id": "c1",
        "gen_ai.input.messages": '[{"role": "user", "content": "hi"}]',
        "gen_ai.output.messages": [{"role": "assistant", "parts": ["hello", 1, 1.0]}],
    }


def everything_in_traces() -> ExportTraceServiceRequest:
    """Return a root with every field set, and a child that calls a model."""
    root = span(
        "root",
        attributes=EVERY_TYPE,
        trace_state="a=b",
        flags=0x301,
        parent_span_id=secrets.token_bytes(8),
        kind=Span.SPAN_KIND_SERVER,
        dropped_attributes_count=4,
        dropped_events_count=5,
        dropped_links_count=6,
        status=Status(code=Status.STATUS_CODE_ERROR, message="no luck"),
        events=[
            Span.Event(
                time_unix_nano=now() + 1,
                name="retry",
                attributes=pairs(EVERY_TYPE),
                dropped_attributes_count=7,
            )
        ],
        links=[
            Span.Link(
                trace_id=secrets.token_bytes(16),
                span_id=secrets.token_bytes(8),
                trace_state="c=d",
                attributes=pairs(EVERY_TYPE),
                dropped_attributes_count=8,
                flags=0x100,
            )
        ],
    )
    root.end_time_unix_nano = root.start_time_unix_nano + 2 * SECOND + 333
    child = span(
        "chat gpt-4o",
        attributes={**llm_attributes(), "own": 1},
        trace_id=root.trace_id,
        parent_span_id=root.span_id,
        kind=Span.SPAN_KIND_CLIENT,
        status=Status(code=Status.STATUS_CODE_OK),
        start_time_unix_nano=root.start_time_unix_nano + 1001,
    )
    entry = ResourceSpans(
        resource=RESOURCE,
        schema_url="https://example.com/resource",
        scope_spans=[
            ScopeSpans(scope=SCOPE, schema_url="https://example.com/scope", spans=[root, child])
        ],
    )
    return ExportTraceServiceRequest(resource_spans=[entry])


def log(body: Any = "hello", **fields: Any) -> LogRecord:
    """Return a valid log record."""
    given = {"time_unix_nano": now(), **fields}
    return LogRecord(body=value(body), **given)


def logs(*records: LogRecord, service: str = "gateway") -> ExportLogsServiceRequest:
    """Return a request with these log records."""
    resource = Resource(attributes=pairs({"service.name": service}))
    entry = ResourceLogs(resource=resource, scope_logs=[ScopeLogs(log_records=records)])
    return ExportLogsServiceRequest(resource_logs=[entry])


def everything_in_logs() -> ExportLogsServiceRequest:
    """Return a record with every field set, one without a time of its own, and one twice."""
    full = log(
        EVERY_TYPE,
        observed_time_unix_nano=now() + 1,
        severity_number=17,
        severity_text="ERROR",
        attributes=pairs(EVERY_TYPE),
        dropped_attributes_count=1,
        flags=1,
        trace_id=secrets.token_bytes(16),
        span_id=secrets.token_bytes(8),
        event_name="failure",
    )
    observed = LogRecord(observed_time_unix_nano=now() - SECOND, body=value("observed"))
    twice = log("twice", time_unix_nano=now() - 2 * SECOND)
    entry = ResourceLogs(
        resource=RESOURCE,
        schema_url="https://example.com/resource",
        scope_logs=[
            ScopeLogs(
                scope=SCOPE,
                schema_url="https://example.com/scope",
                log_records=[full, observed, twice, twice],
            )
        ],
    )
    return ExportLogsServiceRequest(resource_logs=[entry])


def metrics(*metrics: Metric, service: str = "gateway") -> ExportMetricsServiceRequest:
    """Return a request with these metrics."""
    resource = Resource(attributes=pairs({"service.name": service}))
    entry = ResourceMetrics(resource=resource, scope_metrics=[ScopeMetrics(metrics=metrics)])
    return ExportMetricsServiceRequest(resource_metrics=[entry])


def gauge(name: str, number: float, **point: Any) -> Metric:
    """Return a gauge with one point."""
    given = {"time_unix_nano": now(), "as_double": number, **point}
    return Metric(name=name, gauge=m.Gauge(data_points=[m.NumberDataPoint(**given)]))


def everything_in_metrics() -> ExportMetricsServiceRequest:
    """Return one metric of each kind, with every field set."""
    point: Any = {
        "attributes": pairs(EVERY_TYPE),
        "start_time_unix_nano": now() - SECOND,
        "time_unix_nano": now(),
        "flags": 1,
    }
    exemplar = m.Exemplar(
        filtered_attributes=pairs(EVERY_TYPE),
        time_unix_nano=now() + 1,
        as_double=math.inf,
        trace_id=secrets.token_bytes(16),
        span_id=secrets.token_bytes(8),
    )
    number: Any = {**point, "exemplars": [exemplar]}
    statistics: Any = {**number, "count": 6, "sum": 1e300, "min": 0.5, "max": 3.0}
    each = [
        Metric(
            name="a/gauge",
            gauge=m.Gauge(
                data_points=[
                    m.NumberDataPoint(**number, as_int=2**63 - 1),
                    m.NumberDataPoint(time_unix_nano=now() + SECOND, as_double=math.nan),
                ]
            ),
        ),
        Metric(
            name="a/sum",
            unit="{request}",
            description="Requests.",
            metadata=pairs(EVERY_TYPE),
            sum=m.Sum(
                data_points=[m.NumberDataPoint(**number, as_double=1e-7)],
                aggregation_temporality=m.AGGREGATION_TEMPORALITY_CUMULATIVE,
                is_monotonic=True,
            ),
        ),
        Metric(
            name="a/histogram",
            histogram=m.Histogram(
                data_points=[
                    m.HistogramDataPoint(
                        **statistics, bucket_counts=[1, 2, 3], explicit_bounds=[0.5, math.inf]
                    )
                ],
                aggregation_temporality=m.AGGREGATION_TEMPORALITY_DELTA,
            ),
        ),
        Metric(
            name="a/exponential",
            exponential_histogram=m.ExponentialHistogram(
                data_points=[
                    m.ExponentialHistogramDataPoint(
                        **statistics,
                        scale=-3,
                        zero_count=1,
                        zero_threshold=0.25,
                        positive=m.ExponentialHistogramDataPoint.Buckets(
                            offset=-2, bucket_counts=[1, 2]
                        ),
                        negative=m.ExponentialHistogramDataPoint.Buckets(
                            offset=5, bucket_counts=[2]
                        ),
                    )
                ],
                aggregation_temporality=m.AGGREGATION_TEMPORALITY_CUMULATIVE,
            ),
        ),
        Metric(
            name="a/summary",
            summary=m.Summary(
                data_points=[
                    m.SummaryDataPoint(
                        **point,
                        count=2,
                        sum=3.0,
                        quantile_values=[
                            m.SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=1.5)
                        ],
                    )
                ]
            ),
        ),
    ]
    entry = ResourceMetrics(
        resource=RESOURCE,
        schema_url="https://example.com/resource",
        scope_metrics=[
            ScopeMetrics(scope=SCOPE, schema_url="https://example.com/scope", metrics=each)
        ],
    )
    return ExportMetricsServiceRequest(resource_metrics=[entry])


def to_json(message: Message) -> bytes:
    """Return a message as OTLP JSON: protobuf's own mapping, but ids in hex."""
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    return msgspec.json.encode(_ids(document, lambda text: base64.b64decode(text).hex()))


def from_json(document: Any, message: type[MessageT]) -> MessageT:
    """Return the message that an OTLP JSON document says."""
    converted = _ids(document, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return json_format.ParseDict(converted, message())


def canonical(message: Message) -> bytes:
    """Return bytes that are equal for messages that mean the same: attributes have no order."""
    copy = type(message)()
    copy.CopyFrom(message)
    _sort(copy)
    return copy.SerializeToString(deterministic=True)


def _sort(message: Message) -> None:
    for field, content in message.ListFields():
        if field.message_type is None:
            continue
        if not field.is_repeated:
            _sort(content)
            continue
        for item in content:
            _sort(item)
        if field.message_type.name == "KeyValue":
            content.sort(key=lambda pair: pair.key)
        elif field.name in {"spans", "metrics", "log_records", "data_points"}:
            content.sort(key=lambda item: item.SerializeToString(deterministic=True))


def _ids(document: Any, convert: Any) -> Any:
    if isinstance(document, dict):
        return {
            key: convert(item) if key in _IDS and item else _ids(item, convert)
            for key, item in document.items()
        }
    if isinstance(document, list):
        return [_ids(item, convert) for item in document]
    return document
