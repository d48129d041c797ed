"""Log records."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from observatory_store.api.answers.base import answer, micro_time
from observatory_store.api.answers.log import LogPage, log_record
from observatory_store.api.answers.otlp import otlp_answer
from observatory_store.api.answers.resource import Resources
from observatory_store.api.callers import Reader
from observatory_store.api.parameters import Format, KeyValue, Text, Words, pairs
from observatory_store.api.ranges import PageParameters
from observatory_store.api.services import TheServices
from observatory_store.otlp import encode_logs
from observatory_store.repositories import LogFilter, LogRepository
from observatory_store.repositories.logs import MOST_LOGS

router = APIRouter(prefix="/api/v1", tags=["logs"])


class LogParameters(PageParameters):
    """Which log records: those of the range that fulfil every condition."""

    service: Text | None = None
    min_severity: Annotated[int, Field(ge=0, le=24)] | None = None
    """9 is info, 13 warn, 17 error."""
    event: Text | None = None
    """The event's name."""
    trace_id: Text | None = None
    """32 hex digits."""
    span_id: Text | None = None
    """16 hex digits."""
    attribute: tuple[KeyValue, ...] = ()
    """``key=value``; may be repeated: all must be there."""
    q: Words | None = None
    """Words of the body: `refund policy`, `"exact phrase"`, `a or b`, `-without`."""
    limit: Annotated[int, Field(ge=1, le=MOST_LOGS)] = 100
    format: Format = "json"

    def condition(self) -> LogFilter:
        """Return the conditions."""
        return LogFilter(
            service=self.service,
            min_severity=self.min_severity,
            event=self.event,
            trace_id=self.trace_id,
            span_id=self.span_id,
            attributes=pairs(self.attribute),
            q=self.q,
        )


@router.get("/logs", response_model=LogPage)
async def list_logs(
    services: TheServices, reader: Reader, parameters: Annotated[LogParameters, Query()]
) -> Response:
    """List log records of the range, newest first; or an OTLP `LogsData` document."""
    within = parameters.page_range()
    page = await LogRepository(services.reads, reader.project_id).list(
        within.range, parameters.condition(), limit=parameters.limit, cursor=within.cursor
    )
    next_cursor = within.next_cursor(page.next_cursor)
    match parameters.format:
        case "json":
            resources = Resources()
            return answer(
                LogPage(
                    **{"from": micro_time(within.range.start)},
                    to=micro_time(within.range.end),
                    logs=[log_record(row, resources) for row in page.items],
                    next_cursor=next_cursor,
                )
            )
        case "otlp":
            return otlp_answer(encode_logs(page.items), next_cursor)
