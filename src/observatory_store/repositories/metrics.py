"""Metrics: the catalogue, and the points of one metric."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from observatory_store.repositories.page import (
    Page,
    TimeRange,
    check_limit,
    check_range,
    decode_cursor,
    paginate,
    scope_of,
)
from observatory_store.repositories.session import Session
from observatory_store.repositories.where import Where
from observatory_store.rows import (
    NO_RESOURCE,
    Exemplar,
    Metric,
    MetricPoint,
    MetricSeries,
    Resource,
)
from observatory_store.rows.attributes import decode_map, from_json
from observatory_store.sql import load

MOST_METRICS = 1000
MOST_POINTS = 10_000

_SQL = load("reading")


class PointFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which series of a metric; what is None does not matter."""

    service: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and text of an attribute of the series; all must be there."""


class MetricRepository(Session):
    """The metrics of one project."""

    async def list(
        self, *, prefix: str = "", limit: int = 100, cursor: str | None = None
    ) -> Page[Metric]:
        """Return the metrics whose name begins with ``prefix``, by name.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_METRICS)
        scope = scope_of("metrics", prefix)
        conditions = Where(self.project_id, limit + 1)
        if prefix:
            conditions.add("starts_with(m.name, {})", prefix)
        if cursor is not None:
            name, metric_id = decode_cursor(cursor, scope, str, int)
            conditions.add(
                "(m.name, m.metric_id) > ({}, {})",
                bytes.fromhex(name).decode(errors="replace"),
                metric_id,
            )
        records = await self.fetch(conditions.into(_SQL["list_metrics"]), *conditions.arguments)
        metrics = [_metric(record) for record in records]
        keys = [(metric.name.encode().hex(), metric.metric_id) for metric in metrics]
        return paginate(metrics, limit, scope, keys)

    async def points(
        self,
        name: str,
        range_: TimeRange,
        where: PointFilter | None = None,
        *,
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Page[MetricPoint]:
        """Return the points of a metric in the range: series by series, each in order of time.

        Raises:
            InvalidInputError: the limit is not from 1 to 10,000, or the range is over 400 days.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_POINTS)
        check_range(range_)
        where = where or PointFilter()
        scope = scope_of("points", name, range_, where)
        conditions = Where(self.project_id, range_.start, range_.end, limit + 1, name)
        conditions.add_if("r.service_name = {}", where.service)
        conditions.add_each("r.attributes ->> {} = {}", where.attributes)
        if cursor is not None:
            key = decode_cursor(cursor, scope, int, datetime, int)
            conditions.add("r.series_id >= {}", key[0])
            conditions.add("(r.series_id, p.time, p.time_nanos) > ({}, {}, {})", *key)
        records = await self.fetch(conditions.into(_SQL["list_points"]), *conditions.arguments)
        resources = await self.resources(record["resource_id"] for record in records)
        series: dict[int, MetricSeries] = {}
        points = [_point(record, series, resources) for record in records]
        keys = [(r["series_id"], r["time"], r["time_nanos"]) for r in records]
        return paginate(points, limit, scope, keys)


_METRIC = tuple(name for name in Metric.__struct_fields__ if name != "metadata")
_ARRAYS = frozenset(
    {
        "bucket_counts",
        "explicit_bounds",
        "positive_counts",
        "negative_counts",
        "quantiles",
        "quantile_values",
    }
)
_POINT = tuple(
    name
    for name in MetricPoint.__struct_fields__
    if name not in {"series", "flags", "exemplars", *_ARRAYS}
)


def _metric(record: Any) -> Metric:  # noqa: ANN401 - asyncpg's Record
    return Metric(
        **{name: record[name] for name in _METRIC}, metadata=decode_map(record["metadata"])
    )


def _point(
    record: Any,  # noqa: ANN401 - asyncpg's Record
    series: dict[int, MetricSeries],
    resources: dict[int, Resource],
) -> MetricPoint:
    series_id = record["series_id"]
    if series_id not in series:
        series[series_id] = MetricSeries(
            metric=_metric(record),
            resource=resources.get(record["resource_id"], NO_RESOURCE),
            attributes=decode_map(record["series_attributes"]),
        )
    exemplars = record["exemplars"]
    fields: dict[str, Any] = {
        **{name: record[name] for name in _POINT},
        **{name: None if record[name] is None else tuple(record[name]) for name in _ARRAYS},
    }
    return MetricPoint(
        series=series[series_id],
        **fields,
        flags=record["flags"] or 0,
        exemplars=tuple(_exemplar(item) for item in msgspec.json.decode(exemplars))
        if exemplars
        else (),
    )


def _exemplar(item: dict[str, Any]) -> Exemplar:
    return Exemplar(
        **{
            **item,
            "value_double": from_json(item.get("value_double")),
            "filtered_attributes": from_json(item.get("filtered_attributes", {})),
        }
    )
