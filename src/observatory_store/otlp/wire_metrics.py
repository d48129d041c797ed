"""The metric messages of OTLP's JSON encoding; see ``wire``."""

# ruff: noqa: D101, RUF012 - see opentelemetry-proto; msgspec copies an empty default

from __future__ import annotations

from observatory_store.otlp.wire import (
    Entry,
    Int32,
    Int64,
    KeyValue,
    Message,
    ScopeEntry,
    UInt32,
    UInt64,
)


class Exemplar(Message):
    filtered_attributes: list[KeyValue] = []
    time_unix_nano: UInt64 = 0
    as_double: float | None = None
    as_int: Int64 | None = None
    span_id: str = ""
    trace_id: str = ""


class DataPoint(Message):
    attributes: list[KeyValue] = []
    start_time_unix_nano: UInt64 = 0
    time_unix_nano: UInt64 = 0
    flags: UInt32 = 0


class NumberDataPoint(DataPoint):
    as_double: float | None = None
    as_int: Int64 | None = None
    exemplars: list[Exemplar] = []


class HistogramDataPoint(DataPoint):
    count: UInt64 = 0
    sum: float | None = None
    bucket_counts: list[UInt64] = []
    explicit_bounds: list[float] = []
    exemplars: list[Exemplar] = []
    min: float | None = None
    max: float | None = None


class Buckets(Message):
    offset: Int32 = 0
    bucket_counts: list[UInt64] = []


class ExponentialHistogramDataPoint(DataPoint):
    count: UInt64 = 0
    sum: float | None = None
    scale: Int32 = 0
    zero_count: UInt64 = 0
    positive: Buckets | None = None
    negative: Buckets | None = None
    exemplars: list[Exemplar] = []
    min: float | None = None
    max: float | None = None
    zero_threshold: float = 0.0


class ValueAtQuantile(Message):
    quantile: float = 0.0
    value: float = 0.0


class SummaryDataPoint(DataPoint):
    count: UInt64 = 0
    sum: float = 0.0
    quantile_values: list[ValueAtQuantile] = []


class Gauge(Message):
    data_points: list[NumberDataPoint] = []


class Sum(Message):
    data_points: list[NumberDataPoint] = []
    aggregation_temporality: Int32 = 0
    is_monotonic: bool = False


class Histogram(Message):
    data_points: list[HistogramDataPoint] = []
    aggregation_temporality: Int32 = 0


class ExponentialHistogram(Message):
    data_points: list[ExponentialHistogramDataPoint] = []
    aggregation_temporality: Int32 = 0


class Summary(Message):
    data_points: list[SummaryDataPoint] = []


class Metric(Message):
    name: str = ""
    description: str = ""
    unit: str = ""
    gauge: Gauge | None = None
    sum: Sum | None = None
    histogram: Histogram | None = None
    exponential_histogram: ExponentialHistogram | None = None
    summary: Summary | None = None
    metadata: list[KeyValue] = []


class ScopeMetrics(ScopeEntry):
    metrics: list[Metric] = []


class ResourceMetrics(Entry):
    scope_metrics: list[ScopeMetrics] = []


class MetricsData(Message):
    resource_metrics: list[ResourceMetrics] = []
