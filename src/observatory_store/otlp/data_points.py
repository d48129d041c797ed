"""Each kind of data point as a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from observatory_store.otlp import repair
from observatory_store.otlp.decoded import InvalidRecordError, Tally
from observatory_store.otlp.request import check_times
from observatory_store.rows import Exemplar, Metric, MetricPoint, MetricSeries, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.proto.metrics.v1 import metrics_pb2

    from observatory_store.otlp import wire_metrics
    from observatory_store.otlp.reader import Message, Reader
    from observatory_store.rows.metric import MetricType

_MAX_COUNT = 2**63 - 1


def _number(
    message: metrics_pb2.NumberDataPoint | wire_metrics.NumberDataPoint,
    metric: Metric,
    resource: Resource,
    reader: Reader,
    tally: Tally,
) -> MetricPoint:
    value = reader.choice(message, "value")
    return MetricPoint(
        **_common(message, metric, resource, reader),
        value_int=message.as_int if value == "as_int" else None,
        value_double=message.as_double if value == "as_double" else None,
        exemplars=_exemplars(message.exemplars, reader, tally),
    )


def _histogram(
    message: metrics_pb2.HistogramDataPoint | wire_metrics.HistogramDataPoint,
    metric: Metric,
    resource: Resource,
    reader: Reader,
    tally: Tally,
) -> MetricPoint:
    counts, bounds = _counts(message.bucket_counts), tuple(message.explicit_bounds)
    if len(counts) not in (0, len(bounds) + 1):
        raise InvalidRecordError(
            f"a histogram with {len(bounds)} bounds has {len(counts)} buckets, not one more"
        )
    return MetricPoint(
        **_common(message, metric, resource, reader),
        **_statistics(message, reader),
        bucket_counts=counts,
        explicit_bounds=bounds,
        exemplars=_exemplars(message.exemplars, reader, tally),
    )


def _exponential_histogram(
    message: metrics_pb2.ExponentialHistogramDataPoint | wire_metrics.ExponentialHistogramDataPoint,
    metric: Metric,
    resource: Resource,
    reader: Reader,
    tally: Tally,
) -> MetricPoint:
    positive = reader.optional(message, "positive")
    negative = reader.optional(message, "negative")
    return MetricPoint(
        **_common(message, metric, resource, reader),
        **_statistics(message, reader),
        scale=message.scale,
        zero_count=_count(message.zero_count),
        zero_threshold=message.zero_threshold,
        positive_offset=None if positive is None else positive.offset,
        positive_counts=None if positive is None else _counts(positive.bucket_counts),
        negative_offset=None if negative is None else negative.offset,
        negative_counts=None if negative is None else _counts(negative.bucket_counts),
        exemplars=_exemplars(message.exemplars, reader, tally),
    )


def _summary(
    message: metrics_pb2.SummaryDataPoint | wire_metrics.SummaryDataPoint,
    metric: Metric,
    resource: Resource,
    reader: Reader,
    _tally: Tally,
) -> MetricPoint:
    return MetricPoint(
        **_common(message, metric, resource, reader),
        count=_count(message.count),
        sum=message.sum,
        quantiles=tuple([each.quantile for each in message.quantile_values]),
        quantile_values=tuple([each.value for each in message.quantile_values]),
    )


POINTS: Final[dict[MetricType, Callable[[Any, Metric, Resource, Reader, Tally], MetricPoint]]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}
"""How to read a data point of each type of metric."""


def _common(message: Message, metric: Metric, resource: Resource, reader: Reader) -> dict[str, Any]:
    start, end = message.start_time_unix_nano, message.time_unix_nano
    check_times(start, end)
    time, time_nanos = repair.split_time(end)
    start_time, start_nanos = repair.split_time(start) if start else (None, 0)
    return {
        "series": MetricSeries(
            metric=metric, resource=resource, attributes=reader.attributes(message.attributes)
        ),
        "time": time,
        "time_nanos": time_nanos,
        "start_time": start_time,
        "start_nanos": start_nanos,
        "flags": message.flags,
    }


def _statistics(message: Message, reader: Reader) -> dict[str, Any]:
    return {
        "count": _count(message.count),
        "sum": reader.optional(message, "sum"),
        "min": reader.optional(message, "min"),
        "max": reader.optional(message, "max"),
    }


def _count(count: int) -> int:
    if count > _MAX_COUNT:
        raise InvalidRecordError(f"a count of {count} is over the largest bigint, {_MAX_COUNT}")
    return count


def _counts(counts: Iterable[int]) -> tuple[int, ...]:
    return tuple([_count(count) for count in counts])


def _exemplars(messages: Iterable[Message], reader: Reader, tally: Tally) -> tuple[Exemplar, ...]:
    return tuple([_exemplar(message, reader, tally) for message in messages])


def _exemplar(message: Message, reader: Reader, tally: Tally) -> Exemplar:
    check_times(message.time_unix_nano)
    trace_id = reader.identifier(message.trace_id, 16)
    span_id = reader.identifier(message.span_id, 8)
    if trace_id is None or span_id is None:
        tally.note("an exemplar's malformed trace_id or span_id was left empty")
    value = reader.choice(message, "value")
    return Exemplar(
        time_unix_nano=message.time_unix_nano,
        value_int=message.as_int if value == "as_int" else None,
        value_double=message.as_double if value == "as_double" else None,
        trace_id=trace_id or "",
        span_id=span_id or "",
        filtered_attributes=reader.attributes(message.filtered_attributes),
    )
