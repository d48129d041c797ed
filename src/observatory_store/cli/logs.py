"""``logs``: a list of log records."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from observatory_store.cli.conditions import parse_pair
from observatory_store.cli.connection import open_store
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    From,
    ProjectName,
    Service,
    To,
)
from observatory_store.cli.pages import print_page
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import time
from observatory_store.repositories import LogFilter, Page, TimeRange
from observatory_store.rows import LogRecord
from observatory_store.rows.attributes import to_json

verbs = typer.Typer(help="List log records.", no_args_is_help=True)


@verbs.callback()
def logs() -> None:
    """List log records."""


@verbs.command("list")
def list_(
    *,
    start: From = "24h",
    end: To = "now",
    service: Service = None,
    min_severity: Annotated[
        int | None,
        typer.Option(min=0, max=24, help="Only as severe: 9 is info, 13 warn, 17 error."),
    ] = None,
    event: Annotated[str | None, typer.Option(help="Only events of this name.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only of this trace.")] = None,
    span: Annotated[str | None, typer.Option(metavar="ID", help="Only of this span.")] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only with this attribute; repeatable."),
    ] = None,
    q: Annotated[str | None, typer.Option("--q", help="Only with these words.")] = None,
    limit: Annotated[int, typer.Option(help="Most records to list, up to 1000.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="From the end of the page before.")] = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List log records in a range of time, newest first."""
    where = LogFilter(
        service=service,
        min_severity=min_severity,
        event=event,
        trace_id=trace,
        span_id=span,
        attributes=tuple(parse_pair(text) for text in attribute or ()),
        q=q,
    )
    range_ = parse_range(start, end)
    page = asyncio.run(_list(database_url, project, range_, where, limit=limit, cursor=cursor))
    print_page(
        page,
        range_,
        ("time", "severity", "service", "event", "trace", "body"),
        _row,
        empty="No logs in this range.",
        as_json=as_json,
    )


def _row(record: LogRecord) -> tuple[object, ...]:
    body = record.body
    if body is not None and not isinstance(body, str):
        body = msgspec.json.encode(to_json(body)).decode()
    return (
        time(record.time),
        record.severity_text or str(record.severity_number),
        record.service_name,
        record.event_name or None,
        record.trace_id,
        body,
    )


async def _list(
    database_url: str | None,
    project: str,
    range_: TimeRange,
    where: LogFilter,
    *,
    limit: int,
    cursor: str | None,
) -> Page[LogRecord]:
    async with open_store(database_url, project) as store:
        return await store.logs.list(range_, where, limit=limit, cursor=cursor)
