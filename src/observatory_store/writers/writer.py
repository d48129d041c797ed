"""What all writers share: the transaction of a batch, its staging tables, the known resources."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from observatory_store.database import Connection, Pool
from observatory_store.rows import Resource
from observatory_store.rows.attributes import encode
from observatory_store.sql import load
from observatory_store.writers.limits import Limits

SQL = load("writing")

_LIMITS_TTL_SECONDS = 30.0
_KNOWN_MAX = 100_000

_Row = TypeVar("_Row")


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    stored: int = 0
    """Rows that are new."""
    duplicates: int = 0
    """Rows that were stored before, so that nothing changed."""
    rejected: int = 0
    """Rows that are not stored, each for a reason in ``problems``."""
    problems: tuple[str, ...] = ()


class Known:
    """The catalogue rows that this process has seen committed, forgetting the oldest."""

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[str, int, int], None] = OrderedDict()

    def __contains__(self, key: tuple[str, int, int]) -> bool:
        return key in self._keys

    def update(self, keys: Iterable[tuple[str, int, int]]) -> None:
        """Add the keys, once their transaction is committed."""
        self._keys.update(dict.fromkeys(keys))
        while len(self._keys) > _KNOWN_MAX:
            self._keys.popitem(last=False)


class Writer:
    """The writing side of a pool, shared by all signals."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._limits: Limits | None = None
        self._limits_until = 0.0
        self._known = Known()

    async def limits(self, connection: Connection) -> Limits:
        """Return the time limits, read at most every 30 seconds."""
        if self._limits is None or time.monotonic() >= self._limits_until:
            self._limits = await Limits.read(connection)
            self._limits_until = time.monotonic() + _LIMITS_TTL_SECONDS
        return self._limits

    @asynccontextmanager
    async def batch(self, *stages: str) -> AsyncIterator[Batch]:
        """Open the transaction of one batch; it commits when the block ends."""
        async with self._pool.acquire() as connection:
            for stage in stages:
                if stage not in connection.stages:
                    await connection.execute(SQL[stage])
                    connection.stages.add(stage)
            limits = await self.limits(connection)
            batch = Batch(connection, limits, self._known)
            async with connection.transaction():
                yield batch
            batch.committed()


class Batch:
    """One transaction."""

    def __init__(self, connection: Connection, limits: Limits, known: Known) -> None:
        self.connection = connection
        self.limits = limits
        self.now = datetime.now(UTC)
        self._known = known
        self._new: set[tuple[str, int, int]] = set()

    async def copy(
        self, table: str, columns: Sequence[str], records: Iterable[Sequence[Any]]
    ) -> None:
        """COPY the records into a staging table."""
        await self.connection.copy_records_to_table(
            table, schema_name="pg_temp", columns=columns, records=records
        )

    async def add_resources(self, project_id: int, resources: Iterable[Resource]) -> None:
        """Store the resources that are not known to be stored."""
        await self.add_catalogue(
            "insert_resource",
            project_id,
            {resource.resource_id: resource for resource in resources},
            _resource_record,
        )

    async def add_catalogue(
        self,
        statement: str,
        project_id: int,
        rows: Mapping[int, _Row],
        record: Callable[[_Row], tuple[Any, ...]],
    ) -> None:
        """Store catalogue rows by their content hash, those not known to be stored.

        They are sent in the order of their keys, so that two sessions cannot deadlock.
        """
        new = sorted(key for key in rows if (statement, project_id, key) not in self._known)
        if new:
            await self.connection.executemany(
                SQL[statement], [(project_id, key, *record(rows[key])) for key in new]
            )
            self._new.update((statement, project_id, key) for key in new)

    def committed(self) -> None:
        """Remember what is stored now."""
        self._known.update(self._new)


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
