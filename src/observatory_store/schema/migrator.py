"""Bringing the schema of one database up and down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from observatory_store.database import with_database
from observatory_store.schema import (
    losses,
    preflight,
    promotion,
    records,
    rehearsal,
    selection,
    step,
)
from observatory_store.schema.connection import Connection, connect
from observatory_store.schema.inspector import Inspector
from observatory_store.schema.lock import Holder, Progress, keep_yoyo_out, release, take_lock
from observatory_store.schema.promotion import Promotion
from observatory_store.schema.rehearsal import RehearsedStep
from observatory_store.schema.source import Migration
from observatory_store.schema.status import SchemaStatus, read_status
from observatory_store.schema.step import Patience, Step

_Found = TypeVar("_Found")


def _silent(_line: str) -> None:
    pass


class _Turn(NamedTuple):
    connection: Connection
    """Holds the lock, and does the work."""
    check: Callable[[], None]
    """Raises MigrationError if plain yoyo is kept out no more."""


class Migrator(Inspector):
    """The schema of one database, to bring up and down. Each call uses connections of its own.

    Args:
        database_url: a libpq URL of the primary.
        folder: where the migrations are; those of this package if it is not given.
        patience: how long to wait for locks, and for other migrators.

    Every method raises UnavailableError if the database cannot be reached or takes no writes, and
    MigrationError if the server, or what is in the database, forbids what it was to do; the
    message has the next step. What is refused leaves the database as it was.

    """

    def __init__(
        self, database_url: str, *, folder: Path | None = None, patience: Patience | None = None
    ) -> None:
        super().__init__(database_url, folder=folder)
        self._patience = patience or Patience()

    def apply(self, *, to: str | None = None, progress: Progress = _silent) -> list[Step]:
        """Apply what is pending, each migration in its own transaction; return the steps.

        Of several processes at once one applies, and the others wait and find nothing to do.

        Args:
            to: the last migration to apply; all if it is not given.
            progress: called with lines for people: each migration, its time, what is waited for.

        Raises:
            InvalidInputError: there is no migration ``to``.
            UnavailableError: the database cannot be reached; what was done stays done.
            MigrationError: a migration failed and is undone; those before it stay applied.

        """
        wanted = selection.up_to(self._migrations, to)
        if self._has_nothing_to_do(wanted):
            return []
        find = partial(selection.to_apply, migrations=self._migrations, wanted=wanted)
        with self._turn("apply", find, progress) as (turn, pending):
            records.adopt(turn.connection, self._migrations)
            done = []
            for number, migration in enumerate(pending, 1):
                progress(f"{number}/{len(pending)} {migration.id}")
                done.append(
                    self._run(turn, migration, migration.statements, records.mark, progress)
                )
                progress(f"{'':{len(f'{number}/{len(pending)}')}} {done[-1].seconds:.2f} s")
            return done

    def rehearse(self, *, to: str | None = None, in_place: bool = False) -> list[RehearsedStep]:
        """Run what ``apply`` would run, and leave no trace of it.

        Args:
            to: the last migration to run; all if it is not given.
            in_place: in a transaction on the database itself that is rolled back; otherwise in a
                scratch database beside it, of the same edition, which gets the applied migrations
                first, and where those that are pending are also undone and applied again.

        Raises:
            InvalidInputError: there is no migration ``to``.
            MigrationError: one of them fails, or the role may not create a database.

        """
        wanted = selection.up_to(self._migrations, to)
        # Without the lock, whose tables would be a trace.
        with connect(self._url, "rehearse") as connection:
            preflight.check_rights(connection)
            pending = selection.to_apply(connection, self._migrations, wanted)
            if not pending:
                return []
            if in_place:
                return rehearsal.rehearse_in_place(
                    connection, pending, lock_timeout_seconds=self._patience.lock_timeout_seconds
                )
            name = rehearsal.create_scratch(connection)
            try:
                return self._rehearse_in(name, pending, read_status(connection, self._migrations))
            finally:
                rehearsal.drop_scratch(connection, name)

    def _rehearse_in(
        self, database: str, pending: list[Migration], real: SchemaStatus
    ) -> list[RehearsedStep]:
        scratch = Migrator(
            with_database(self._url, database), folder=self._folder, patience=self._patience
        )
        if first := self._migrations.index(pending[0]):
            rehearsal.match_extension(scratch._url, real)
            scratch.apply(to=self._migrations[0].id)
            rehearsal.match_edition(scratch._url, real)
            scratch.apply(to=self._migrations[first - 1].id)
        steps = scratch.apply(to=pending[-1].id)
        if all(migration.reversible for migration in pending):
            scratch.rollback(steps=len(pending))
            scratch.apply(to=pending[-1].id)
        edition = scratch.status().edition
        return [
            RehearsedStep(id=one.id, seconds=one.seconds, locks={}, edition=edition)
            for one in steps
        ]

    def rollback(
        self,
        *,
        steps: int | None = None,
        to: str | None = None,
        ids: Sequence[str] | None = None,
        export_to: Path | None = None,
        progress: Progress = _silent,
    ) -> list[Step]:
        """Roll back the latest migrations, the newest first; return the steps.

        Args:
            steps: how many; the latest one, if there is one, if nothing else is given.
            to: the migration that shall be the latest afterwards.
            ids: those to undo, the newest first, as ``plan_rollback`` gave them. If others have
                become the latest since, nothing is undone.
            export_to: a folder to write what would be lost to, before anything is undone.
            progress: called with lines for people.

        Raises:
            InvalidInputError: ``to`` is not applied, fewer than ``steps`` are, or the folder cannot
                be written to.
            UnavailableError: the database cannot be reached; what was done stays done.
            MigrationError: one of them cannot be undone, or ``ids`` are not the latest, and then
                none is; or a statement failed, and those before it stay rolled back.

        """
        find = partial(
            selection.to_roll_back, migrations=self._migrations, steps=steps, to=to, ids=ids
        )
        with self._turn("rollback", find, progress) as (turn, wanted):
            records.adopt(turn.connection, self._migrations)
            if export_to is not None:
                lost = losses.find_losses(turn.connection, wanted)
                losses.export(turn.connection, lost, export_to, progress)
            done = []
            for migration in wanted:
                progress(migration.id)
                done.append(
                    self._run(turn, migration, migration.rollback, records.unmark, progress)
                )
            return done

    def promote(self, *, progress: Progress = _silent) -> Promotion:
        """Bring the database up to what its server has come to offer; return what was done.

        Others may write and read meanwhile. A run that was stopped goes on where it was.

        Raises:
            UnavailableError: the database cannot be reached; what was done stays done.
            MigrationError: as ``plan_promotion``; or a statement failed, or a lock was not to be
                had, and then the database is as usable as before.

        """
        with self._turn("promote", self._promotable, progress) as (turn, status):
            return promotion.promote(
                turn.connection,
                self._migrations,
                status,
                patience=self._patience,
                progress=progress,
            )

    def reapply(self, id_: str, *, progress: Progress = _silent) -> Step:
        """Run an applied migration again, as its file is now, and record its checksum.

        Raises:
            InvalidInputError: it is not applied.
            MigrationError: a statement failed; it is undone.

        """
        find = partial(selection.to_reapply, migrations=self._migrations, id_=id_)
        with self._turn("reapply", find, progress) as (turn, migration):
            return self._run(
                turn, migration, migration.statements, records.record_checksum, progress
            )

    def baseline(self, *, to: str | None = None, progress: Progress = _silent) -> list[str]:
        """Record migrations as applied that were run by hand, without running them; return them.

        Raises:
            InvalidInputError: there is no migration ``to``.
            MigrationError: a table that one of them creates is missing, or is another one; nothing
                is recorded.

        """
        find = partial(selection.to_record, wanted=selection.up_to(self._migrations, to))
        with self._turn("baseline", find, progress) as (turn, missing):
            with turn.connection.transaction():
                turn.check()
                for migration in missing:
                    records.mark(turn.connection, migration, ran=False)
            return [migration.id for migration in missing]

    def unlock(self, holders: list[Holder]) -> None:
        """End these holders' sessions, and so their work, or remove yoyo's row.

        The transaction under way is undone. An index build is left unfinished: ``apply`` begins it
        again.

        Raises:
            MigrationError: a session does not end.

        """
        with connect(self._url, "unlock") as connection:
            release(connection, holders)

    def _run(
        self,
        turn: _Turn,
        migration: Migration,
        statements: tuple[str, ...],
        record: Callable[[Connection, Migration], None],
        progress: Progress,
    ) -> Step:
        def record_in_turn() -> None:
            turn.check()
            record(turn.connection, migration)

        return step.run(
            turn.connection,
            migration,
            statements,
            record_in_turn,
            patience=self._patience,
            progress=progress,
        )

    def _has_nothing_to_do(self, wanted: list[Migration]) -> bool:
        """Tell whether all is applied and recorded: then no lock and no right is needed."""
        with connect(self._url, "apply", reads_only=True) as connection:
            preflight.check_versions(read_status(connection, self._migrations))
            found = records.read_records(connection)
        return all(one.id in found and found[one.id].checksum for one in wanted)

    def _promotable(self, connection: Connection) -> SchemaStatus:
        status = read_status(connection, self._migrations)
        promotion.check(connection, status)
        return status

    @contextmanager
    def _turn(
        self, verb: str, find: Callable[[Connection], _Found], progress: Progress
    ) -> Iterator[tuple[_Turn, _Found]]:
        """Keep all others out; yield the turn and what there is to do.

        That is found twice: before anything is made, so that a refusal leaves no trace, and when
        not even plain yoyo can change it.
        """
        wait_seconds = self._patience.turn_wait_seconds
        with connect(self._url, verb) as connection:
            preflight.check_rights(connection)
            take_lock(connection, wait_seconds=wait_seconds, progress=progress)
            find(connection)
            with keep_yoyo_out(connection, self._url, verb) as check:
                yield _Turn(connection, check), find(connection)
