"""Bringing a database up to what its server has come to offer: hypertables, then aggregates."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from psycopg import errors

from observatory_store.errors import MigrationError
from observatory_store.schema import promotion_rollups, promotion_tables
from observatory_store.schema.connection import Connection, explained, one
from observatory_store.schema.lock import Progress
from observatory_store.schema.sizes import size_and_estimate
from observatory_store.schema.source import Migration
from observatory_store.schema.status import SchemaStatus
from observatory_store.schema.step import Patience
from observatory_store.sql import load

_SQL = load("promotion")
_EDITIONS = ("postgres", "apache", "community")


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What a promotion does, or did."""

    before: str
    """The edition that the database was built for."""
    after: str
    """The edition that it is, or would be, brought up to; the same if there is nothing to do."""
    copied: list[CopiedRelation]
    """Tables that become hypertables. Their copies need as much room, until the tables are gone."""
    aggregates: list[str]
    """Rollups that TimescaleDB keeps from then on."""


class CopiedRelation(msgspec.Struct, frozen=True, kw_only=True):
    """A table that is copied into a hypertable."""

    relation: str
    bytes: int
    """With indexes."""
    rows: int
    """About how many."""


def plan(
    connection: Connection, migrations: Sequence[Migration], status: SchemaStatus
) -> Promotion:
    """Return what there is to do. Writes nothing.

    Raises:
        MigrationError: the database cannot be promoted, and why.

    """
    before = check(connection, status)
    return _planned(connection, migrations, before, _find_edition(connection, keep=False))


def promote(
    connection: Connection,
    migrations: Sequence[Migration],
    status: SchemaStatus,
    *,
    patience: Patience,
    progress: Progress,
) -> Promotion:
    """Bring the database up to what the server can do. The caller keeps other migrators out.

    Raises:
        UnavailableError: the connection was lost; run again, it goes on where it was.
        MigrationError: a statement failed, or a lock was not to be had; the same.

    """
    before = check(connection, status)
    planned = _planned(connection, migrations, before, _find_edition(connection, keep=True))
    with explained("promote"):
        if planned.copied:
            promotion_tables.to_hypertables(
                connection,
                promotion_tables.read_tables(connection, migrations),
                patience=patience,
                progress=progress,
            )
        if planned.after != "postgres":
            promotion_tables.settle(connection, patience=patience, progress=progress)
        if planned.after == "community" != before:
            promotion_rollups.to_aggregates(
                connection, migrations, patience=patience, progress=progress
            )
    return planned


def check(connection: Connection, status: SchemaStatus) -> str:
    """Return the edition that the database was built for.

    Raises:
        MigrationError: nothing of ours is there, it is at another version, or rights are missing.

    """
    if status.edition is None:
        raise MigrationError(
            "the database has no schema of ours: run `observatory-store schema apply`, which "
            "builds it for what the server can do"
        )
    if not status.is_current:
        raise MigrationError(
            "the database is not at this version: run `observatory-store schema apply` first, "
            "then promote it"
        )
    if status.edition == "postgres" and (lacking := one(connection, _SQL["lacking_right"])):
        raise MigrationError(
            f"role {connection.info.user!r} may not create the extension, nor a schema for the "
            f"copies: have the owner of the database run {lacking}"
        )
    return status.edition


def _find_edition(connection: Connection, *, keep: bool) -> str:
    """Return what the server can do, by creating the extension, which tells; undone unless kept."""
    installed, available, preloaded = connection.execute(_SQL["server"]).fetchall()[0]
    if installed is None and available is None:
        raise MigrationError(
            "nothing to promote: this server has no TimescaleDB. Install it, or move the database "
            "to a server that has it by deploy_scripts/backup and restore"
        )
    if installed is None and not preloaded:
        raise MigrationError(
            f"nothing to promote: TimescaleDB {available} is installed, but not loaded. Add "
            "timescaledb to shared_preload_libraries and restart the server"
        )
    try:
        with connection.transaction(force_rollback=not keep):
            connection.execute(_SQL["create_extension"])
            edition = str(one(connection, _SQL["detect_edition"]))
            if edition == "postgres":
                (version, *_), *_ = connection.execute(_SQL["server"]).fetchall()
                raise MigrationError(
                    f"nothing to promote: TimescaleDB {version} is too old, 2.19 is the oldest. "
                    "Install a newer one, then ALTER EXTENSION timescaledb UPDATE"
                )
    except errors.InsufficientPrivilege as error:
        raise MigrationError(
            f"role {connection.info.user!r} may not create the extension: have a superuser run "
            "CREATE EXTENSION timescaledb in this database, then try again"
        ) from error
    return edition


def _planned(
    connection: Connection, migrations: Sequence[Migration], before: str, found: str
) -> Promotion:
    after = max(before, found, key=_EDITIONS.index)
    copied, aggregates = [], []
    if before == "postgres" != after:
        for table in promotion_tables.read_tables(connection, migrations):
            relation = f"observatory.{table.name}"
            size, rows = size_and_estimate(connection, relation)
            copied.append(CopiedRelation(relation=relation, bytes=size, rows=rows))
    if after == "community" != before:
        aggregates = [name for (name,) in connection.execute(_SQL["stored_rollups"]).fetchall()]
    return Promotion(before=before, after=after, copied=copied, aggregates=aggregates)
