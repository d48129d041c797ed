"""``traces``: a list of them, and one as a tree."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from observatory_store.cli.conditions import parse_pair, parse_usd
from observatory_store.cli.connection import open_store
from observatory_store.cli.console import console, print_json
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    Environment,
    From,
    Model,
    ProjectName,
    Provider,
    Service,
    To,
)
from observatory_store.cli.pages import print_page
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.trace_tree import trace_tree
from observatory_store.cli.units import duration, money, time
from observatory_store.errors import NotFoundError
from observatory_store.repositories import Page, TimeRange, Trace, TraceFilter, TraceSummary

verbs = typer.Typer(help="List traces, and show one.", no_args_is_help=True)


class StatusName(StrEnum):
    """``error``: at least one span failed."""

    OK = "ok"
    ERROR = "error"


@verbs.command("list")
def list_(
    *,
    start: From = "24h",
    end: To = "now",
    service: Service = None,
    name: Annotated[str | None, typer.Option(help="Only with a root span of this name.")] = None,
    status: Annotated[StatusName | None, typer.Option(help="Only with or without errors.")] = None,
    model: Model = None,
    provider: Provider = None,
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    session: Annotated[str | None, typer.Option(help="Only of this session.")] = None,
    environment: Environment = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only with this tag; repeatable.")
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only with this attribute; repeatable."),
    ] = None,
    min_duration_ms: Annotated[float | None, typer.Option(min=0, help="Only as long.")] = None,
    min_cost: Annotated[str | None, typer.Option(help="Only as expensive, in USD.")] = None,
    q: Annotated[
        str | None, typer.Option("--q", help="Only with these words in a prompt or an answer.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Most traces to list, up to 1000.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="From the end of the page before.")] = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List traces that start in a range of time, newest first."""
    where = TraceFilter(
        service=service,
        name=name,
        status=None if status is None else status.value,
        model=model,
        provider=provider,
        user=user,
        session=session,
        environment=environment,
        tags=tuple("=".join(parse_pair(text)) for text in tag or ()),
        attributes=tuple(parse_pair(text) for text in attribute or ()),
        min_duration_ms=min_duration_ms,
        min_cost=None if min_cost is None else parse_usd(min_cost),
        q=q,
    )
    range_ = parse_range(start, end)
    page = asyncio.run(_list(database_url, project, range_, where, limit=limit, cursor=cursor))
    print_page(
        page,
        range_,
        ("trace", "start", "duration", "service", "name", "spans", "errors", "tokens", "cost"),
        _row,
        empty="No traces in this range.",
        as_json=as_json,
    )


@verbs.command("show")
def show(
    trace_id: Annotated[str, typer.Argument(metavar="ID", help="32 hex digits.")],
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show one trace: as a tree, or whole as JSON."""
    trace = asyncio.run(_get(database_url, project, trace_id))
    if as_json:
        print_json(trace)
    else:
        console().print(trace_tree(trace), soft_wrap=True)


def _row(trace: TraceSummary) -> tuple[object, ...]:
    return (
        trace.trace_id,
        time(trace.start_time),
        duration(trace.duration_us),
        trace.service_name,
        trace.root_name,
        trace.span_count,
        trace.error_count,
        trace.input_tokens + trace.output_tokens,
        money(trace.cost_usd),
    )


async def _list(
    database_url: str | None,
    project: str,
    range_: TimeRange,
    where: TraceFilter,
    *,
    limit: int,
    cursor: str | None,
) -> Page[TraceSummary]:
    async with open_store(database_url, project) as store:
        return await store.traces.list(range_, where, limit=limit, cursor=cursor)


async def _get(database_url: str | None, project: str, trace_id: str) -> Trace:
    async with open_store(database_url, project) as store:
        trace = await store.traces.get(trace_id)
    if trace is None:
        raise NotFoundError(f"project {project} has no trace {trace_id}")
    return trace
