"""Metrics: what is rejected, what is kept as odd as it is."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2

from observatory_store.otlp import Decoded, MediaType, decode_metrics, encode_metrics
from observatory_store.rows import MetricPoint


def _json(*metrics: Any) -> Decoded[MetricPoint]:
    entry = {"scopeMetrics": [{"metrics": metrics}]}
    return decode_metrics(msgspec.json.encode({"resourceMetrics": [entry]}), MediaType.JSON)


def _protobuf(*metrics: metrics_pb2.Metric) -> Decoded[MetricPoint]:
    scope = metrics_pb2.ScopeMetrics(metrics=metrics)
    data = metrics_pb2.MetricsData(
        resource_metrics=[metrics_pb2.ResourceMetrics(scope_metrics=[scope])]
    )
    return decode_metrics(data.SerializeToString(), MediaType.PROTOBUF)


def _gauge(*points: Any) -> dict[str, Any]:
    return {"name": "g", "gauge": {"dataPoints": points}}


def _histogram(**point: Any) -> dict[str, Any]:
    return {"name": "h", "histogram": {"dataPoints": [point, {}]}}


def test_no_data() -> None:
    """Otherwise a metric of a type that is not known yet is lost without being counted."""
    decoded = _json({"name": "new"}, _gauge({}))
    assert (len(decoded.rows), decoded.rejected) == (1, 1)
    assert "'new' has no data" in decoded.problems[0]
    decoded = _protobuf(metrics_pb2.Metric(name="new"))
    assert (len(decoded.rows), decoded.rejected) == (0, 1)


def test_no_name() -> None:
    """Otherwise points are stored that nobody can ask for."""
    decoded = _json(_gauge({}, {}) | {"name": ""})
    assert (len(decoded.rows), decoded.rejected) == (0, 2)
    assert decoded.problems == ("a metric has no name",)


def test_number() -> None:
    """Otherwise 0 and "no value" are mixed up, or integers lose digits."""
    rows = _json(_gauge({"asInt": "0"}, {"asDouble": 0}, {"flags": 1}, {})).rows
    assert [(row.value_int, row.value_double, row.flags) for row in rows] == [
        (0, None, 0),
        (None, 0, 0),
        (None, None, 1),
        (None, None, 0),
    ]
    point = metrics_pb2.NumberDataPoint(as_int=2**63 - 1)
    (row,) = _protobuf(
        metrics_pb2.Metric(name="g", gauge=metrics_pb2.Gauge(data_points=[point]))
    ).rows
    assert row.value_int == 2**63 - 1
    assert _json(_gauge({"asInt": str(2**63)})).rejected == 1


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_not_finite(text: str) -> None:
    """Otherwise a NaN, which Prometheus uses freely, costs the batch or becomes a number."""
    (row,) = _json(_gauge({"asDouble": text})).rows
    assert row.value_double is not None
    assert repr(row.value_double) == repr(float(text))
    rows = _json(_histogram(sum=text, bucketCounts=["1", "1"], explicitBounds=[text])).rows
    assert rows[0].sum is not None
    assert rows[0].explicit_bounds is not None
    assert not math.isfinite(rows[0].sum)
    assert not math.isfinite(rows[0].explicit_bounds[0])


@pytest.mark.parametrize(("counts", "bounds"), [([1], [1]), ([1, 2, 3], [1]), ([1, 2], [])])
def test_histogram_of_another_length(counts: list[int], bounds: list[float]) -> None:
    """Otherwise counts are read against the wrong bounds."""
    decoded = _json(_histogram(bucketCounts=counts, explicitBounds=bounds))
    assert (len(decoded.rows), decoded.rejected) == (1, 1)
    assert "metric 'h'" in decoded.problems[0]


def test_histogram_without_buckets() -> None:
    """Otherwise a histogram of count and sum alone, which OTLP allows, is refused."""
    (row, _) = _json(_histogram(count="3", explicitBounds=[1, 2])).rows
    assert (row.count, row.bucket_counts, row.explicit_bounds) == (3, (), (1, 2))
    assert (row.sum, row.min, row.max) == (None, None, None)


@pytest.mark.parametrize(
    "point",
    [
        {"count": 2**63},
        {"count": str(2**64 - 1)},
        {"bucketCounts": [2**63]},
    ],
)
def test_count_over_bigint(point: dict[str, Any]) -> None:
    """Otherwise one overflowed counter costs the batch."""
    decoded = _json(_histogram(**point))
    assert (len(decoded.rows), decoded.rejected) == (1, 1)
    assert "bigint" in decoded.problems[0]


@pytest.mark.parametrize("field", ["zero_count", "count"])
def test_exponential_count_over_bigint(field: str) -> None:
    """Otherwise one overflowed counter costs the batch."""
    point = metrics_pb2.ExponentialHistogramDataPoint()
    setattr(point, field, 2**63)
    side = metrics_pb2.ExponentialHistogramDataPoint()
    side.negative.bucket_counts.append(2**63)
    metric = metrics_pb2.Metric(name="e")
    metric.exponential_histogram.data_points.extend([point, side])
    assert _protobuf(metric).rejected == 2


def test_absent_and_zero() -> None:
    """Otherwise "not measured" becomes a minimum of 0."""
    for decoded in (
        _json(_histogram(sum=0, min=0)),
        _protobuf(
            metrics_pb2.Metric(
                name="h",
                histogram=metrics_pb2.Histogram(
                    data_points=[metrics_pb2.HistogramDataPoint(sum=0, min=0)]
                ),
            )
        ),
    ):
        row = decoded.rows[0]
        assert (row.sum, row.min, row.max) == (0, 0, None)


def test_temporality_of_the_future() -> None:
    """Otherwise an unknown number becomes delta or cumulative by chance."""
    decoded = _json({"name": "s", "sum": {"aggregationTemporality": 7, "dataPoints": [{}]}})
    assert decoded.rows[0].series.metric.temporality == "unspecified"
    assert "temporality" in decoded.problems[0]


def test_time_over_uint64() -> None:
    """Otherwise a time that no column holds costs the batch."""
    decoded = _json(_gauge({"timeUnixNano": 2**64}, {"startTimeUnixNano": 2**64}, {}))
    assert (len(decoded.rows), decoded.rejected) == (1, 2)


def test_exemplar_with_malformed_ids() -> None:
    """Otherwise a bad exemplar takes its point along."""
    decoded = _json(_gauge({"exemplars": [{"traceId": "x", "asInt": 5}]}))
    (row,) = decoded.rows
    assert row.exemplars[0].value_int == 5
    assert (row.exemplars[0].trace_id, decoded.rejected) == ("", 0)
    assert "exemplar" in decoded.problems[0]


def test_a_zero_threshold_of_negative_zero_keeps_its_sign() -> None:
    """Otherwise an exported metric is not the one that was sent."""
    point = metrics_pb2.ExponentialHistogramDataPoint(zero_threshold=-0.0)
    histogram = metrics_pb2.ExponentialHistogram(data_points=[point])
    decoded = _protobuf(metrics_pb2.Metric(name="h", exponential_histogram=histogram))
    (metric,) = encode_metrics(decoded.rows)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
    (exported,) = metric["exponentialHistogram"]["dataPoints"]
    assert math.copysign(1, exported["zeroThreshold"]) == -1
