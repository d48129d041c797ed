"""``errors``: which calls failed, and how."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from observatory_store.cli.connection import open_store
from observatory_store.cli.console import print_json, print_table
from observatory_store.cli.options import (
    DEFAULT_PROJECT,
    AsJson,
    DatabaseUrl,
    From,
    ProjectName,
    To,
)
from observatory_store.cli.questions import (
    Agents,
    AsCsv,
    Environments,
    Models,
    Providers,
    Services,
    Sessions,
    Tags,
    Users,
    one_format,
    print_csv,
)
from observatory_store.cli.time_range import parse_range
from observatory_store.cli.units import time
from observatory_store.repositories import ErrorRow


def errors(
    *,
    start: From = "24h",
    end: To = "now",
    limit: Annotated[int, typer.Option(help="Most kinds of failure, up to 1000.")] = 20,
    model: Models = None,
    provider: Providers = None,
    service: Services = None,
    environment: Environments = None,
    user: Users = None,
    session: Sessions = None,
    agent: Agents = None,
    tag: Tags = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the commonest failures of calls of models, with a sample; `usage` has the rates."""
    one_format(as_json=as_json, as_csv=as_csv)
    range_ = parse_range(start, end)
    question = {
        "start": range_.start,
        "end": range_.end,
        "limit": limit,
        "model": model,
        "provider": provider,
        "service": service,
        "environment": environment,
        "user": user,
        "session": session,
        "agent": agent,
        "tag": tag,
    }
    rows = asyncio.run(_errors(database_url, project, question))
    if as_json:
        print_json(rows)
    elif as_csv:
        print_csv(rows, ErrorRow.__struct_fields__)
    else:
        cells = [
            (
                row.fingerprint,
                row.errors,
                row.error_type,
                ", ".join(row.models) or None,
                time(row.first_start),
                time(row.last_start),
                row.sample_message,
            )
            for row in rows
        ]
        columns = ("fingerprint", "errors", "type", "models", "first", "last", "for instance")
        print_table(columns, cells, "No failed calls of models in this range.")


async def _errors(
    database_url: str | None, project: str, question: dict[str, Any]
) -> list[ErrorRow]:
    async with open_store(database_url, project) as store:
        return await store.analytics.errors(**question)
