"""``keys``: who may send to and read from a project."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import msgspec
import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.options import DEFAULT_PROJECT, AsJson, DatabaseUrl, ProjectName
from observatory_store.cli.time_range import parse_duration
from observatory_store.cli.units import time
from observatory_store.repositories import ApiKey, KeyRepository, ProjectRepository

verbs = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


class ScopeName(StrEnum):
    """What a key opens; ``admin`` opens everything."""

    WRITE = "write"
    READ = "read"
    ADMIN = "admin"


@verbs.command("create")
def create(
    *,
    name: Annotated[str, typer.Option(help="What the key is for.")],
    scope: Annotated[list[ScopeName], typer.Option(help="What it opens; may be repeated.")],
    expires_in: Annotated[
        str | None, typer.Option(metavar="DURATION", help="As 24h or 90d; for ever by default.")
    ] = None,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Make a key and print it. It is stored as a hash: it cannot be shown again."""
    expires_at = None if expires_in is None else datetime.now(UTC) + parse_duration(expires_in)
    key, text = asyncio.run(_create(database_url, project, name, scope, expires_at))
    if as_json:
        print_json({"key": text, **msgspec.structs.asdict(key)})
    else:
        # Alone on standard output, so that KEY=$(observatory-store keys create …) works.
        console().print(text, soft_wrap=True)
        typer.echo(
            f"key {key.api_key_id} of project {project}, scopes {', '.join(key.scopes)}; "
            "keep it now, it is not shown again",
            err=True,
        )


@verbs.command("list")
def list_(
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List a project's keys, revoked ones included."""
    keys = asyncio.run(_list(database_url, project))
    if as_json:
        print_json(keys)
        return
    now = datetime.now(UTC)
    rows = [
        (
            str(key.api_key_id),
            key.name,
            f"{key.key_prefix}…",
            ", ".join(key.scopes),
            _state(key, now),
            time(key.created_at),
            time(key.expires_at),
        )
        for key in keys
    ]
    columns = ("id", "name", "key", "scopes", "state", "created", "expires")
    print_table(columns, rows, f"Project {project} has no keys.")


@verbs.command("revoke")
def revoke(
    key_id: Annotated[int, typer.Argument(metavar="ID", help="As in `keys list`.")],
    *,
    project: ProjectName = DEFAULT_PROJECT,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Have a key refused from now on."""
    key = asyncio.run(_revoke(database_url, project, key_id))
    if as_json:
        print_json(key)
    else:
        console().print(f"revoked key {key.api_key_id} ({key.key_prefix}…)")


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(now) else "expired"


async def _create(
    database_url: str | None,
    project: str,
    name: str,
    scopes: list[ScopeName],
    expires_at: datetime | None,
) -> tuple[ApiKey, str]:
    async with open_database(database_url) as pool:
        found = await ProjectRepository(pool).get(project)
        return await KeyRepository(pool).create(
            found.project_id, name, scopes, expires_at=expires_at
        )


async def _list(database_url: str | None, project: str) -> list[ApiKey]:
    async with open_database(database_url) as pool:
        found = await ProjectRepository(pool).get(project)
        return await KeyRepository(pool).list(found.project_id)


async def _revoke(database_url: str | None, project: str, key_id: int) -> ApiKey:
    async with open_database(database_url) as pool:
        found = await ProjectRepository(pool).get(project)
        return await KeyRepository(pool).revoke(found.project_id, key_id)
