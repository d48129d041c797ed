"""Storing metric points, with their metrics and series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from msgspec.json import encode as json_bytes

from observatory_store.rows import Exemplar, Metric, MetricPoint, MetricSeries
from observatory_store.rows.attributes import encode, to_json
from observatory_store.writers.problems import Problems
from observatory_store.writers.writer import SQL, Batch, Writer, Written

_PLAIN = (
    "time_nanos",
    "start_nanos",
    "time",
    "start_time",
    "value_int",
    "value_double",
    "count",
    "sum",
    "min",
    "max",
    "zero_count",
    "zero_threshold",
    "scale",
    "positive_offset",
    "negative_offset",
    "bucket_counts",
    "explicit_bounds",
    "positive_counts",
    "negative_counts",
    "quantiles",
    "quantile_values",
)
_COLUMNS = (*_PLAIN, "project_id", "ingested_at", "series_id", "flags", "exemplars")

_plain = attrgetter(*_PLAIN)


async def write_points(writer: Writer, project_id: int, points: Sequence[MetricPoint]) -> Written:
    """Store points that are not stored yet, in one transaction.

    A point outside the time limits is rejected alone, and so is one that differs from the point
    that its series has at that time already.
    """
    problems = Problems()
    async with writer.batch("stage_points") as batch:
        accepted = []
        for point in points:
            if refusal := batch.limits.refusal(
                "metric_points", "point time", point.time, batch.now
            ):
                problems.reject(refusal)
            else:
                accepted.append(point)
        if not accepted:
            return Written(rejected=problems.rejected, problems=problems.messages)
        await _add_series(batch, project_id, accepted)
        await batch.copy(
            "point_stage", _COLUMNS, [_record(project_id, batch.now, point) for point in accepted]
        )
        stored = await batch.connection.fetchval(SQL["insert_points"])
        conflicts = 0
        if stored < len(accepted):
            conflicts = await _reject_conflicts(batch, accepted, problems)
    return Written(
        stored=stored,
        duplicates=len(accepted) - stored - conflicts,
        rejected=problems.rejected,
        problems=problems.messages,
    )


async def _add_series(batch: Batch, project_id: int, points: Sequence[MetricPoint]) -> None:
    series = {point.series.series_id: point.series for point in points}
    await batch.add_resources(project_id, (one.resource for one in series.values()))
    metrics = {one.metric.metric_id: one.metric for one in series.values()}
    await batch.add_catalogue("insert_metric", project_id, metrics, _metric_record)
    await batch.add_catalogue("insert_series", project_id, series, _series_record)


async def _reject_conflicts(batch: Batch, points: Sequence[MetricPoint], problems: Problems) -> int:
    times = [point.time for point in points]
    conflicts = await batch.connection.fetch(
        SQL["select_conflicting_points"], min(times), max(times)
    )
    for row in conflicts:
        problems.reject(
            f"metric {row['name']!r} has another point at {row['time']:%Y-%m-%dT%H:%M:%S.%fZ} "
            "in the same series: the first one stays"
        )
    return len(conflicts)


def _metric_record(metric: Metric) -> tuple[Any, ...]:
    return (
        metric.name,
        metric.unit,
        metric.type,
        metric.temporality,
        metric.is_monotonic,
        metric.description,
        encode(metric.metadata),
    )


def _series_record(series: MetricSeries) -> tuple[Any, ...]:
    return (
        series.metric.metric_id,
        series.resource.resource_id,
        series.resource.service_name,
        encode(series.attributes),
    )


def _record(project_id: int, now: datetime, point: MetricPoint) -> tuple[Any, ...]:
    return (
        *_plain(point),
        project_id,
        now,
        point.series.series_id,
        point.flags or None,
        json_bytes([_exemplar(one) for one in point.exemplars]) if point.exemplars else None,
    )


def _exemplar(exemplar: Exemplar) -> dict[str, Any]:
    document: dict[str, Any] = {"time_unix_nano": exemplar.time_unix_nano}
    if exemplar.value_int is not None:
        document["value_int"] = exemplar.value_int
    if exemplar.value_double is not None:
        document["value_double"] = to_json(exemplar.value_double)
    if exemplar.trace_id:
        document["trace_id"] = exemplar.trace_id
    if exemplar.span_id:
        document["span_id"] = exemplar.span_id
    if exemplar.filtered_attributes:
        document["filtered_attributes"] = to_json(exemplar.filtered_attributes)
    return document
