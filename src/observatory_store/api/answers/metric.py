"""Metrics and their points."""

from __future__ import annotations

from typing import Final

from observatory_store import rows
from observatory_store.api.answers.base import (
    Answer,
    NanoTime,
    Page,
    RangePage,
    TaggedMap,
    nano_time,
    unix_nano_time,
)
from observatory_store.api.answers.resource import Resource, Resources
from observatory_store.rows.attributes import to_json
from observatory_store.rows.metric import MetricType, Temporality


class Metric(Answer):
    """A metric. Two that share a name differ in unit, type, temporality or monotonicity."""

    name: str
    unit: str
    type: MetricType
    temporality: Temporality | None
    """Null for a gauge and a summary."""
    is_monotonic: bool | None
    """Null for all but a sum."""
    description: str
    metadata: TaggedMap


class MetricPage(Page):
    """Metrics, by name."""

    metrics: list[Metric]


class Exemplar(Answer):
    """A measurement that is an example of what a point aggregates."""

    time: NanoTime
    value_int: int | None
    value_double: float | None
    trace_id: str
    span_id: str
    filtered_attributes: TaggedMap


class MetricPoint(Answer):
    """A point of a series. Which values are set depends on the metric's type.

    A double that is not finite is the string ``NaN``, ``Infinity`` or ``-Infinity``.
    """

    metric: Metric
    attributes: TaggedMap
    """Of the series."""
    resource: Resource
    time: NanoTime
    start_time: NanoTime | None
    flags: int
    value_int: int | None
    value_double: float | None
    count: int | None
    sum: float | None
    min: float | None
    max: float | None
    bucket_counts: list[int] | None
    explicit_bounds: list[float] | None
    scale: int | None
    zero_count: int | None
    zero_threshold: float | None
    positive_offset: int | None
    positive_counts: list[int] | None
    negative_offset: int | None
    negative_counts: list[int] | None
    quantiles: list[float] | None
    quantile_values: list[float] | None
    exemplars: list[Exemplar]


class PointPage(RangePage):
    """Points of one metric, series by series, each in the order of time."""

    points: list[MetricPoint]


_DERIVED: Final = frozenset({"metric", "attributes", "resource", "time", "start_time", "exemplars"})
_SAME: Final = tuple(name for name in MetricPoint.model_fields if name not in _DERIVED)


def metric(row: rows.Metric) -> Metric:
    """Return a metric."""
    return Metric(
        name=row.name,
        unit=row.unit,
        type=row.type,
        temporality=row.temporality,
        is_monotonic=row.is_monotonic,
        description=row.description,
        metadata=to_json(row.metadata),
    )


def metric_points(points: list[rows.MetricPoint]) -> list[MetricPoint]:
    """Return points, with what the points of a series share made once."""
    resources = Resources()
    series = {id(row.series): row.series for row in points}
    metrics = {key: metric(one.metric) for key, one in series.items()}
    attributes = {key: to_json(one.attributes) for key, one in series.items()}
    return [
        MetricPoint(
            **{name: getattr(row, name) for name in _SAME},
            metric=metrics[id(row.series)],
            attributes=attributes[id(row.series)],
            resource=resources.of(row.series.resource),
            time=nano_time(row.time, row.time_nanos),
            start_time=None
            if row.start_time is None
            else nano_time(row.start_time, row.start_nanos),
            exemplars=[_exemplar(exemplar) for exemplar in row.exemplars],
        )
        for row in points
    ]


def _exemplar(row: rows.Exemplar) -> Exemplar:
    return Exemplar(
        time=unix_nano_time(row.time_unix_nano),
        value_int=row.value_int,
        value_double=row.value_double,
        trace_id=row.trace_id,
        span_id=row.span_id,
        filtered_attributes=to_json(row.filtered_attributes),
    )
