"""A metric, a series of it, and a point of the series."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Literal

import msgspec

from observatory_store.rows.attributes import Attributes, to_json
from observatory_store.rows.resource import NO_RESOURCE, Resource, content_hash

MetricType = Literal["gauge", "sum", "histogram", "exponential_histogram", "summary"]
Temporality = Literal["unspecified", "delta", "cumulative"]


class Metric(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One row of ``metrics``. Its identity is all but ``description`` and ``metadata``."""

    name: str
    unit: str = ""
    type: MetricType
    temporality: Temporality | None = None
    """None for a gauge and a summary, which have none."""
    is_monotonic: bool | None = None
    """None for all but a sum."""
    description: str = ""
    metadata: Attributes = {}

    @cached_property
    def metric_id(self) -> int:
        """Content hash of the identity."""
        return content_hash([self.name, self.unit, self.type, self.temporality, self.is_monotonic])


class MetricSeries(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One row of ``metric_series``: a metric of one resource with one set of attributes."""

    metric: Metric
    resource: Resource = NO_RESOURCE
    attributes: Attributes = {}

    @cached_property
    def series_id(self) -> int:
        """Content hash of metric, resource and attributes."""
        return content_hash(
            [self.metric.metric_id, self.resource.resource_id, to_json(self.attributes)]
        )


class Exemplar(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement that is an example of what a point aggregates."""

    time_unix_nano: int
    value_int: int | None = None
    value_double: float | None = None
    trace_id: str = ""
    span_id: str = ""
    filtered_attributes: Attributes = {}


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``metric_points``. Which fields are set depends on the metric's type.

    =====================  ====================================================================
    gauge, sum             ``value_int`` or ``value_double``
    histogram              ``count``, ``sum``, ``min``, ``max``, ``bucket_counts``,
                           ``explicit_bounds``
    exponential_histogram  ``count``, ``sum``, ``min``, ``max``, ``scale``, ``zero_count``,
                           ``zero_threshold``, ``positive_*``, ``negative_*``
    summary                ``count``, ``sum``, ``quantiles``, ``quantile_values``
    =====================  ====================================================================
    """

    series: MetricSeries
    time: datetime
    time_nanos: int = 0
    start_time: datetime | None = None
    start_nanos: int = 0
    flags: int = 0
    value_int: int | None = None
    value_double: float | None = None
    count: int | None = None
    sum: float | None = None
    min: float | None = None
    max: float | None = None
    bucket_counts: tuple[int, ...] | None = None
    explicit_bounds: tuple[float, ...] | None = None
    scale: int | None = None
    zero_count: int | None = None
    zero_threshold: float | None = None
    positive_offset: int | None = None
    positive_counts: tuple[int, ...] | None = None
    negative_offset: int | None = None
    negative_counts: tuple[int, ...] | None = None
    quantiles: tuple[float, ...] | None = None
    quantile_values: tuple[float, ...] | None = None
    exemplars: tuple[Exemplar, ...] = ()
