"""``sessions``: conversations with their totals."""

from __future__ import annotations

from typing import Annotated

import typer

from observatory_store.cli.console import print_csv
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    Environment,
    From,
    Model,
    ProjectName,
    Service,
    To,
)
from observatory_store.cli.pages import print_next, print_page
from observatory_store.cli.questions import AsCsv, ask, check_formats
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import money, time
from observatory_store.repositories import SessionFilter, SessionRow


def sessions(
    *,
    start: From = "24h",
    end: To = "now",
    session: Annotated[str | None, typer.Option(help="Only this session.")] = None,
    user: Annotated[str | None, typer.Option(help="Only of this user.")] = None,
    service: Service = None,
    environment: Environment = None,
    model: Model = None,
    limit: Annotated[int, typer.Option(help="Most sessions to list, up to 1000.")] = 20,
    cursor: Annotated[str | None, typer.Option(help="From the end of the page before.")] = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List conversations with the totals of their traces in at most 31 days, the latest first."""
    check_formats(as_json=as_json, as_csv=as_csv)
    range_ = parse_range(start, end)
    where = SessionFilter(
        session=session, user=user, service=service, environment=environment, model=model
    )
    page = ask(
        lambda analytics: analytics.sessions(range_, where, limit=limit, cursor=cursor),
        project=project,
        database_url=database_url,
    )
    if as_csv:
        print_csv(page.items, SessionRow.__struct_fields__)
        print_next(page, range_)
        return
    print_page(
        page,
        range_,
        (
            *("session", "last trace", "user", "traces", "requests", "errors"),
            *("input", "output", "cost", "unpriced", "models"),
        ),
        _row,
        empty="No sessions in this range.",
        as_json=as_json,
    )


def _row(row: SessionRow) -> tuple[object, ...]:
    return (
        row.session,
        time(row.last_start),
        row.user,
        row.traces,
        row.requests,
        row.errors,
        row.input_tokens,
        row.output_tokens,
        money(row.cost_usd),
        row.unpriced_requests,
        ", ".join(row.models) or None,
    )
