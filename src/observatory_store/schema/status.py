"""Where the schema of a database stands. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version

import msgspec

from observatory_store.schema.connection import Connection, one
from observatory_store.schema.records import Record, read_records
from observatory_store.schema.source import Migration
from observatory_store.sql import load

_SQL = load("catalogue")


class State(StrEnum):
    """What is known of a migration."""

    APPLIED = "applied"
    UNVERIFIED = "unverified"
    """Applied, by plain yoyo or by hand: from which text, nobody recorded."""
    PENDING = "pending"
    DRIFTED = "drifted"
    """Its file was edited after it was applied."""
    UNKNOWN = "unknown"
    """Applied by another version of the package."""


class MigrationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One migration that the package or the database knows."""

    id: str
    state: State
    applied_at: datetime | None = None
    """None while it is pending."""


class SchemaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of a database, against what this package would make of it."""

    migrations: list[MigrationStatus]
    """Those of the package in the order of their application, then unknown ones."""
    package: str
    """Version of this package."""
    package_schema: str | None
    """The latest migration of the package."""
    database_schema: str | None
    """The latest migration applied to the database."""
    edition: str | None
    """What the database was built for: `community`, `apache`, `postgres`. None without a schema."""
    postgresql: str
    timescaledb: str | None
    """Version of the extension in this database."""
    read_only: bool
    """Whether the server is a standby, which takes no writes."""
    promoting: bool
    """Whether a promotion has begun and not ended: it goes on, or was stopped."""

    @property
    def is_current(self) -> bool:
        """Whether nothing is pending, edited or unknown."""
        return all(one.state in _CURRENT for one in self.migrations)

    def of(self, *states: State) -> list[str]:
        """Return the ids of the migrations in these states."""
        return [one.id for one in self.migrations if one.state in states]


_LISTED = 3
_CURRENT = (State.APPLIED, State.UNVERIFIED)


def listed(ids: Sequence[str]) -> str:
    """Return ids for a line: of many only the first and the last."""
    if len(ids) <= _LISTED:
        return ", ".join(ids)
    return f"{ids[0]} to {ids[-1]}, {len(ids)} in all"


def read_status(connection: Connection, migrations: Sequence[Migration]) -> SchemaStatus:
    """Compare the package's migrations with what the database records."""
    records = read_records(connection)
    known = {migration.id for migration in migrations}
    postgresql, timescaledb, read_only, is_installed = connection.execute(
        """
        SELECT current_setting('server_version'),
            (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
            pg_is_in_recovery(),
            to_regclass('observatory.installation') IS NOT NULL
        """
    ).fetchall()[0]
    edition = (
        one(connection, "SELECT edition FROM observatory.installation") if is_installed else None
    )
    return SchemaStatus(
        migrations=[
            *(_compared(migration, records.get(migration.id)) for migration in migrations),
            *(
                MigrationStatus(id=id_, state=State.UNKNOWN, applied_at=records[id_].applied_at)
                for id_ in sorted(records.keys() - known)
            ),
        ],
        package=version("observatory-store"),
        package_schema=migrations[-1].id if migrations else None,
        database_schema=max(records, default=None),
        edition=edition,
        postgresql=postgresql.split(" ")[0],
        timescaledb=timescaledb,
        read_only=read_only,
        promoting=one(connection, _SQL["is_promoting"], edition == "community"),
    )


def _compared(migration: Migration, record: Record | None) -> MigrationStatus:
    if record is None:
        return MigrationStatus(id=migration.id, state=State.PENDING)
    if record.checksum not in {None, migration.checksum}:
        state = State.DRIFTED
    else:
        state = State.APPLIED if record.verified else State.UNVERIFIED
    return MigrationStatus(id=migration.id, state=state, applied_at=record.applied_at)
