"""Options that several verbs take."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from observatory_store.store import DEFAULT_PROJECT

DatabaseUrl: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="OBSERVATORY_DATABASE_URL",
        metavar="URL",
        help="A libpq URL, postgresql://USER@HOST/DATABASE.",
        show_default=False,
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProjectName: TypeAlias = Annotated[
    str, typer.Option("--project", metavar="NAME", help="The project.")
]
From: TypeAlias = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="TIME",
        help="Begin of the range: 2026-01-31T12:00:00Z, or how long ago: 90m, 24h, 7d.",
    ),
]
To: TypeAlias = Annotated[
    str,
    typer.Option("--to", metavar="TIME", help="End of the range, not included; as --from, or now."),
]
Model: TypeAlias = Annotated[str | None, typer.Option(help="Only this model.")]
Provider: TypeAlias = Annotated[str | None, typer.Option(help="Only this provider.")]
Service: TypeAlias = Annotated[str | None, typer.Option(help="Only this service.")]
Environment: TypeAlias = Annotated[str | None, typer.Option(help="Only this environment.")]

__all__ = [
    "DEFAULT_PROJECT",
    "AsJson",
    "DatabaseUrl",
    "Environment",
    "From",
    "Model",
    "ProjectName",
    "Provider",
    "Service",
    "To",
]
