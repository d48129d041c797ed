"""Metrics."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, Field

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.metric import MetricPage, PointPage, metric, metric_points
from observatory_store.api.answers.otlp import otlp_answer
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import (
    Format,
    KeyValue,
    QueryParameters,
    Text,
    pairs,
    storable,
)
from observatory_store.api.ranges import PageParameters
from observatory_store.api.services import TheServices
from observatory_store.otlp import encode_metrics
from observatory_store.repositories import MetricRepository, PointFilter
from observatory_store.repositories.metrics import MOST_METRICS, MOST_POINTS

router = APIRouter(prefix="/api/v1", tags=["metrics"])


class MetricParameters(QueryParameters):
    """Which metrics."""

    prefix: Text = ""
    """How the name begins."""
    limit: Annotated[int, Field(ge=1, le=MOST_METRICS)] = 100
    cursor: Text | None = None
    """``next_cursor`` of the page before, with the same prefix."""


class PointParameters(PageParameters):
    """Which points: those of the range whose series fulfil every condition."""

    service: Text | None = None
    attribute: tuple[KeyValue, ...] = ()
    """``key=value`` of the series; may be repeated: all must be there."""
    limit: Annotated[int, Field(ge=1, le=MOST_POINTS)] = 1000
    format: Format = "json"


@router.get("/metrics", response_model=MetricPage)
async def list_metrics(
    services: TheServices, reader: Reader, parameters: Annotated[MetricParameters, Query()]
) -> Response:
    """List metrics, by name."""
    page = await MetricRepository(services.reads, reader.project_id).list(
        prefix=parameters.prefix, limit=parameters.limit, cursor=parameters.cursor
    )
    return answer(
        MetricPage(metrics=[metric(row) for row in page.items], next_cursor=page.next_cursor)
    )


@router.get("/metrics/{name:path}/points", response_model=PointPage)
async def list_points(
    services: TheServices,
    reader: Reader,
    name: Annotated[
        str,
        Path(description="The metric's name; it may contain slashes."),
        AfterValidator(storable),
    ],
    parameters: Annotated[PointParameters, Query()],
) -> Response:
    """List points of a metric, series by series in the order of time; or OTLP `MetricsData`.

    A name without points in the range, or that no metric has, gives an empty list.
    """
    within = parameters.page_range()
    page = await MetricRepository(services.reads, reader.project_id).points(
        name,
        within.range,
        PointFilter(service=parameters.service, attributes=pairs(parameters.attribute)),
        limit=parameters.limit,
        cursor=within.cursor,
    )
    next_cursor = within.next_cursor(page.next_cursor)
    match parameters.format:
        case "json":
            return answer(
                PointPage(
                    **{"from": micro_time(within.range.start)},
                    to=micro_time(within.range.end),
                    points=metric_points(page.items),
                    next_cursor=next_cursor,
                )
            )
        case "otlp":
            return otlp_answer(encode_metrics(page.items), next_cursor)
