"""Failed calls of models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.errors import Errors, error_kind, error_rate
from observatory_store.api.answers.usage import covered
from observatory_store.api.callers import Reader
from observatory_store.api.questions import QuestionParameters
from observatory_store.api.services import TheServices
from observatory_store.errors import InvalidInputError
from observatory_store.repositories import AnalyticsRepository
from observatory_store.repositories.analytics.errors import MOST_ERRORS
from observatory_store.repositories.analytics.question import NOT_OF_TOOLS

router = APIRouter(prefix="/api/v1", tags=["usage"])


class ErrorParameters(QuestionParameters):
    """Which calls of models, and how many kinds of failure."""

    limit: Annotated[int, Field(ge=1, le=MOST_ERRORS)] = 20
    """Of ``top``."""


@router.get("/errors", response_model=Errors)
async def errors(
    services: TheServices, reader: Reader, parameters: Annotated[ErrorParameters, Query()]
) -> Response:
    """Give the rates of failed calls, and the commonest failures with a sample; not for tools."""
    analytics = AnalyticsRepository(services.reads, reader.project_id)
    if "tool" in parameters.group_by:
        raise InvalidInputError(NOT_OF_TOOLS)
    asked = parameters.question()
    top = await analytics.errors(
        asked["start"], asked["end"], limit=parameters.limit, **parameters.filters()
    )
    # Where spans are gone, the kinds of failure are there by hours.
    asked |= {"start": top.covered.start, "end": top.covered.end}
    rates = await analytics.usage(**asked)
    return answer(
        Errors(
            **covered(rates.covered),
            interval=parameters.interval,
            tz=parameters.tz,
            rates=[error_rate(row) for row in rates],
            top=[error_kind(row) for row in top],
        )
    )
