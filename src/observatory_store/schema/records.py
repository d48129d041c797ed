"""What the database records of its migrations: yoyo's tables, and our checksums in yoyo's log.

A checksum is a row of ``_yoyo_log`` with the operation ``checksum``, at the very time at which the
migration was applied: when plain yoyo rolls it back and applies it again, the row no longer speaks
of it. No table of ours is needed, and yoyo leaves alone what it does not know.
"""

from __future__ import annotations

import hashlib
import socket
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import yoyo

from observatory_store.database import for_yoyo
from observatory_store.schema.connection import Connection, one
from observatory_store.schema.source import Migration
from observatory_store.sql import load

_SQL = load("records")
_YOYOS_TABLES = ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "yoyo_lock")
_VERSION_OF_YOYOS_TABLES = 2
_RAN, _ADOPTED = "ran", "adopted"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One applied migration."""

    applied_at: datetime
    checksum: str | None
    """Of the file that was applied; None if only yoyo knows of it."""
    verified: bool
    """Whether this package applied that very file, and did not find it applied."""


def read_records(connection: Connection) -> dict[str, Record]:
    """Return the applied migrations by their ids. Writes nothing."""
    if not one(connection, _SQL["is_recorded"]):
        return {}
    rows = connection.execute(_SQL["applied_migrations"]).fetchall()
    return {
        id_: Record(
            applied_at=applied_at.replace(tzinfo=UTC), checksum=checksum, verified=how == _RAN
        )
        for id_, applied_at, checksum, how in rows
    }


def prepare(connection: Connection, url: str) -> None:
    """Have yoyo make its tables, if they are not there. The caller holds the advisory lock."""
    if (
        one(connection, "SELECT to_regclass('_yoyo_version') IS NOT NULL")
        and one(connection, "SELECT to_regclass('yoyo_lock') IS NOT NULL")
        and one(connection, "SELECT max(version) FROM _yoyo_version") == _VERSION_OF_YOYOS_TABLES
    ):
        return
    backend = yoyo.get_backend(for_yoyo(url))
    try:
        if not one(connection, "SELECT to_regclass('yoyo_lock') IS NOT NULL"):
            # Why yoyo could not make it, yoyo does not tell; now the server does.
            backend.execute(backend.format_sql(backend.create_lock_table_sql))
        backend.ensure_internal_schema_updated()
    finally:
        backend.connection.close()


def are_missing(connection: Connection) -> bool:
    """Tell whether neither yoyo nor this package has ever migrated this database."""
    return not _present(connection)


def remove_unused(connection: Connection) -> None:
    """Drop yoyo's tables, if nothing is recorded in them and no yoyo waits for them.

    The caller holds the advisory lock, and that of yoyo's table if it is there.
    """
    present = _present(connection)
    if "_yoyo_log" in present and one(connection, "SELECT EXISTS (SELECT FROM _yoyo_log)"):
        return
    if "yoyo_lock" in present and one(connection, _IS_WAITED_FOR):
        return
    for table in present:
        connection.execute(f"DROP TABLE {table}".encode())


def adopt(connection: Connection, migrations: Iterable[Migration]) -> None:
    """Record the checksums of what plain yoyo applied, as far as the package has the files."""
    records = read_records(connection)
    for migration in migrations:
        record = records.get(migration.id)
        if record is not None and record.checksum is None:
            _log(connection, migration, "checksum", _comment(connection, migration, _ADOPTED))


def mark(connection: Connection, migration: Migration, *, ran: bool = True) -> None:
    """Record in the transaction under way that the migration is applied."""
    connection.execute(
        "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
        " VALUES (%s, %s, now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING",
        [_hash(migration), migration.id],
    )
    _log(connection, migration, "apply" if ran else "mark", None)
    record_checksum(connection, migration, ran=ran)


def record_checksum(connection: Connection, migration: Migration, *, ran: bool = True) -> None:
    """Record the checksum of an applied migration."""
    comment = _comment(connection, migration, _RAN if ran else _ADOPTED)
    _log(connection, migration, "checksum", comment)


def unmark(connection: Connection, migration: Migration) -> None:
    """Record in the transaction under way that the migration is rolled back."""
    connection.execute("DELETE FROM _yoyo_migration WHERE migration_hash = %s", [_hash(migration)])
    _log(connection, migration, "rollback", None)


def _present(connection: Connection) -> list[str]:
    return [
        name
        for name in _YOYOS_TABLES
        if one(connection, "SELECT to_regclass(%s) IS NOT NULL", name)
    ]


def _log(connection: Connection, migration: Migration, operation: str, comment: str | None) -> None:
    connection.execute(
        """
        INSERT INTO _yoyo_log (
            id, migration_hash, migration_id, operation, username, hostname,
            created_at_utc, comment)
        VALUES (%s, %s, %s, %s, %s, %s, coalesce(
            (SELECT applied_at_utc FROM _yoyo_migration
             WHERE migration_hash = %s AND %s = 'checksum'), now() AT TIME ZONE 'UTC'), %s)
        """,
        [
            *(str(uuid.uuid4()), _hash(migration), migration.id, operation),
            *(connection.info.user, socket.gethostname(), _hash(migration), operation, comment),
        ],
    )


def _comment(connection: Connection, migration: Migration, how: str) -> str:
    now = one(connection, "SELECT to_char(clock_timestamp(), 'YYYYMMDDHH24MISSUS')")
    return f"{migration.checksum} {how} {now}"


def _hash(migration: Migration) -> str:
    return hashlib.sha256(migration.id.encode()).hexdigest()


_IS_WAITED_FOR = """
    SELECT EXISTS (
        SELECT FROM pg_locks WHERE NOT granted AND relation = 'yoyo_lock'::regclass
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""
