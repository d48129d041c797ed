"""What a database says of its own state, for whoever measures."""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString, TypeVar

import asyncpg
import msgspec

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.sql import load

_SQL = load("maintenance")

_Row = TypeVar("_Row")


class RollupLag(msgspec.Struct, frozen=True, kw_only=True):
    """What the rollups' ledger holds."""

    buckets: int
    """Quarter-hours of projects that wait for a refresh."""
    notes: int
    """Rows of the ledger."""
    seconds: float
    """Since when the oldest waits; 0 if none does."""
    bytes: int
    """Size of the ledger on disk."""


class RelationSize(msgspec.Struct, frozen=True, kw_only=True):
    """A table or a rollup of ours."""

    relation: str
    bytes: int
    """With indexes, TOAST, and all chunks."""
    chunks: int | None
    """None for a table that has none."""
    columnstore_chunks: int | None


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """A background job of TimescaleDB on a relation of ours."""

    job_id: int
    job: str
    """columnstore, retention or refresh."""
    relation: str
    scheduled: bool
    has_run: bool
    failed: bool
    """Whether its last run failed."""
    failures: int
    """How many of its runs ever failed."""
    succeeded_at: datetime | None
    """When it last succeeded."""
    overdue: bool
    """Whether it should have begun over an hour ago."""
    error: str | None
    """Its last error, though it may have succeeded since."""


class DatabaseStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one database. None stands for what could not be told within a second."""

    rollups: RollupLag | None
    sizes: list[RelationSize] | None
    jobs: list[JobState] | None
    """Empty on the editions whose jobs are ours."""


async def read_statistics(pool: Pool) -> DatabaseStatistics:
    """Ask the database for its state, without holding up anybody.

    Raises:
        UnavailableError: it cannot be reached.

    """
    with translate_failures():
        async with pool.acquire() as connection:
            lag = await _rows(connection, _SQL["rollup_lag"], RollupLag)
            sizes = await _rows(connection, _SQL["relation_sizes"], RelationSize)
            edition = await _rows(connection, _SQL["editions"], _Editions)
            jobs: list[JobState] | None = None if edition is None else []
            if edition and edition[0].built == "community":
                jobs = await _rows(connection, _SQL["jobs"], JobState)
    return DatabaseStatistics(rollups=lag[0] if lag else None, sizes=sizes, jobs=jobs)


async def read_jobs(connection: Connection) -> list[JobState]:
    """Return the background jobs on relations of ours (community edition)."""
    return [JobState(**row) for row in await connection.fetch(_SQL["jobs"])]


async def read_lag(connection: Connection) -> RollupLag:
    """Return what the rollups' ledger holds."""
    return RollupLag(**await connection.fetchrow(_SQL["rollup_lag"]))


class _Editions(msgspec.Struct, frozen=True):
    built: str
    detected: str


async def _rows(
    connection: Connection, query: LiteralString, row_type: type[_Row]
) -> list[_Row] | None:
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(_SQL["limit_measuring"])
            rows: list[Any] = await connection.fetch(query)
    except (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
        if isinstance(error, asyncpg.QueryCanceledError):
            return None
        raise
    except asyncpg.PostgresError:
        # A relation is locked, or not there yet, or not this role's to see.
        return None
    return [row_type(**row) for row in rows]
