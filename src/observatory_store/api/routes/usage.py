"""Usage and cost."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.usage import Usage, covered, usage_row
from observatory_store.api.callers import Reader
from observatory_store.api.questions import QuestionParameters
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository

router = APIRouter(prefix="/api/v1", tags=["usage"])


class UsageParameters(QuestionParameters):
    """Which calls of models, and how they are summed."""

    fill: bool = False
    """Whether each group gets a row of zeros for an interval in which it has no calls."""


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
