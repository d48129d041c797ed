"""How long calls of models took."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.latency import Latency, latency_row
from observatory_store.api.answers.usage import covered
from observatory_store.api.callers import Reader
from observatory_store.api.questions import QuestionParameters
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository
from observatory_store.repositories.analytics.latency import MOST_QUANTILES, QUANTILES

router = APIRouter(prefix="/api/v1", tags=["usage"])

_Quantile = Annotated[float, Field(ge=0, le=1)]


class LatencyParameters(QuestionParameters):
    """Which calls of models, and what of their durations."""

    quantile: Annotated[
        tuple[_Quantile, ...],
        Field(max_length=MOST_QUANTILES, examples=[[0.5, 0.99]]),
    ] = QUANTILES
    """0.5 is the median; repeated for more."""
    histogram: bool = False
    """Whether each row has the durations as a histogram too."""


@router.get("/latency", response_model=Latency)
async def latency(
    services: TheServices, reader: Reader, parameters: Annotated[LatencyParameters, Query()]
) -> Response:
    """Give quantiles of durations and of times to the first token, within 1 %; not for tools."""
    rows = await AnalyticsRepository(services.reads, reader.project_id).latency(
        **parameters.question(), quantiles=parameters.quantile, histogram=parameters.histogram
    )
    return answer(
        Latency(
            **covered(rows.covered),
            interval=parameters.interval,
            tz=parameters.tz,
            rows=[latency_row(row, parameters.quantile) for row in rows],
        )
    )
