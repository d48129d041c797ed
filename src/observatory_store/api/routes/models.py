"""The catalogue of models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.model import ModelDetails, ModelPage, model, model_details
from observatory_store.api.callers import Reader
from observatory_store.api.openapi import NOT_FOUND
from observatory_store.api.parameters import QueryParameters, Text
from observatory_store.api.services import TheServices
from observatory_store.repositories import ModelRepository
from observatory_store.repositories.models import MOST_MODELS

router = APIRouter(prefix="/api/v1", tags=["models"])


class ModelParameters(QueryParameters):
    """Which models."""

    provider: Text | None = None
    """However its name is written."""
    q: Text | None = None
    """Text in the model or in its name for people; case does not matter."""
    deprecated: bool | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_MODELS)] = 100
    cursor: Text | None = None
    """``next_cursor`` of the page before, with the same other parameters."""


@router.get("/models", response_model=ModelPage)
async def list_models(
    services: TheServices, _: Reader, parameters: Annotated[ModelParameters, Query()]
) -> Response:
    """List models by provider and name. All projects have the same."""
    page = await ModelRepository(services.reads).list(**dict(parameters))
    return answer(
        ModelPage(models=[model(record) for record in page.items], next_cursor=page.next_cursor)
    )


@router.get(
    "/models/{provider}/{model_name:path}", response_model=ModelDetails, responses=NOT_FOUND
)
async def get_model(
    services: TheServices,
    _: Reader,
    provider: Annotated[Text, Path()],
    model_name: Annotated[Text, Path(description="May have slashes.")],
) -> Response:
    """Return a model, and all that its sources say of it."""
    return answer(model_details(*await ModelRepository(services.reads).get(provider, model_name)))
