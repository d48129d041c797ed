"""Budgets: what may be spent, and how far that has gone."""

from __future__ import annotations

import time
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field, ValidationError

from observatory_store.api.answers import budget as answers
from observatory_store.api.answers.base import answer
from observatory_store.api.answers.problem import Problem
from observatory_store.api.callers import Administrator, Reader
from observatory_store.api.openapi import NOT_FOUND
from observatory_store.api.parameters import QueryParameters, Text
from observatory_store.api.questions import Value, Zone
from observatory_store.api.ranges import Time
from observatory_store.api.request_body import read_body
from observatory_store.api.services import Services, TheServices
from observatory_store.errors import InvalidInputError
from observatory_store.repositories import AnalyticsRepository, BudgetRepository
from observatory_store.repositories.analytics.question import MOST_VALUES
from observatory_store.repositories.budget_terms import (
    FILTERS,
    MOST_SHARE,
    MOST_SHARES,
    MOST_USD,
    WARN_AT,
)
from observatory_store.rows.budget import Budget, Period

router = APIRouter(prefix="/api/v1", tags=["budgets"])

_MOST_BYTES: Final = 4 * 1024 * 1024
"""As much as all values of all filters may have."""
_MOST_BURNS: Final = 100
"""Of one answer. Each takes two questions."""
_MOST_SECONDS: Final = 10.0
"""After so many no more of them are begun for one answer."""
_FORBIDDEN: Final[dict[int | str, dict[str, Any]]] = {
    403: {"model": Problem, "description": "The key lacks the scope `admin`."},
}
_REFUSED: Final[dict[int | str, dict[str, Any]]] = _FORBIDDEN | {
    409: {"model": Problem, "description": "The project has as many budgets as it may."},
    413: {"model": Problem, "description": "The body is over the limit."},
}


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Several = Annotated[
    tuple[Value, ...], BeforeValidator(_several), Field(min_length=1, max_length=MOST_VALUES)
]
Share = Annotated[Decimal, Field(gt=0, le=MOST_SHARE, decimal_places=18)]
Name = Annotated[Text, Path(description="As it was set.")]


class BurnParameters(QueryParameters):
    """When."""

    at: Time | None = None
    """The time that is taken for now; by default the present."""


class BudgetParameters(BurnParameters):
    """When, and which page."""

    limit: Annotated[int, Field(ge=1, le=_MOST_BURNS)] = 20
    cursor: Text | None = None
    """``next_cursor`` of the page before."""


class BudgetFilters(QueryParameters):
    """Which calls count. Each is a value, or up to 100 of which any will do."""

    provider: Several = ()
    model: Several = ()
    service: Several = ()
    environment: Several = ()
    user: Several = ()
    session: Several = ()
    agent: Several = ()
    tag: Several = ()
    """``key=value``; of several all must be there."""


class BudgetTerms(QueryParameters):
    """All of a budget but its name; what is not given is as of a new one."""

    amount_usd: Annotated[Decimal, Field(gt=0, le=MOST_USD, decimal_places=18, examples=["300.00"])]
    """For each period."""
    period: Period = "month"
    tz: Zone = "UTC"
    """By whose clock the period begins."""
    filters: Annotated[BudgetFilters, Field(examples=[{"tag": "team=search"}])] = BudgetFilters()
    warn_at: Annotated[tuple[Share, ...], Field(max_length=MOST_SHARES)] = WARN_AT
    """Shares of the amount."""


def _body() -> dict[str, Any]:
    # The body is read by hand, so that no key means no body, and none without a limit.
    schema = BudgetTerms.model_json_schema()
    # Its references would be to the root of the whole document.
    schema["properties"]["filters"] = schema.pop("$defs")["BudgetFilters"]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.get("/budgets", response_model=answers.BudgetPage)
async def list_budgets(
    services: TheServices, reader: Reader, parameters: Annotated[BudgetParameters, Query()]
) -> Response:
    """List the project's budgets by name, and how far each has gone."""
    page = await BudgetRepository(services.reads, reader.project_id).list(
        limit=parameters.limit, cursor=parameters.cursor
    )
    until = time.monotonic() + _MOST_SECONDS
    budgets = [
        await _with_burn(services, row, parameters.at)
        if time.monotonic() < until
        else answers.budget(row, None, "not told here, as those before took long: ask for it alone")
        for row in page.items
    ]
    return answer(answers.BudgetPage(budgets=budgets, next_cursor=page.next_cursor))


@router.get("/budgets/{name}", response_model=answers.Budget, responses=NOT_FOUND)
async def get_budget(
    services: TheServices,
    reader: Reader,
    name: Name,
    parameters: Annotated[BurnParameters, Query()],
) -> Response:
    """Return a budget, and how far it has gone."""
    row = await BudgetRepository(services.reads, reader.project_id).get(name)
    return answer(await _with_burn(services, row, parameters.at))


@router.put(
    "/budgets/{name}",
    response_model=answers.Budget,
    responses=_REFUSED,
    openapi_extra=_body(),
)
async def set_budget(
    request: Request, services: TheServices, administrator: Administrator, name: Name
) -> Response:
    """Make a budget, or replace the one of that name."""
    with services.admission.enter() as ticket:
        terms = _terms(await read_body(request, _MOST_BYTES, ticket))
    row = await BudgetRepository(services.ingest, administrator.project_id).set(
        name,
        terms.amount_usd,
        period=terms.period,
        tz=terms.tz,
        filters={name: getattr(terms.filters, name) or None for name in FILTERS},
        warn_at=terms.warn_at,
        by=_who(administrator.api_key_id),
    )
    return answer(await _with_burn(services, row))


@router.delete("/budgets/{name}", status_code=204, responses=NOT_FOUND | _FORBIDDEN)
async def remove_budget(
    services: TheServices, administrator: Administrator, name: Name
) -> Response:
    """Remove a budget; the record of its changes stays."""
    repository = BudgetRepository(services.ingest, administrator.project_id)
    await repository.remove(name, by=_who(administrator.api_key_id))
    return Response(status_code=204)


async def _with_burn(services: Services, row: Budget, at: datetime | None = None) -> answers.Budget:
    try:
        burn = await AnalyticsRepository(services.reads, row.project_id).burn(row, at)
    except InvalidInputError as error:
        # Spans of its calls may be kept no more; that hides no other budget.
        return answers.budget(row, None, str(error))
    return answers.budget(row, burn)


def _terms(body: bytes) -> BudgetTerms:
    """Return the terms in a body.

    Raises:
        RequestValidationError: a part of it is not allowed.

    """
    try:
        return BudgetTerms.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [
                {**one, "loc": ("body", *(one["loc"] or ("body",)))}
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from None


def _who(api_key_id: int | None) -> str | None:
    return None if api_key_id is None else f"API key {api_key_id}"
