"""Traces."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from observatory_store import llm
from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.otlp import otlp_answer
from observatory_store.api.answers.trace import TracePage, TraceTree, trace_row, trace_tree
from observatory_store.api.callers import Reader
from observatory_store.api.openapi import NOT_FOUND
from observatory_store.api.parameters import (
    Format,
    KeyValue,
    Milliseconds,
    QueryParameters,
    Text,
    Usd,
    Words,
    pairs,
)
from observatory_store.api.ranges import PageParameters
from observatory_store.api.services import TheServices
from observatory_store.errors import NotFoundError
from observatory_store.otlp import encode_traces
from observatory_store.repositories import TraceFilter, TraceRepository
from observatory_store.repositories.traces import MOST_TRACES

router = APIRouter(prefix="/api/v1", tags=["traces"])


class TraceParameters(PageParameters):
    """Which traces: those that began in the range and fulfil every condition."""

    service: Text | None = None
    """The root's service."""
    name: Text | None = None
    """The root's name."""
    status: Literal["ok", "error"] | None = None
    """``error``: at least one span has the status error; ``ok``: none has."""
    model: Text | None = None
    """One of the models that answered, or else were asked for."""
    provider: Text | None = None
    user: Text | None = None
    session: Text | None = None
    environment: Text | None = None
    tag: tuple[KeyValue, ...] = ()
    """``key=value``; may be repeated: one span has them all."""
    attribute: tuple[KeyValue, ...] = ()
    """``key=value`` of an attribute that has no column; may be repeated: one span has them all."""
    min_duration_ms: Milliseconds | None = None
    min_cost: Usd | None = None
    """USD."""
    q: Words | None = None
    """Words of the prompts and answers of one span: `refund policy`, `"exact phrase"`, `a or b`,
    `-without`."""
    limit: Annotated[int, Field(ge=1, le=MOST_TRACES)] = 50

    def condition(self) -> TraceFilter:
        """Return the conditions."""
        return TraceFilter(
            service=self.service,
            name=self.name,
            status=self.status,
            model=self.model,
            provider=self.provider,
            user=self.user,
            session=self.session,
            environment=self.environment,
            tags=self.tag,
            attributes=pairs(self.attribute),
            min_duration_ms=self.min_duration_ms,
            min_cost=self.min_cost,
            q=self.q,
        )


class TreeParameters(QueryParameters):
    """How a trace is written."""

    format: Format = "json"


@router.get("/traces", response_model=TracePage)
async def list_traces(
    services: TheServices, reader: Reader, parameters: Annotated[TraceParameters, Query()]
) -> Response:
    """List traces that began in the range, newest first."""
    within = parameters.page_range()
    page = await TraceRepository(services.reads, reader.project_id).list(
        within.range, parameters.condition(), limit=parameters.limit, cursor=within.cursor
    )
    return answer(
        TracePage(
            **{"from": micro_time(within.range.start)},
            to=micro_time(within.range.end),
            traces=[trace_row(row) for row in page.items],
            next_cursor=within.next_cursor(page.next_cursor),
        )
    )


@router.get("/traces/{trace_id}", response_model=TraceTree, responses=NOT_FOUND)
async def get_trace(
    services: TheServices,
    reader: Reader,
    trace_id: Annotated[str, Path(description="32 hex digits.")],
    parameters: Annotated[TreeParameters, Query()],
) -> Response:
    """Return a whole trace: its summary, and its spans depth first; or OTLP `TracesData`."""
    trace = await TraceRepository(services.reads, reader.project_id).get(trace_id)
    if trace is None:
        raise NotFoundError(f"there is no trace {trace_id.lower()}")
    match parameters.format:
        case "json":
            return answer(trace_tree(trace))
        case "otlp":
            return otlp_answer(encode_traces(map(llm.restore_events, trace.spans), llm.restore))
