"""Prices of models, and models without one."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.price import (
    PricePage,
    UnpricedModels,
    price,
    unpriced_model,
)
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import QueryParameters, Text
from observatory_store.api.ranges import RangeParameters, Time
from observatory_store.api.services import TheServices
from observatory_store.repositories import PriceRepository
from observatory_store.repositories.prices import MOST_PRICES

router = APIRouter(prefix="/api/v1", tags=["prices"])


class PriceParameters(QueryParameters):
    """Which prices."""

    provider: Text | None = None
    """However its name is written."""
    model: Text | None = None
    """Prices for a model of this name, those by pattern too."""
    source: Literal["user", "genai-prices", "litellm"] | None = None
    at: Time | None = None
    """Only what is in force at that time; without it the whole history."""
    limit: Annotated[int, Field(ge=1, le=MOST_PRICES)] = 100
    cursor: Text | None = None
    """``next_cursor`` of the page before, with the same other parameters."""


@router.get("/prices", response_model=PricePage)
async def list_prices(
    services: TheServices,
    _: Reader,
    parameters: Annotated[PriceParameters, Query()],
) -> Response:
    """List prices by provider and model. All projects have the same."""
    page = await PriceRepository(services.reads).list(**dict(parameters))
    return answer(
        PricePage(prices=[price(record) for record in page.items], next_cursor=page.next_cursor)
    )


@router.get("/prices/unpriced", response_model=UnpricedModels)
async def list_unpriced(
    services: TheServices, reader: Reader, parameters: Annotated[RangeParameters, Query()]
) -> Response:
    """List the models whose calls have no cost, the most called first; at most 1,000."""
    range_ = parameters.time_range()
    rows = await PriceRepository(services.reads).unpriced(reader.project_id, range_)
    return answer(
        UnpricedModels(
            **{"from": micro_time(range_.start)},
            to=micro_time(range_.end),
            models=[unpriced_model(row) for row in rows],
        )
    )
