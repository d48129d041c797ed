"""``projects``: the tenants."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.units import time
from observatory_store.repositories import ProjectRepository
from observatory_store.repositories.projects import Project
from observatory_store.settings import PayloadPolicy

verbs = typer.Typer(help="Create, list and set up projects.", no_args_is_help=True)


@verbs.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, dots, dashes.")],
    *,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Create a project."""
    project = asyncio.run(_create(database_url, name))
    if as_json:
        print_json(project)
    else:
        console().print(f"created project {project.name}")


@verbs.command("list")
def list_(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """List the projects."""
    projects = asyncio.run(_list(database_url))
    if as_json:
        print_json(projects)
    else:
        rows = [
            (
                project.name,
                project.project_id,
                time(project.created_at),
                project.payloads or "as the service",
            )
            for project in projects
        ]
        print_table(("project", "id", "created", "payloads"), rows, "There are no projects.")


class ProjectPayloads(StrEnum):
    """What ``projects payloads`` sets."""

    KEEP = "keep"
    TRUNCATE = "truncate"
    DROP = "drop"
    SERVICE = "service"


@verbs.command("payloads")
def payloads(
    name: Annotated[str, typer.Argument(help="The project.")],
    policy: Annotated[
        ProjectPayloads,
        typer.Argument(help="How much is stored from now on; service: as the service is set."),
    ],
    *,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Set how much of prompts and completions a project stores, whatever the service's setting."""
    found = None if policy is ProjectPayloads.SERVICE else PayloadPolicy(policy.value)
    project = asyncio.run(_set_payloads(database_url, name, found))
    if as_json:
        print_json(project)
    else:
        console().print(f"project {project.name}: payloads {policy.value}")


async def _create(database_url: str | None, name: str) -> Project:
    async with open_database(database_url) as pool:
        return await ProjectRepository(pool).create(name)


async def _set_payloads(
    database_url: str | None, name: str, policy: PayloadPolicy | None
) -> Project:
    async with open_database(database_url) as pool:
        return await ProjectRepository(pool).set_payloads(name, policy)


async def _list(database_url: str | None) -> list[Project]:
    async with open_database(database_url) as pool:
        return await ProjectRepository(pool).list()
