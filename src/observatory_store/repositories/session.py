"""What all repositories share: a pool, a project, and queries whose failures are translated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString

import asyncpg
import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import InvalidInputError, QueryTooExpensiveError
from observatory_store.rows import Resource
from observatory_store.rows.attributes import decode_map
from observatory_store.sql import load

_BY_AN_ADMINISTRATOR = "user request"

_SQL = load("reading")


class Session:
    """One project, read through one pool."""

    def __init__(self, pool: Pool, project_id: int) -> None:
        self._pool = pool
        self.project_id = project_id

    async def fetch(self, query: LiteralString, *arguments: Any) -> list[Any]:  # noqa: ANN401
        """Return the records of a query.

        Raises:
            InvalidInputError: a value is none of its column's type, as in a cursor made by hand.
            QueryTooExpensiveError: it took longer than a statement may.
            UnavailableError: the database cannot answer now.

        """
        with translate_failures():
            try:
                records: list[Any] = await self._pool.fetch(query, *arguments)
            except asyncpg.DataError as error:
                raise InvalidInputError(f"a value of the query cannot be used: {error}") from error
            except asyncpg.QueryCanceledError as error:
                # The same code for two things, which only the message tells apart.
                if _BY_AN_ADMINISTRATOR in str(error):
                    raise
                raise QueryTooExpensiveError(
                    "the query takes longer than it may: narrow the range or the filter"
                ) from error
        return records

    async def fetch_time(self, query: LiteralString, *arguments: Any) -> datetime | None:  # noqa: ANN401
        """Return the time that a query gives, if any. Raises as :meth:`fetch`."""
        records = await self.fetch(query, *arguments)
        time: datetime | None = records[0][0] if records else None
        return time

    async def resources(self, ids: Iterable[int]) -> dict[int, Resource]:
        """Return the resources of the project with these ids."""
        records = await self.fetch(_SQL["resources_by_id"], self.project_id, sorted(set(ids)))
        return {record["resource_id"]: _resource(record) for record in records}


def _resource(record: Any) -> Resource:  # noqa: ANN401 - asyncpg's Record
    return Resource(
        attributes=decode_map(record["attributes"]),
        dropped_attributes_count=record["dropped_attributes_count"],
        schema_url=record["schema_url"],
        entity_refs=msgspec.json.decode(record["entity_refs"]),
        scope_name=record["scope_name"],
        scope_version=record["scope_version"],
        scope_attributes=decode_map(record["scope_attributes"]),
        scope_dropped_attributes_count=record["scope_dropped_attributes_count"],
        scope_schema_url=record["scope_schema_url"],
    )
