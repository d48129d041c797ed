"""``projects``: the tenants."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.units import time
from observatory_store.repositories import ProjectRepository
from observatory_store.repositories.projects import Project

verbs = typer.Typer(help="Create and list projects.", no_args_is_help=True)


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
            (project.name, project.project_id, time(project.created_at)) for project in projects
        ]
        print_table(("project", "id", "created"), rows, "There are no projects.")


async def _create(database_url: str | None, name: str) -> Project:
    async with open_database(database_url) as pool:
        return await ProjectRepository(pool).create(name)


async def _list(database_url: str | None) -> list[Project]:
    async with open_database(database_url) as pool:
        return await ProjectRepository(pool).list()
