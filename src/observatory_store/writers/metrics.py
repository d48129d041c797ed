"""Storing metric points, with their metrics and series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

from msgspec.json import encode as json_bytes

from observatory_store.rows import Exemplar, Metric, MetricPoint, MetricSeries
from observatory_store.rows.attributes import encode, to_json
from observatory_store.writers.isolate import isolating
from observatory_store.writers.submission import Accepted, Outcome, Submission, Written, accept
from observatory_store.writers.writer import SQL, Batch, Writer

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
COLUMNS = (*_PLAIN, "project_id", "ingested_at", "series_id", "flags", "exemplars")

_plain = attrgetter(*_PLAIN)


_Accepted: TypeAlias = Accepted[MetricPoint]


async def write_points(
    writer: Writer, submissions: Sequence[Submission[MetricPoint]]
) -> list[Written]:
    """Store points that are not stored yet, in one transaction.

    A point outside the time limits is rejected alone, and so is one that differs from the point
    that its series has at that time already.
    """
    return await isolating(partial(_write, writer), submissions)


async def _write(writer: Writer, submissions: Sequence[Submission[MetricPoint]]) -> list[Written]:
    return await writer.commit(partial(_insert, submissions), merge_stages=["stage_points"])


async def _insert(submissions: Sequence[Submission[MetricPoint]], batch: Batch) -> list[Written]:
    limits, now = batch.limits, batch.now
    outcomes, accepted = accept(
        submissions,
        lambda point: limits.refusal("metric_points", "point time", point.time, now),
    )
    if accepted:
        await _add_series(batch, accepted)
        async with batch.transaction():
            if batch.must_merge:
                await _merge(batch, accepted)
            else:
                await batch.copy("observatory.metric_points", COLUMNS, _records(batch, accepted))
    return [outcome.written() for outcome in outcomes]


async def _add_series(batch: Batch, accepted: Sequence[_Accepted]) -> None:
    series = {(one.project_id, p.series.series_id): p.series for _, one, p in accepted}
    await batch.add_resources((project, one.resource) for (project, _), one in series.items())
    metrics = {(project, one.metric.metric_id): one.metric for (project, _), one in series.items()}
    await batch.add_catalogue("insert_metric", metrics, _metric_record)
    await batch.add_catalogue("insert_series", series, _series_record)


async def _merge(batch: Batch, accepted: Sequence[_Accepted]) -> None:
    first: dict[tuple[int, int, datetime, int], Outcome] = {}
    for outcome, one, point in accepted:
        # A time in an hour that a zone has twice equals no other.
        time = point.time.astimezone(UTC)
        key = (one.project_id, point.series.series_id, time, point.time_nanos)
        first.setdefault(key, outcome)
        outcome.duplicates += 1
    await batch.copy("pg_temp.point_stage", COLUMNS, _records(batch, accepted))
    for row in await batch.connection.fetch(SQL["insert_points"]):
        first[tuple(row)].duplicates -= 1
    times = [point.time for _, _, point in accepted]
    for row in await batch.connection.fetch(
        SQL["select_conflicting_points"], min(times), max(times)
    ):
        outcome, _, point = accepted[row["position"] - 1]
        outcome.duplicates -= 1
        outcome.accepted -= 1
        outcome.reject(
            f"metric {point.series.metric.name!r} has another point at "
            f"{point.time:%Y-%m-%dT%H:%M:%S.%fZ} in the same series: the first one stays"
        )


def _records(batch: Batch, accepted: Sequence[_Accepted]) -> list[tuple[Any, ...]]:
    return [point_record(one.project_id, batch.now, point) for _, one, point in accepted]


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


def point_record(project_id: int, now: datetime, point: MetricPoint) -> tuple[Any, ...]:
    """Return a point as a record of ``COLUMNS``."""
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
