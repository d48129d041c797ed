"""Projects, the tenants."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import ConflictError, InvalidInputError, NotFoundError
from observatory_store.settings import PayloadPolicy
from observatory_store.sql import load

_SQL = load("catalog")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``projects``."""

    project_id: int
    name: str
    created_at: datetime
    payloads: PayloadPolicy | None = None
    """How much of what was said is stored; None: as the service, or the store, is set."""


class ProjectRepository:
    """All projects of the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(self, name: str) -> Project:
        """Create a project.

        Raises:
            InvalidInputError: the name is not 1 to 63 of a-z, 0-9, dot, dash and underscore.
            ConflictError: there is one of that name.

        """
        if not _NAME.fullmatch(name):
            raise InvalidInputError(
                "a project's name is 1 to 63 lower-case letters, digits, dots, dashes and "
                "underscores, and begins with a letter or digit"
            )
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["insert_project"], name)
        if record is None:
            raise ConflictError(f"there is a project {name!r} already")
        return _project(record)

    async def get(self, name: str) -> Project:
        """Return the project of that name.

        Raises:
            NotFoundError: there is none.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["project_by_name"], name)
        if record is None:
            raise NotFoundError(f"there is no project {name!r}")
        return _project(record)

    async def by_id(self, project_id: int) -> Project:
        """Return the project with that id.

        Raises:
            NotFoundError: there is none.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["project_by_id"], project_id)
        if record is None:
            raise NotFoundError(f"there is no project with the id {project_id}")
        return _project(record)

    async def set_payloads(self, name: str, policy: PayloadPolicy | None) -> Project:
        """Set how much of what was said is stored; None leaves that to the service.

        What is stored already stays as it is.

        Raises:
            NotFoundError: there is no such project.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["set_project_payloads"], name, policy)
        if record is None:
            raise NotFoundError(f"there is no project {name!r}")
        return _project(record)

    async def list(self) -> list[Project]:
        """Return all projects, by name."""
        with translate_failures():
            records = await self._pool.fetch(_SQL["list_projects"])
        return [_project(record) for record in records]


def _project(record: Any) -> Project:  # noqa: ANN401 - asyncpg's Record
    payloads = record["payloads"]
    return Project(**dict(record) | {"payloads": payloads and PayloadPolicy(payloads)})
