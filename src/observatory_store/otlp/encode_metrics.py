"""Data points as an OTLP JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from observatory_store.otlp import repair
from observatory_store.otlp.document import Document, double, group, key_values, set_fields
from observatory_store.otlp.metrics import TEMPORALITIES
from observatory_store.otlp.signal import Signal
from observatory_store.rows.resource import content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observatory_store.rows import Exemplar, Metric, MetricPoint

_DATA = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponentialHistogram",
    "summary": "summary",
}


def encode_metrics(points: Iterable[MetricPoint]) -> Document:
    """Return a ``MetricsData`` document, in which each metric has its points together."""
    return group(Signal.METRICS, points, lambda point: point.series.resource, _metrics)


def _metrics(points: list[MetricPoint]) -> list[Document]:
    metrics: dict[int, tuple[Document, list[Document]]] = {}
    for point in points:
        metric = point.series.metric
        head = _head(metric)
        identity = content_hash([metric.metric_id, head])
        if identity not in metrics:
            metrics[identity] = _open(metric, head)
        metrics[identity][1].append(_point(point))
    return [document for document, _ in metrics.values()]


def _head(metric: Metric) -> Document:
    return set_fields(
        {
            "name": metric.name,
            "description": metric.description,
            "unit": metric.unit,
            "metadata": key_values(metric.metadata),
        }
    )


def _open(metric: Metric, head: Document) -> tuple[Document, list[Document]]:
    points: list[Document] = []
    data: Document = {"dataPoints": points}
    if metric.temporality is not None:
        data["aggregationTemporality"] = TEMPORALITIES.index(metric.temporality)
    if metric.is_monotonic is not None:
        data["isMonotonic"] = metric.is_monotonic
    return {**head, _DATA[metric.type]: data}, points


def _point(point: MetricPoint) -> Document:
    document = set_fields(
        {
            "attributes": key_values(point.series.attributes),
            "startTimeUnixNano": point.start_time
            and str(repair.join_time(point.start_time, point.start_nanos)),
            "timeUnixNano": str(repair.join_time(point.time, point.time_nanos)),
            "flags": point.flags,
            "exemplars": [_exemplar(exemplar) for exemplar in point.exemplars],
        }
    )
    match point.series.metric.type:
        case "gauge" | "sum":
            return {**document, **_number(point)}
        case "histogram":
            return {
                **document,
                **_statistics(point),
                "bucketCounts": _integers(point.bucket_counts),
                "explicitBounds": _doubles(point.explicit_bounds),
            }
        case "exponential_histogram":
            return {**document, **_statistics(point), **_exponential(point)}
        case "summary":
            return {**document, **_statistics(point), "quantileValues": _quantiles(point)}


def _number(point: MetricPoint | Exemplar) -> Document:
    if point.value_int is not None:
        return {"asInt": str(point.value_int)}
    if point.value_double is not None:
        return {"asDouble": double(point.value_double)}
    return {}


def _statistics(point: MetricPoint) -> Document:
    document: Document = {"count": str(point.count or 0)}
    for name, value in (("sum", point.sum), ("min", point.min), ("max", point.max)):
        if value is not None:
            document[name] = double(value)
    return document


def _exponential(point: MetricPoint) -> Document:
    document: dict[str, Any] = {
        "scale": point.scale or 0,
        "zeroCount": str(point.zero_count or 0),
        "zeroThreshold": double(0.0 if point.zero_threshold is None else point.zero_threshold),
    }
    for name, offset, counts in (
        ("positive", point.positive_offset, point.positive_counts),
        ("negative", point.negative_offset, point.negative_counts),
    ):
        if offset is not None or counts is not None:
            document[name] = {"offset": offset or 0, "bucketCounts": _integers(counts)}
    return document


def _quantiles(point: MetricPoint) -> list[Document]:
    return [
        {"quantile": double(quantile), "value": double(value)}
        for quantile, value in zip(point.quantiles or (), point.quantile_values or (), strict=True)
    ]


def _exemplar(exemplar: Exemplar) -> Document:
    return {
        "timeUnixNano": str(exemplar.time_unix_nano),
        **_number(exemplar),
        **set_fields(
            {
                "traceId": exemplar.trace_id,
                "spanId": exemplar.span_id,
                "filteredAttributes": key_values(exemplar.filtered_attributes),
            }
        ),
    }


def _integers(values: tuple[int, ...] | None) -> list[str]:
    return [str(value) for value in values or ()]


def _doubles(values: tuple[float, ...] | None) -> list[float | str]:
    return [double(value) for value in values or ()]
