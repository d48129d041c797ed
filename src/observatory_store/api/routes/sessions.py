"""Conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer
from observatory_store.api.answers.session import SessionPage, session
from observatory_store.api.answers.usage import covered
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import Text
from observatory_store.api.ranges import PageParameters
from observatory_store.api.services import TheServices
from observatory_store.repositories import AnalyticsRepository, SessionFilter
from observatory_store.repositories.analytics.sessions import MOST_SESSIONS

router = APIRouter(prefix="/api/v1", tags=["sessions"])


class SessionParameters(PageParameters):
    """Which traces count."""

    session: Text | None = None
    user: Text | None = None
    service: Text | None = None
    """The root's service."""
    environment: Text | None = None
    model: Text | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_SESSIONS)] = 50


@router.get("/sessions", response_model=SessionPage)
async def list_sessions(
    services: TheServices, reader: Reader, parameters: Annotated[SessionParameters, Query()]
) -> Response:
    """List sessions with the totals of their traces that began in the range, the latest first."""
    page_range = parameters.page_range()
    where = SessionFilter(
        **{name: getattr(parameters, name) for name in SessionFilter.__struct_fields__}
    )
    page = await AnalyticsRepository(services.reads, reader.project_id).sessions(
        page_range.range, where, limit=parameters.limit, cursor=page_range.cursor
    )
    return answer(
        SessionPage(
            **covered(page_range.range),
            sessions=[session(row) for row in page.items],
            next_cursor=page_range.next_cursor(page.next_cursor),
        )
    )
