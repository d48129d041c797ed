"""The service itself. None of these routes needs a key."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.health import Health, Readiness
from observatory_store.api.readiness import readiness
from observatory_store.api.services import TheServices

router = APIRouter(tags=["service"])


@router.get("/healthz", response_model=Health)
async def healthz() -> Response:
    """Tell that the process answers, whatever the database does."""
    return answer(Health())


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
async def readyz(services: TheServices) -> Response:
    """Tell whether the database is reachable, has the schema and takes writes."""
    found = await readiness(services.ingest)
    response = answer(found)
    if not found.ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return response


@router.get("/metrics", response_class=Response)
async def metrics(services: TheServices) -> Response:
    """Give what this process measures of itself and its database, in Prometheus' text format."""
    await services.measurements.database.refresh(services.ingest)
    return Response(services.measurements.text(), media_type=CONTENT_TYPE_LATEST)
