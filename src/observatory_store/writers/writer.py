"""What all writers share: a connection for a batch, its staging tables, the resources."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence, Sized
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import msgspec

from observatory_store.database import Connection, Pool
from observatory_store.rows import Resource
from observatory_store.rows.attributes import encode
from observatory_store.sql import load
from observatory_store.writers.limits import Limits

SQL = load("writing")

_LIMITS_TTL_SECONDS = 30.0

_Row = TypeVar("_Row")
_Result = TypeVar("_Result")


class Writer:
    """The writing side of a pool, shared by all signals."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._limits: Limits | None = None
        self._limits_until = 0.0

    async def limits(self, connection: Connection) -> Limits:
        """Return the time limits, read at most every 30 seconds."""
        if self._limits is None or time.monotonic() >= self._limits_until:
            self._limits = await Limits.read(connection)
            self._limits_until = time.monotonic() + _LIMITS_TTL_SECONDS
        return self._limits

    async def commit(
        self,
        insert: Callable[[Batch], Awaitable[_Result]],
        *,
        stages: Sequence[str] = (),
        merge_stages: Sequence[str] = (),
    ) -> _Result:
        """Run ``insert`` on a connection of its own; where it meets what is stored, once more.

        The first time it copies its rows straight into their tables, which is how nearly all of
        them come: new. Where one is stored already, it is run again and has to merge.
        """
        try:
            async with self.batch(*stages) as batch:
                return await insert(batch)
        except asyncpg.UniqueViolationError:
            async with self.batch(*stages, *merge_stages) as batch:
                batch.must_merge = True
                return await insert(batch)

    @asynccontextmanager
    async def batch(self, *stages: str) -> AsyncIterator[Batch]:
        """Take a connection for one batch."""
        async with self._pool.acquire() as connection:
            for stage in stages:
                if not connection.remembers(stage):
                    await connection.execute(SQL[stage])
                    connection.remember([stage])
            limits = await self.limits(connection)
            yield Batch(connection, limits)


class Batch:
    """What is written together: first catalogue rows, then the rest in one transaction."""

    def __init__(self, connection: Connection, limits: Limits) -> None:
        self.connection = connection
        self.limits = limits
        self.now = datetime.now(UTC)
        self.must_merge = False
        """Whether some of the rows are stored already."""

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Open the transaction of the batch; it commits when the block ends."""
        transaction: AbstractAsyncContextManager[None] = self.connection.transaction()
        return transaction

    async def copy(
        self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
    ) -> None:
        """COPY the records into a table, given with its schema."""
        if isinstance(records, Sized) and not len(records):
            return
        schema, _, name = table.partition(".")
        await self.connection.copy_records_to_table(
            name, schema_name=schema, columns=columns, records=records
        )

    async def add_resources(self, resources: Iterable[tuple[int, Resource]]) -> None:
        """Store the resources, each with its project, that are not known to be stored."""
        await self.add_catalogue(
            "insert_resource",
            {(project_id, resource.resource_id): resource for project_id, resource in resources},
            _resource_record,
        )

    async def add_catalogue(
        self,
        statement: str,
        rows: Mapping[tuple[int, int], _Row],
        record: Callable[[_Row], tuple[Any, ...]],
    ) -> None:
        """Store catalogue rows by project and content hash, those not known to be stored.

        They are committed at once: within the batch's transaction, another writer that brings the
        same ones would have to wait until it ends. Rows that nothing comes to refer to do no harm.
        They are sent in the order of their keys, so that two sessions cannot deadlock.
        """
        remembers = self.connection.remembers
        new = sorted(key for key in rows if not remembers((statement, *key)))
        if new:
            await self.connection.executemany(
                SQL[statement], [(*key, *record(rows[key])) for key in new]
            )
            self.connection.remember((statement, *key) for key in new)


def _resource_record(resource: Resource) -> tuple[Any, ...]:
    return (
        resource.service_name,
        resource.environment,
        encode(resource.attributes),
        resource.dropped_attributes_count,
        resource.schema_url,
        msgspec.json.encode(resource.entity_refs),
        resource.scope_name,
        resource.scope_version,
        encode(resource.scope_attributes),
        resource.scope_dropped_attributes_count,
        resource.scope_schema_url,
    )
