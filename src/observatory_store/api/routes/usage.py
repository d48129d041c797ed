"""Usage and cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.comparison import Comparison, comparison_row
from observatory_store.api.answers.usage import Usage, covered, usage_row
from observatory_store.api.callers import Reader
from observatory_store.api.questions import GroupParameters, QuestionParameters, ToolFilter
from observatory_store.api.ranges import Time
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository

router = APIRouter(prefix="/api/v1", tags=["usage"])


class UsageParameters(ToolFilter, QuestionParameters):
    """Which calls of models, and how they are summed."""

    fill: bool = False
    """Whether each group gets a row of zeros for an interval in which it has no calls."""


class ComparisonParameters(ToolFilter, GroupParameters):
    """Which calls of models, how they are grouped, and with when they are compared."""

    before: Time | None = None
    """Beginning of the other range, which is as long; if it is not given, the range ends where this
    one begins."""


@router.get("/usage", response_model=Usage)
async def usage(
    services: TheServices, reader: Reader, parameters: Annotated[UsageParameters, Query()]
) -> Response:
    """Sum requests, errors, tokens and cost. Exact, whatever the range."""
    rows = await AnalyticsRepository(services.reads, reader.project_id).usage(
        **parameters.question(), fill=parameters.fill
    )
    return answer(
        Usage(
            **covered(rows.covered),
            interval=parameters.interval,
            tz=parameters.tz,
            rows=[usage_row(row) for row in rows],
        )
    )


@router.get("/usage/comparison", response_model=Comparison)
async def compare_usage(
    services: TheServices, reader: Reader, parameters: Annotated[ComparisonParameters, Query()]
) -> Response:
    """Give usage beside that of another range of the same length, by group; exact, both."""
    rows = await AnalyticsRepository(services.reads, reader.project_id).compare(
        **parameters.question(), before=parameters.before
    )
    return answer(
        Comparison(
            **covered(rows.covered),
            before_from=micro_time(rows.before_covered.start),
            before_to=micro_time(rows.before_covered.end),
            rows=[comparison_row(row) for row in rows],
        )
    )
