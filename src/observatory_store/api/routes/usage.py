"""Usage and cost."""

from __future__ import annotations

from typing import Annotated, get_args

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, WithJsonSchema

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.usage import Usage, usage_row
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import Text
from observatory_store.api.ranges import RangeParameters
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository
from observatory_store.repositories.analytics import Interval, UsageGroup, whole_quarter_hours

_GROUPS: tuple[str, ...] = get_args(UsageGroup)

router = APIRouter(prefix="/api/v1", tags=["usage"])


def _groups(texts: tuple[str, ...]) -> tuple[str, ...]:
    groups = tuple(dict.fromkeys(group for text in texts for group in text.split(",")))
    if unknown := [group for group in groups if group not in _GROUPS]:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(_GROUPS)}")
    return groups


class UsageParameters(RangeParameters):
    """Which calls of models, and how they are summed."""

    interval: Interval | None = None
    """One row for each interval (UTC); without it one for the whole range."""
    group_by: Annotated[
        tuple[str, ...],
        AfterValidator(_groups),
        WithJsonSchema({"type": "array", "items": {"type": "string"}, "examples": [["model"]]}),
    ] = ()
    """Any of provider, model, service, environment; repeated, or separated by commas."""
    provider: Text | None = None
    model: Text | None = None
    """The model that answered, or else the one that was asked for."""
    service: Text | None = None
    environment: Text | None = None


@router.get("/usage", response_model=Usage)
async def usage(
    services: TheServices, reader: Reader, parameters: Annotated[UsageParameters, Query()]
) -> Response:
    """Sum requests, errors, tokens and cost. The range is widened to whole quarter-hours."""
    asked = parameters.time_range()
    rows = await AnalyticsRepository(services.reads, reader.project_id).usage(
        asked.start,
        asked.end,
        group_by=parameters.group_by,
        interval=parameters.interval,
        provider=parameters.provider,
        model=parameters.model,
        service=parameters.service,
        environment=parameters.environment,
    )
    covered = whole_quarter_hours(asked)
    return answer(
        Usage(
            **{"from": micro_time(covered.start)},
            to=micro_time(covered.end),
            interval=parameters.interval,
            rows=[usage_row(row) for row in rows],
        )
    )
