"""Applying and rolling back migrations, with yoyo underneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import yoyo
from yoyo.exceptions import LockTimeout

from observatory_store.database import for_yoyo, redacted
from observatory_store.errors import InvalidInputError, MigrationError, UnavailableError
from observatory_store.schema.source import migrations_folder

_LOCK = 0x6F62735F6D696772  # "obs_migr"


class MigrationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One migration that the package or the database knows."""

    id: str
    applied_at: datetime | None
    """None while it is pending."""
    known: bool = True
    """Whether this version of the package has it."""


class Migrator:
    """The schema of one database. Each call uses connections of its own."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._migrations = yoyo.read_migrations(str(migrations_folder()))

    def status(self) -> list[MigrationStatus]:
        """Return all migrations, those of the package first, in the order of their application.

        Raises:
            UnavailableError: the database cannot be reached.

        """
        with self._backend() as backend:
            applied = _applied(backend)
            ours = [migration.id for migration in self._migrations]
            return [
                *(MigrationStatus(id=id_, applied_at=applied.get(id_)) for id_ in ours),
                *(
                    MigrationStatus(id=id_, applied_at=applied[id_], known=False)
                    for id_ in sorted(applied.keys() - set(ours))
                ),
            ]

    def apply(self, progress: Callable[[str], None] | None = None) -> list[str]:
        """Apply what is pending, each migration in its own transaction; return their ids.

        Of several processes at once one applies, and the others wait and find nothing to do.

        Raises:
            UnavailableError: the database cannot be reached.
            MigrationError: a migration failed; those before it stay applied.

        """
        with self._locked() as backend:
            return [
                self._step(backend.apply_one, migration, progress)
                for migration in backend.to_apply(self._migrations)
            ]

    def rollback(
        self,
        *,
        steps: int = 1,
        to: str | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> list[str]:
        """Roll back the latest migrations; return their ids.

        Args:
            steps: how many, if ``to`` is not given.
            to: the migration that shall be the latest afterwards.
            progress: called with each id before its rollback.

        Raises:
            InvalidInputError: ``to`` is not applied, or ``steps`` is less than 1.
            UnavailableError: the database cannot be reached.
            MigrationError: a rollback failed; those before it stay rolled back.

        """
        with self._locked() as backend:
            applied = list(backend.to_rollback(self._migrations))
            if to is not None:
                ids = [migration.id for migration in applied]
                if to not in ids:
                    raise InvalidInputError(f"migration {to!r} is not applied")
                steps = ids.index(to)
            elif steps < 1:
                raise InvalidInputError(f"steps must be at least 1, not {steps}")
            return [
                self._step(backend.rollback_one, migration, progress)
                for migration in applied[:steps]
            ]

    @staticmethod
    def _step(
        act: Callable[[Any], None],
        migration: Any,  # noqa: ANN401 - yoyo has no types
        progress: Callable[[str], None] | None,
    ) -> str:
        if progress is not None:
            progress(migration.id)
        try:
            act(migration)
        except psycopg.Error as error:
            raise MigrationError(f"migration {migration.id}: {str(error).strip()}") from error
        return str(migration.id)

    @contextmanager
    def _backend(self) -> Iterator[Any]:
        try:
            backend = yoyo.get_backend(for_yoyo(self._url))
        except psycopg.Error as error:
            raise UnavailableError(
                f"cannot connect to {redacted(self._url)}: {str(error).strip()}"
            ) from error
        try:
            yield backend
        finally:
            backend.connection.close()

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        # yoyo's own lock is a row that a killed process leaves; this one ends with its session.
        with self._backend() as holder:
            holder.execute(f"SELECT pg_advisory_lock({_LOCK})")
            with self._backend() as backend:
                try:
                    with backend.lock():
                        yield backend
                except LockTimeout as error:
                    raise MigrationError(
                        "yoyo's lock is held, maybe by a process that was killed: "
                        f"if none is migrating, run `yoyo break-lock` ({error})"
                    ) from error


def _applied(backend: Any) -> dict[str, datetime]:  # noqa: ANN401 - yoyo has no types
    if backend.execute("SELECT to_regclass('_yoyo_migration')").fetchone() == (None,):
        return {}
    rows = backend.execute("SELECT migration_id, applied_at_utc FROM _yoyo_migration").fetchall()
    return {id_: applied_at.replace(tzinfo=UTC) for id_, applied_at in rows}
