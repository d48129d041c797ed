"""Costs to come."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.cost import Forecast, forecast
from observatory_store.api.callers import Reader
from observatory_store.api.questions import Filters, Zone
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository
from observatory_store.repositories.analytics.forecast import (
    HISTORY_DAYS,
    LEAST_DAYS,
    MOST_DAYS,
    MOST_HORIZON,
)

router = APIRouter(prefix="/api/v1", tags=["usage"])


class ForecastParameters(Filters):
    """Which calls, how many days, made from how many."""

    days: Annotated[int, Field(ge=1, le=MOST_HORIZON)] = 30
    """How many days to come; the first is today."""
    history_days: Annotated[int, Field(ge=LEAST_DAYS, le=MOST_DAYS)] = HISTORY_DAYS
    """How many whole days before today the forecast is made from."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.8
    tz: Zone = "UTC"
    """The IANA time zone by whose clock days begin."""


@router.get("/costs/forecast", response_model=Forecast)
async def forecast_costs(
    services: TheServices, reader: Reader, parameters: Annotated[ForecastParameters, Query()]
) -> Response:
    """Forecast costs by day from the means of weekdays, with an interval; ``method`` says how."""
    found = await AnalyticsRepository(services.reads, reader.project_id).forecast(
        days=parameters.days,
        history_days=parameters.history_days,
        confidence=parameters.confidence,
        tz=parameters.tz,
        **parameters.filters(),
    )
    return answer(forecast(found))
