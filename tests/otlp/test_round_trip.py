"""Any valid OTLP message comes back from its rows unchanged, from protobuf and from JSON."""

from __future__ import annotations

import base64
import contextlib
import math
from typing import TYPE_CHECKING, Any

import msgspec
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
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

from observatory_store.errors import UndecodableError
from observatory_store.otlp import (
    MediaType,
    decode_logs,
    decode_metrics,
    decode_traces,
    encode_logs,
    encode_metrics,
    encode_traces,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from google.protobuf.message import Message

    from observatory_store import rows
    from observatory_store.otlp import Decoded

BYTE_IDS = {"traceId", "spanId", "parentSpanId"}

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
names = texts.filter(bool)
# JSON has one NaN only, so that a NaN with a payload would not come back bit by bit.
doubles = st.floats(allow_nan=False) | st.just(math.nan)
uint32 = st.integers(0, 2**32 - 1)
int32 = st.integers(-(2**31), 2**31 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
moments = st.integers(0, 2**64 - 1)
trace_ids = st.binary(min_size=16, max_size=16).filter(any)
span_ids = st.binary(min_size=8, max_size=8).filter(any)


def _pairs_of(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[list[KeyValue]]:
    return st.dictionaries(texts, values, max_size=4).map(
        lambda entries: [KeyValue(key=key, value=value) for key, value in entries.items()]
    )


leaves = (
    st.just(AnyValue())
    | texts.map(lambda each: AnyValue(string_value=each))
    | st.booleans().map(lambda each: AnyValue(bool_value=each))
    | int64.map(lambda each: AnyValue(int_value=each))
    | doubles.map(lambda each: AnyValue(double_value=each))
    | st.binary(max_size=6).map(lambda each: AnyValue(bytes_value=each))
)
any_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: AnyValue(array_value=ArrayValue(values=each)))
        | _pairs_of(inner).map(lambda each: AnyValue(kvlist_value=KeyValueList(values=each)))
    ),
    max_leaves=6,
)
pairs = _pairs_of(any_values)

resources = st.builds(
    Resource,
    attributes=pairs.filter(bool),
    dropped_attributes_count=uint32,
    entity_refs=st.lists(
        st.builds(
            EntityRef,
            schema_url=texts,
            type=texts,
            id_keys=st.lists(texts, max_size=2),
            description_keys=st.lists(texts, max_size=2),
        ),
        max_size=1,
    ),
)
scopes = st.builds(
    InstrumentationScope,
    name=names,
    version=texts,
    attributes=pairs,
    dropped_attributes_count=uint32,
)


@st.composite
def _spans(draw: st.DrawFn) -> trace_pb2.Span:
    start, end = sorted((draw(moments), draw(moments)))
    return trace_pb2.Span(
        trace_id=draw(trace_ids),
        span_id=draw(span_ids),
        parent_span_id=draw(span_ids | st.just(b"")),
        trace_state=draw(texts),
        flags=draw(uint32),
        name=draw(texts),
        kind=draw(st.sampled_from(trace_pb2.Span.SpanKind.values())),
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        attributes=draw(pairs),
        dropped_attributes_count=draw(uint32),
        events=draw(st.lists(events, max_size=2)),
        dropped_events_count=draw(uint32),
        links=draw(st.lists(links, max_size=2)),
        dropped_links_count=draw(uint32),
        status=draw(
            st.none() | st.builds(trace_pb2.Status, message=texts, code=st.sampled_from([1, 2]))
        ),
    )


events = st.builds(
    trace_pb2.Span.Event,
    time_unix_nano=moments,
    name=texts,
    attributes=pairs,
    dropped_attributes_count=uint32,
)
links = st.builds(
    trace_pb2.Span.Link,
    trace_id=trace_ids,
    span_id=span_ids,
    trace_state=texts,
    attributes=pairs,
    dropped_attributes_count=uint32,
    flags=uint32,
)


@st.composite
def _log_records(draw: st.DrawFn) -> logs_pb2.LogRecord:
    return logs_pb2.LogRecord(
        time_unix_nano=draw(moments),
        observed_time_unix_nano=draw(st.integers(1, 2**64 - 1)),
        severity_number=draw(st.sampled_from(logs_pb2.SeverityNumber.values())),
        severity_text=draw(texts),
        body=draw(st.none() | any_values.filter(lambda each: each.ByteSize() > 0)),
        attributes=draw(pairs),
        dropped_attributes_count=draw(uint32),
        flags=draw(uint32),
        trace_id=draw(trace_ids | st.just(b"")),
        span_id=draw(span_ids | st.just(b"")),
        event_name=draw(texts),
    )


def _with_number(
    message: Callable[..., Any], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(message, **fields),
        st.builds(message, as_int=int64, **fields),
        st.builds(message, as_double=doubles, **fields),
    )


exemplars = st.lists(
    _with_number(
        metrics_pb2.Exemplar,
        filtered_attributes=pairs,
        time_unix_nano=moments,
        span_id=span_ids | st.just(b""),
        trace_id=trace_ids | st.just(b""),
    ),
    max_size=1,
)
point = {
    "attributes": pairs,
    "start_time_unix_nano": moments,
    "time_unix_nano": moments,
    "flags": uint32,
}
statistics = {"count": counts, "exemplars": exemplars} | {
    name: st.none() | doubles for name in ("sum", "min", "max")
}
numbers = _with_number(metrics_pb2.NumberDataPoint, exemplars=exemplars, **point)
temporalities = st.sampled_from(metrics_pb2.AggregationTemporality.values())


@st.composite
def _histograms(draw: st.DrawFn) -> metrics_pb2.HistogramDataPoint:
    bounds = draw(st.lists(doubles, max_size=3))
    size = draw(st.sampled_from([0, len(bounds) + 1]))
    fields: dict[str, Any] = {name: draw(field) for name, field in {**point, **statistics}.items()}
    buckets = draw(st.lists(counts, min_size=size, max_size=size))
    return metrics_pb2.HistogramDataPoint(**fields, explicit_bounds=bounds, bucket_counts=buckets)


buckets = st.none() | st.builds(
    metrics_pb2.ExponentialHistogramDataPoint.Buckets,
    offset=int32,
    bucket_counts=st.lists(counts, max_size=3),
)
exponential_histograms: st.SearchStrategy[Any] = st.builds(
    metrics_pb2.ExponentialHistogramDataPoint,
    scale=int32,
    zero_count=counts,
    zero_threshold=doubles,
    positive=buckets,
    negative=buckets,
    **point,
    **statistics,
)
summaries: st.SearchStrategy[Any] = st.builds(
    metrics_pb2.SummaryDataPoint,
    count=counts,
    sum=doubles,
    quantile_values=st.lists(
        st.builds(metrics_pb2.SummaryDataPoint.ValueAtQuantile, quantile=doubles, value=doubles),
        max_size=2,
    ),
    **point,
)


@st.composite
def _metrics(draw: st.DrawFn, name: str) -> metrics_pb2.Metric:
    def points(strategy: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(strategy, min_size=1, max_size=2))

    metric = metrics_pb2.Metric(
        name=name, description=draw(texts), unit=draw(texts), metadata=draw(pairs)
    )
    match draw(st.sampled_from(["gauge", "sum", "histogram", "exponential", "summary"])):
        case "gauge":
            metric.gauge.data_points.extend(points(numbers))
        case "sum":
            metric.sum.data_points.extend(points(numbers))
            metric.sum.aggregation_temporality = draw(temporalities)
            metric.sum.is_monotonic = draw(st.booleans())
        case "histogram":
            metric.histogram.data_points.extend(points(_histograms()))
            metric.histogram.aggregation_temporality = draw(temporalities)
        case "exponential":
            metric.exponential_histogram.data_points.extend(points(exponential_histograms))
            metric.exponential_histogram.aggregation_temporality = draw(temporalities)
        case _:
            metric.summary.data_points.extend(points(summaries))
    return metric


traces_data = st.builds(
    lambda resource, scope, url, records: trace_pb2.TracesData(
        resource_spans=[
            trace_pb2.ResourceSpans(
                resource=resource,
                schema_url=url,
                scope_spans=[trace_pb2.ScopeSpans(scope=scope, schema_url=url, spans=records)],
            )
        ]
    ),
    resources,
    scopes,
    texts,
    st.lists(_spans(), min_size=1, max_size=3),
)
logs_data = st.builds(
    lambda resource, scope, url, records: logs_pb2.LogsData(
        resource_logs=[
            logs_pb2.ResourceLogs(
                resource=resource,
                schema_url=url,
                scope_logs=[logs_pb2.ScopeLogs(scope=scope, schema_url=url, log_records=records)],
            )
        ]
    ),
    resources,
    scopes,
    texts,
    st.lists(_log_records(), min_size=1, max_size=3),
)
metrics_data = st.builds(
    lambda resource, scope, url, records: metrics_pb2.MetricsData(
        resource_metrics=[
            metrics_pb2.ResourceMetrics(
                resource=resource,
                schema_url=url,
                scope_metrics=[
                    metrics_pb2.ScopeMetrics(scope=scope, schema_url=url, metrics=records)
                ],
            )
        ]
    ),
    resources,
    scopes,
    texts,
    st.tuples(_metrics("a"), _metrics("b")),
)


def _no_columns(
    _attributes: rows.Attributes,
    _resource: rows.Resource,
    _start: datetime,
    _events: tuple[rows.Event, ...],
) -> dict[str, Any]:
    return {}


def _traces(body: bytes, media_type: MediaType) -> Decoded[rows.Span]:
    return decode_traces(body, media_type, _no_columns)


def with_ids(document: Any, convert: Callable[[str], str]) -> Any:
    """Return the document with each id converted between hex and base64."""
    if isinstance(document, dict):
        return {
            name: convert(item) if name in BYTE_IDS else with_ids(item, convert)
            for name, item in document.items()
        }
    if isinstance(document, list):
        return [with_ids(item, convert) for item in document]
    return document


def otlp_json(message: Message) -> bytes:
    """Return a message as OTLP JSON, by protobuf's own JSON mapping."""
    document = json_format.MessageToDict(message, use_integers_for_enums=True)
    return msgspec.json.encode(
        with_ids(document, lambda text: base64.b64decode(text).hex().upper())
    )


def parsed(document: Any, like: Message) -> bytes:
    """Return what protobuf's own JSON mapping makes of our OTLP JSON, as bytes."""
    document = with_ids(document, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    message = json_format.ParseDict(document, type(like)())
    return message.SerializeToString(deterministic=True)


def _check(
    message: Message,
    decode: Callable[[bytes, MediaType], Decoded[Any]],
    encode: Callable[[list[Any]], dict[str, Any]],
) -> None:
    body = message.SerializeToString(deterministic=True)
    decoded = decode(body, MediaType.PROTOBUF)
    assert decoded.rejected == 0
    assert decoded.problems == ()
    # repr, because NaN differs from itself.
    assert repr(decode(otlp_json(message), MediaType.JSON)) == repr(decoded)
    document = encode(decoded.rows)
    assert parsed(document, message) == body
    assert repr(decode(msgspec.json.encode(document), MediaType.JSON)) == repr(decoded)


def _survives(
    decode: Callable[[bytes, MediaType], Decoded[Any]], body: bytes, media_type: MediaType
) -> None:
    with contextlib.suppress(UndecodableError):
        decode(body, media_type)


@given(traces_data)
@settings(deadline=None, max_examples=50)
def test_spans(message: trace_pb2.TracesData) -> None:
    """Otherwise a stored trace shows or exports something else than was sent."""
    _check(message, _traces, lambda spans: encode_traces(spans, lambda span: span.attributes))


@given(logs_data)
@settings(deadline=None, max_examples=50)
def test_logs(message: logs_pb2.LogsData) -> None:
    """Otherwise a stored log shows or exports something else than was sent."""
    _check(message, decode_logs, encode_logs)


@given(metrics_data)
@settings(deadline=None, max_examples=50)
def test_metrics(message: metrics_pb2.MetricsData) -> None:
    """Otherwise a stored metric shows or exports something else than was sent."""
    _check(message, decode_metrics, encode_metrics)


@given(st.lists(traces_data, min_size=2, max_size=3))
@settings(deadline=None, max_examples=30)
def test_many_resources(messages: list[trace_pb2.TracesData]) -> None:
    """Otherwise an exported span appears under a service that did not send it."""
    merged = trace_pb2.TracesData()
    for message in messages:
        merged.MergeFrom(message)
    merged.resource_spans.append(merged.resource_spans[0])
    decoded = _traces(merged.SerializeToString(), MediaType.PROTOBUF)
    document = encode_traces(decoded.rows, lambda span: span.attributes)
    again = _traces(msgspec.json.encode(document), MediaType.JSON)
    assert sorted(map(repr, again.rows)) == sorted(map(repr, decoded.rows))
    resources = [repr(entry) for entry in document["resourceSpans"]]
    assert len(resources) <= len(messages)


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=50)
def test_any_bytes(body: bytes) -> None:
    """Otherwise a broken client gets a 500 where it should learn what it did wrong."""
    for media_type in MediaType:
        for decode in (_traces, decode_logs, decode_metrics):
            _survives(decode, body, media_type)


@given(traces_data, st.data())
@settings(deadline=None, max_examples=50)
def test_any_damage(message: trace_pb2.TracesData, data: st.DataObject) -> None:
    """Otherwise one flipped bit on the way turns into a 500 and endless retries."""
    for media_type, body in (
        (MediaType.PROTOBUF, message.SerializeToString()),
        (MediaType.JSON, otlp_json(message)),
    ):
        damaged = bytearray(body)
        place = data.draw(st.integers(0, len(body) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
        _survives(_traces, bytes(damaged), media_type)
        _survives(_traces, body[:place], media_type)
