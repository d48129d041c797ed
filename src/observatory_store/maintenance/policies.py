"""How long each relation is kept, and how it is laid out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.errors import InvalidInputError, NotFoundError, PermissionDeniedError
from observatory_store.maintenance.expiry import Expiry, expiring
from observatory_store.maintenance.policy_rules import PolicyKey, effect, known_key
from observatory_store.maintenance.statistics import JobState, read_jobs
from observatory_store.sql import load

_SQL = load("maintenance")
_CONFLICTS = "policy_conflicts"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How one relation is kept. None of an age means never."""

    relation: str
    retention: timedelta | None
    columnstore_after: timedelta | None
    chunk_interval: timedelta | None
    whole_from: datetime | None
    """Nothing from this time on was dropped, nor will be for an hour; None: nothing ever is."""
    bytes: int | None
    """Size with indexes, TOAST and chunks; None of a view, which has none."""
    applied_by: Literal["TimescaleDB", "maintain"]
    """Who drops what is past the retention."""
    jobs: tuple[JobState, ...]
    """Background jobs on the relation (community edition)."""


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One age of a relation, before and after. None means never."""

    relation: str
    key: PolicyKey
    before: timedelta | None
    after: timedelta | None
    effect: str
    """When it takes effect in this database, and on what."""


class Policies:
    """The policies of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list(self, relation: str | None = None) -> list[Policy]:
        """Return the policies of all relations, tables first, or of one.

        Raises:
            NotFoundError: there is no such relation.
            PermissionDeniedError: the role may not read them.

        """
        with _explained("read the policies"):
            async with self._pool.acquire() as connection:
                edition = await connection.fetchval(_SQL["edition"])
                rows = await connection.fetch(_SQL["policies"])
                if relation is not None:
                    rows = [_row(relation, rows)]
                jobs = await read_jobs(connection) if edition == "community" else []
        return [
            Policy(
                **{name: value for name, value in row.items() if name != "is_rollup"},
                applied_by="TimescaleDB" if edition == "community" else "maintain",
                jobs=tuple(job for job in jobs if job.relation == row["relation"]),
            )
            for row in rows
        ]

    async def set(
        self, relation: str, key: str, value: timedelta | None, *, dry_run: bool = False
    ) -> PolicyChange:
        """Change one age; TimescaleDB's jobs change with it or not at all (community edition).

        Args:
            relation: the table or rollup.
            key: ``retention``, ``columnstore_after`` or ``chunk_interval``.
            value: the age, or None for never.
            dry_run: find out whether it would be allowed, and change nothing.

        Raises:
            InvalidInputError: the key or the value is not allowed, or does not go together with the
                other policies; the message says what would.
            NotFoundError: there is no such relation.
            PermissionDeniedError: the role may not change them.

        """
        found = known_key(key)
        with _explained(f"set {found} of {relation}", relation, found):
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    change = await _set(connection, relation, found, value)
                except BaseException:
                    await transaction.rollback()
                    raise
                await (transaction.rollback() if dry_run else transaction.commit())
                return change

    async def expiring(self, relation: str, retention: timedelta) -> Expiry | None:
        """Return about how much a retention would drop; None if nothing.

        Raises:
            NotFoundError: there is no such relation.
            PermissionDeniedError: the role may not read it.

        """
        with _explained(f"read {relation}"):
            async with self._pool.acquire() as connection:
                rows = await connection.fetch(_SQL["policy_ages"])
                is_rollup: bool = _row(relation, rows)["is_rollup"]
                edition = await connection.fetchval(_SQL["edition"])
                return await expiring(
                    connection,
                    relation,
                    retention,
                    has_chunks=edition == "community" or (edition == "apache" and not is_rollup),
                    is_rollup=is_rollup,
                )


async def _set(
    connection: Connection, relation: str, key: PolicyKey, value: timedelta | None
) -> PolicyChange:
    await connection.execute(_SQL["lock_policies"])
    rows = await connection.fetch(_SQL["policy_ages"])
    row = _row(relation, rows)
    edition: str = await connection.fetchval(_SQL["edition"])
    before: timedelta | None = row[key]
    if value != before:
        await connection.execute(_SQL[f"set_{key}"], relation, value)
    if key == "chunk_interval":
        # Even if it is what the policy says: the hypertable may have been given another.
        if row["is_rollup"] and edition == "community":
            await connection.execute(_SQL["set_chunks_of_rollup"], relation, value)
        elif not row["is_rollup"] and edition != "postgres":
            await connection.execute(_SQL["set_chunks_of_table"], relation, value)
    return PolicyChange(
        relation=relation,
        key=key,
        before=before,
        after=value,
        effect=effect(relation, key, value, edition, is_rollup=row["is_rollup"]),
    )


def _row(relation: str, rows: Sequence[asyncpg.Record]) -> asyncpg.Record:
    for row in rows:
        if row["relation"] == relation:
            return row
    names = ", ".join(row["relation"] for row in rows)
    raise NotFoundError(f"no relation {relation!r} has policies; these have: {names}")


@contextmanager
def _explained(
    action: str, relation: str | None = None, key: PolicyKey | None = None
) -> Iterator[None]:
    try:
        with translate_failures():
            try:
                yield
            except asyncpg.InsufficientPrivilegeError as error:
                raise PermissionDeniedError(
                    f"this role may not {action} ({error}): connect as the one that applied the "
                    "migrations"
                ) from error
    except asyncpg.CheckViolationError as error:
        if error.constraint_name == _CONFLICTS:
            # Perhaps of others, which were in conflict before.
            raise InvalidInputError(str(error)) from error
        raise InvalidInputError(f"{key} of {relation} must be at least 1 day, or never") from error
    except (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError) as error:
        raise InvalidInputError(f"{key} of {relation}: {error}") from error
