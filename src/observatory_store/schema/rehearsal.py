"""Running what is pending without leaving a trace."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

import msgspec
from psycopg import sql

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, connect, explained, one
from observatory_store.schema.source import Migration
from observatory_store.schema.status import SchemaStatus

_STATEMENT_TIMEOUT = "10s"
_IS_INSTALLABLE = """
    SELECT EXISTS (
        SELECT FROM pg_available_extension_versions WHERE name = 'timescaledb' AND version = %s)
"""


class RehearsedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One migration that was run and undone."""

    id: str
    seconds: float | None
    """None if it could not be included, with all that come after it."""
    locks: dict[str, str]
    """The strongest lock of each relation of ours that was there before, if it stops anybody."""
    edition: str | None = None
    """The edition of the scratch database; None in place."""


def rehearse_in_place(
    connection: Connection, pending: Sequence[Migration], *, lock_timeout_seconds: float
) -> list[RehearsedStep]:
    """Run the migrations in one transaction on the database itself, and roll it back.

    What they lock stays locked until the end, so no statement may take longer than ten seconds.

    Raises:
        MigrationError: a statement failed, took too long, or a lock was not to be had.

    """
    steps = []
    included = True
    timeout = f"{max(1, round(lock_timeout_seconds * 1000))}ms"
    connection.execute("BEGIN")
    try:
        connection.execute(f"SET LOCAL lock_timeout = '{timeout}'".encode())
        connection.execute(f"SET LOCAL statement_timeout = '{_STATEMENT_TIMEOUT}'".encode())
        # What is there now; what the migrations make is nobody else's.
        present = _relations(connection)
        seen: dict[str, str] = {}
        for migration in pending:
            included &= migration.transactional
            seconds = _run(connection, migration) if included else None
            locks = _locks(connection, present)
            steps.append(
                RehearsedStep(
                    id=migration.id,
                    seconds=seconds,
                    locks={name: lock for name, lock in locks.items() if seen.get(name) != lock},
                )
            )
            seen = locks
    finally:
        connection.execute("ROLLBACK")
    return steps


def create_scratch(connection: Connection) -> str:
    """Create an empty database on the same server, and return its name.

    Raises:
        MigrationError: the role may not create databases.

    """
    name = f"observatory_rehearsal_{secrets.token_hex(4)}"
    try:
        with explained("the rehearsal needs a scratch database"):
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
            )
    except MigrationError as error:
        raise MigrationError(
            f"{error}: ALTER ROLE {connection.info.user} CREATEDB, or rehearse --in-place"
        ) from error
    return name


def match_extension(scratch_url: str, real: SchemaStatus) -> None:
    """Create the extension in the real database's version, if the server still installs that.

    Raises:
        MigrationError: the role may not create it.

    """
    with connect(scratch_url, "rehearse") as connection:
        if one(connection, _IS_INSTALLABLE, real.timescaledb):
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS timescaledb VERSION {}").format(
                    sql.Literal(real.timescaledb)
                )
            )


def match_edition(scratch_url: str, real: SchemaStatus) -> None:
    """Have what follows the first migration build what it would in the real database.

    The first migration goes by the server, which may have come to offer more since it ran there.
    """
    with connect(scratch_url, "rehearse") as connection:
        if real.edition is not None:
            connection.execute("UPDATE observatory.installation SET edition = %s", [real.edition])
        if real.timescaledb is None:
            connection.execute("DROP EXTENSION IF EXISTS timescaledb")


def drop_scratch(connection: Connection, name: str) -> None:
    """Drop the scratch database, whoever is connected to it."""
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


def _run(connection: Connection, migration: Migration) -> float:
    begun = time.monotonic()
    with explained(f"migration {migration.id}, rehearsed and undone"):
        for statement in migration.statements:
            connection.execute(statement.encode())
    return round(time.monotonic() - begun, 3)


def _relations(connection: Connection) -> list[int]:
    rows = connection.execute(
        "SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace"
        " WHERE nspname IN ('observatory', 'observatory_private') AND relkind IN ('r', 'v', 'm')"
    ).fetchall()
    return [row[0] for row in rows]


def _locks(connection: Connection, present: list[int]) -> dict[str, str]:
    strengths = {
        "ShareLock": (1, "SHARE"),
        "ShareRowExclusiveLock": (2, "SHARE ROW EXCLUSIVE"),
        "ExclusiveLock": (3, "EXCLUSIVE"),
        "AccessExclusiveLock": (4, "ACCESS EXCLUSIVE"),
    }
    rows = connection.execute(
        "SELECT relation::regclass::text, mode FROM pg_locks"
        " WHERE pid = pg_backend_pid() AND granted AND relation = ANY (%s::oid[])",
        [present],
    ).fetchall()
    held: dict[str, tuple[int, str]] = {}
    for name, mode in rows:
        if mode in strengths:
            held[name] = max(strengths[mode], held.get(name, (0, "")))
    return {name: lock for name, (_, lock) in sorted(held.items())}
