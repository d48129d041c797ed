"""Spans."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.resource import Resources
from observatory_store.api.answers.span import Span, SpanPage, span_fields
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import KeyValue, Milliseconds, Text, Usd, pairs
from observatory_store.api.ranges import PageParameters
from observatory_store.api.services import TheServices
from observatory_store.repositories import SpanFilter, SpanRepository
from observatory_store.repositories.spans import MOST_SPANS
from observatory_store.rows.span import SpanStatus

router = APIRouter(prefix="/api/v1", tags=["traces"])


class SpanParameters(PageParameters):
    """Which spans: those that began in the range and fulfil every condition."""

    service: Text | None = None
    name: Text | None = None
    status: SpanStatus | None = None
    operation: Text | None = None
    """Such as ``chat``, ``embeddings``, ``execute_tool``."""
    model: Text | None = None
    """The model that answered, or else the one that was asked for."""
    provider: Text | None = None
    user: Text | None = None
    session: Text | None = None
    agent: Text | None = None
    tool: Text | None = None
    environment: Text | None = None
    tag: tuple[KeyValue, ...] = ()
    """``key=value``; may be repeated: all must be there."""
    attribute: tuple[KeyValue, ...] = ()
    """``key=value`` of an attribute that has no column; may be repeated: all must be there."""
    min_duration_ms: Milliseconds | None = None
    min_cost: Usd | None = None
    """USD."""
    limit: Annotated[int, Field(ge=1, le=MOST_SPANS)] = 100

    def condition(self) -> SpanFilter:
        """Return the conditions."""
        return SpanFilter(
            service=self.service,
            name=self.name,
            status=self.status,
            operation=self.operation,
            model=self.model,
            provider=self.provider,
            user=self.user,
            session=self.session,
            agent=self.agent,
            tool=self.tool,
            environment=self.environment,
            tags=self.tag,
            attributes=pairs(self.attribute),
            min_duration_ms=self.min_duration_ms,
            min_cost=self.min_cost,
        )


@router.get("/spans", response_model=SpanPage)
async def list_spans(
    services: TheServices, reader: Reader, parameters: Annotated[SpanParameters, Query()]
) -> Response:
    """List spans that began in the range, newest first, without their payloads."""
    within = parameters.page_range()
    page = await SpanRepository(services.reads, reader.project_id).list(
        within.range, parameters.condition(), limit=parameters.limit, cursor=within.cursor
    )
    resources = Resources()
    return answer(
        SpanPage(
            **{"from": micro_time(within.range.start)},
            to=micro_time(within.range.end),
            spans=[Span(**span_fields(row, resources)) for row in page.items],
            next_cursor=within.next_cursor(page.next_cursor),
        )
    )
