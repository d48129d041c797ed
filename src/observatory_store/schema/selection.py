"""Which migrations a verb is about, from where the schema stands."""

from __future__ import annotations

from observatory_store.errors import InvalidInputError, MigrationError
from observatory_store.schema.source import Migration
from observatory_store.schema.status import SchemaStatus, State


def up_to(migrations: list[Migration], id_: str | None) -> list[Migration]:
    """Return the migrations up to one of them, or all.

    Raises:
        InvalidInputError: there is no such migration.

    """
    if id_ is None:
        return migrations
    ids = [migration.id for migration in migrations]
    if id_ not in ids:
        raise InvalidInputError(f"there is no migration {id_!r}")
    return migrations[: ids.index(id_) + 1]


def to_roll_back(
    migrations: list[Migration], status: SchemaStatus, *, steps: int, to: str | None
) -> list[Migration]:
    """Return those to undo, the newest first: the last ``steps``, or all after ``to``.

    Raises:
        InvalidInputError: ``to`` is not applied, or ``steps`` is less than 1.
        MigrationError: one of them cannot be undone, or another version has to.

    """
    if unknown := status.of(State.UNKNOWN):
        raise MigrationError(
            f"this version of observatory-store has no file to undo {', '.join(unknown)}: roll "
            "back with the version that applied it"
        )
    pending = status.of(State.PENDING)
    applied = [one for one in reversed(migrations) if one.id not in pending]
    if to is not None:
        ids = [migration.id for migration in applied]
        if to not in ids:
            raise InvalidInputError(f"migration {to!r} is not applied")
        steps = ids.index(to)
    elif steps < 1:
        raise InvalidInputError(f"steps must be at least 1, not {steps}")
    for migration in applied[:steps]:
        if not migration.reversible:
            raise MigrationError(
                f"{migration.id} cannot be undone: restore a backup, or mend it by a new "
                "migration. Nothing was changed"
            )
    return applied[:steps]
