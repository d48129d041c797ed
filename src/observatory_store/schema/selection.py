"""Which migrations a verb is about, from where the schema stands."""

from __future__ import annotations

from collections.abc import Sequence

from observatory_store.errors import InvalidInputError, MigrationError
from observatory_store.schema import preflight
from observatory_store.schema.connection import Connection
from observatory_store.schema.records import read_records
from observatory_store.schema.source import Migration
from observatory_store.schema.status import State, read_status


def named(migrations: list[Migration], id_: str) -> Migration:
    """Return the migration of this id, or of this number.

    Raises:
        InvalidInputError: there is no such migration.

    """
    for migration in migrations:
        if id_ in {migration.id, migration.id.partition("_")[0]}:
            return migration
    raise InvalidInputError(
        f"there is no migration {id_!r}: `observatory-store schema status` names them"
    )


def up_to(migrations: list[Migration], id_: str | None) -> list[Migration]:
    """Return the migrations up to one of them, or all.

    Raises:
        InvalidInputError: there is no such migration.

    """
    if id_ is None:
        return migrations
    return migrations[: migrations.index(named(migrations, id_)) + 1]


def to_apply(
    connection: Connection, migrations: list[Migration], wanted: list[Migration]
) -> list[Migration]:
    """Return those of the wanted that are pending.

    Raises:
        MigrationError: something is in the way of them.

    """
    status = read_status(connection, migrations)
    preflight.check_versions(status)
    ids = status.of(State.PENDING)
    pending = [migration for migration in wanted if migration.id in ids]
    preflight.check_tables(connection, pending)
    preflight.check_names(connection)
    return pending


def to_record(connection: Connection, wanted: list[Migration]) -> list[Migration]:
    """Return those of the wanted that are not recorded, though what they make is there.

    Raises:
        MigrationError: a table that one of them creates is missing, or is another one.

    """
    known = read_records(connection)
    missing = [migration for migration in wanted if migration.id not in known]
    preflight.check_tables(connection, missing, must_exist=True)
    return missing


def to_reapply(connection: Connection, migrations: list[Migration], id_: str) -> Migration:
    """Return an applied migration.

    Raises:
        InvalidInputError: it is not applied, or there is no such migration.

    """
    migration = named(migrations, id_)
    if migration.id not in read_records(connection):
        raise InvalidInputError(f"migration {migration.id} is not applied")
    return migration


def to_roll_back(
    connection: Connection,
    migrations: list[Migration],
    *,
    steps: int | None = None,
    to: str | None = None,
    ids: Sequence[str] | None = None,
) -> list[Migration]:
    """Return those to undo, the newest first: ``ids``, all after ``to``, or the last ``steps``.

    Raises:
        InvalidInputError: ``to`` is not applied, or fewer than ``steps`` are.
        MigrationError: one of them cannot be undone, ``ids`` are not the latest, or another
            version has to undo them.

    """
    status = read_status(connection, migrations)
    if unknown := status.of(State.UNKNOWN):
        raise MigrationError(
            f"this version of observatory-store has no file to undo {', '.join(unknown)}: roll "
            "back with the version that applied it"
        )
    pending = status.of(State.PENDING)
    applied = [one for one in reversed(migrations) if one.id not in pending]
    wanted = _latest(migrations, applied, steps=steps, to=to, ids=ids)
    for migration in wanted:
        if not migration.reversible:
            raise MigrationError(
                f"{migration.id} cannot be undone: restore a backup, or mend it by a new "
                "migration. Nothing was changed"
            )
    return wanted


def _latest(
    migrations: list[Migration],
    applied: list[Migration],
    *,
    steps: int | None,
    to: str | None,
    ids: Sequence[str] | None,
) -> list[Migration]:
    if ids is not None:
        wanted = [named(migrations, id_) for id_ in ids]
        if wanted != (latest := applied[: len(wanted)]):
            raise MigrationError(
                f"to undo {', '.join(one.id for one in wanted)}, these must be the latest, the "
                f"newest first; those are {', '.join(one.id for one in latest) or 'none'} now. "
                "Nothing was changed"
            )
        return wanted
    if to is not None:
        last = named(migrations, to)
        if last not in applied:
            raise InvalidInputError(f"migration {last.id} is not applied")
        return applied[: applied.index(last)]
    if steps is None:
        return applied[:1]
    if steps < 1:
        raise InvalidInputError(f"steps must be at least 1, not {steps}")
    if steps > len(applied):
        raise InvalidInputError(f"cannot undo {steps} migrations: applied are {len(applied)}")
    return applied[:steps]
