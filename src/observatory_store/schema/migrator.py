"""The schema of one database: where it stands, and bringing it up and down."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from observatory_store.database import with_database
from observatory_store.errors import InvalidInputError
from observatory_store.schema import losses, preflight, promotion, records, rehearsal, step
from observatory_store.schema.connection import Connection, connect
from observatory_store.schema.lock import Holder, Progress, hold_lock, read_holders, release
from observatory_store.schema.plan import PlannedStatement, make_plan
from observatory_store.schema.promotion import Promotion
from observatory_store.schema.rehearsal import RehearsedStep
from observatory_store.schema.selection import to_roll_back, up_to
from observatory_store.schema.source import Migration, read_migrations
from observatory_store.schema.status import SchemaStatus, State, read_status
from observatory_store.schema.step import Patience, Step
from observatory_store.schema.verify import Divergence, find_divergences


def _silent(_line: str) -> None:
    pass


class Migrator:
    """The schema of one database. Each call uses connections of its own.

    Args:
        database_url: a libpq URL of the primary.
        folder: where the migrations are; those of this package if it is not given.
        patience: how long to wait for locks, and for other migrators.

    Every method raises UnavailableError if the database cannot be reached or takes no writes, and
    MigrationError if the server, or what is in the database, forbids what it was to do; the
    message has the next step.

    """

    def __init__(
        self, database_url: str, *, folder: Path | None = None, patience: Patience | None = None
    ) -> None:
        self._url = database_url
        self._folder = folder
        self._patience = patience or Patience()
        self._migrations = read_migrations(folder)

    def status(self) -> SchemaStatus:
        """Return where the schema stands. Writes nothing, so a standby may be asked."""
        with connect(self._url, "status", reads_only=True) as connection:
            return read_status(connection, self._migrations)

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
        wanted = up_to(self._migrations, to)
        if self._has_nothing_to_do(wanted):
            return []
        with self._locked("apply", progress) as connection:
            records.adopt(connection, self._migrations)
            pending = self._pending(connection, wanted)
            preflight.check_tables(connection, pending)
            preflight.check_names(connection)
            done = []
            for number, migration in enumerate(pending, 1):
                progress(f"{number}/{len(pending)} {migration.id}")
                done.append(self._run(connection, migration, records.mark, progress))
                progress(f"{'':{len(f'{number}/{len(pending)}')}} {done[-1].seconds:.2f} s")
            return done

    def plan(self) -> list[PlannedStatement]:
        """Return what ``apply`` would run, whom it would keep waiting and why. Writes nothing.

        Raises:
            InvalidInputError: the extra ``plan`` is not installed.
            MigrationError: ``apply`` would refuse to begin.

        """
        with connect(self._url, "plan", reads_only=True) as connection:
            return make_plan(connection, self._pending(connection, self._migrations))

    def verify(self) -> list[Divergence]:
        """Compare the database with what this package makes of one; nothing if they agree.

        Raises:
            MigrationError: the database is at another version, so there is nothing to compare.

        """
        with connect(self._url, "verify", reads_only=True) as connection:
            return find_divergences(connection, self._migrations)

    def rehearse(self, *, to: str | None = None, in_place: bool = False) -> list[RehearsedStep]:
        """Run what ``apply`` would run, and leave no trace of it.

        Args:
            to: the last migration to run; all if it is not given.
            in_place: in a transaction on the database itself that is rolled back; otherwise in a
                scratch database beside it, which gets the applied migrations first, and where
                those that are pending are also undone and applied again.

        Raises:
            InvalidInputError: there is no migration ``to``.
            MigrationError: one of them fails, or the role may not create a database.

        """
        wanted = up_to(self._migrations, to)
        # Without the lock, whose tables would be a trace.
        with connect(self._url, "rehearse") as connection:
            preflight.check_rights(connection, read_status(connection, self._migrations))
            pending = self._pending(connection, wanted)
            if not pending:
                return []
            preflight.check_tables(connection, pending)
            preflight.check_names(connection)
            if in_place:
                return rehearsal.rehearse_in_place(
                    connection, pending, lock_timeout_seconds=self._patience.lock_timeout_seconds
                )
            name = rehearsal.create_scratch(connection)
            try:
                return self._rehearse_in(name, pending)
            finally:
                rehearsal.drop_scratch(connection, name)

    def _rehearse_in(self, database: str, pending: list[Migration]) -> list[RehearsedStep]:
        scratch = Migrator(
            with_database(self._url, database), folder=self._folder, patience=self._patience
        )
        if first := self._migrations.index(pending[0]):
            scratch.apply(to=self._migrations[first - 1].id)
        steps = scratch.apply(to=pending[-1].id)
        if all(migration.reversible for migration in pending):
            scratch.rollback(steps=len(pending))
            scratch.apply(to=pending[-1].id)
        return [RehearsedStep(id=one.id, seconds=one.seconds, locks={}) for one in steps]

    def rollback(
        self,
        *,
        steps: int = 1,
        to: str | None = None,
        export_to: Path | None = None,
        progress: Progress = _silent,
    ) -> list[Step]:
        """Roll back the latest migrations, the newest first; return the steps.

        Args:
            steps: how many, if ``to`` is not given.
            to: the migration that shall be the latest afterwards.
            export_to: a folder to write what would be lost to, before anything is undone.
            progress: called with lines for people.

        Raises:
            InvalidInputError: ``to`` is not applied, ``steps`` is less than 1, or the folder
                cannot be written to.
            UnavailableError: the database cannot be reached; what was done stays done.
            MigrationError: one of them cannot be undone, and then none is; or a statement failed,
                and those before it stay rolled back.

        """
        with self._locked("rollback", progress) as connection:
            records.adopt(connection, self._migrations)
            wanted = self._to_roll_back(connection, steps, to)
            if export_to is not None:
                losses.export(
                    connection, losses.find_losses(connection, wanted), export_to, progress
                )
            return [self._roll_back_one(connection, migration, progress) for migration in wanted]

    def losses(self, *, steps: int = 1, to: str | None = None) -> list[losses.Loss]:
        """Return the data that such a rollback would drop. Writes nothing, and raises as it."""
        with connect(self._url, "rollback", reads_only=True) as connection:
            return losses.find_losses(connection, self._to_roll_back(connection, steps, to))

    def plan_promotion(self) -> Promotion:
        """Return what ``promote`` would do, and how large that is. Writes nothing.

        Raises:
            MigrationError: there is nothing to promote to, something is in the way, or migrations
                are pending.

        """
        with connect(self._url, "promote") as connection:
            status = read_status(connection, self._migrations)
            preflight.check_rights(connection, status)
            return promotion.plan(connection, self._migrations, status)

    def promote(self, *, progress: Progress = _silent) -> Promotion:
        """Bring the database up to what its server has come to offer; return what was done.

        Others may write and read meanwhile. A run that was stopped goes on where it was.

        Raises:
            UnavailableError: the database cannot be reached; what was done stays done.
            MigrationError: as ``plan_promotion``; or a statement failed, or a lock was not to be
                had, and then the database is as usable as before.

        """
        with self._locked("promote", progress) as connection:
            return promotion.promote(
                connection,
                self._migrations,
                read_status(connection, self._migrations),
                patience=self._patience,
                progress=progress,
            )

    def reapply(self, id_: str, *, progress: Progress = _silent) -> Step:
        """Run an applied migration again, as its file is now, and record its checksum.

        Raises:
            InvalidInputError: it is not applied.
            MigrationError: a statement failed; it is undone.

        """
        with self._locked("reapply", progress) as connection:
            if id_ not in records.read_records(connection):
                raise InvalidInputError(f"migration {id_!r} is not applied")
            migration = up_to(self._migrations, id_)[-1]
            return self._run(connection, migration, records.record_checksum, progress)

    def baseline(self, *, to: str | None = None, progress: Progress = _silent) -> list[str]:
        """Record migrations as applied that were run by hand, without running them; return them.

        Raises:
            InvalidInputError: there is no migration ``to``.
            MigrationError: a table that one of them creates is missing, or is another one; nothing
                is recorded.

        """
        wanted = up_to(self._migrations, to)
        with self._locked("baseline", progress) as connection:
            known = records.read_records(connection)
            missing = [migration for migration in wanted if migration.id not in known]
            preflight.check_tables(connection, missing, must_exist=True)
            with connection.transaction():
                for migration in missing:
                    records.mark(connection, migration, ran=False)
            return [migration.id for migration in missing]

    def holders(self) -> list[Holder]:
        """Return who migrates this database now, or left yoyo's lock behind."""
        with connect(self._url, "unlock", reads_only=True) as connection:
            return read_holders(connection)

    def unlock(self, holders: list[Holder]) -> None:
        """End these holders' sessions, which undoes their migration, or remove yoyo's row."""
        with connect(self._url, "unlock") as connection:
            release(connection, holders)

    def _run(
        self,
        connection: Connection,
        migration: Migration,
        record: Callable[[Connection, Migration], None],
        progress: Progress,
    ) -> Step:
        return step.run(
            connection,
            migration,
            migration.statements,
            partial(record, connection, migration),
            patience=self._patience,
            progress=progress,
        )

    def _roll_back_one(
        self, connection: Connection, migration: Migration, progress: Progress
    ) -> Step:
        progress(migration.id)
        return step.run(
            connection,
            migration,
            migration.rollback,
            partial(records.unmark, connection, migration),
            patience=self._patience,
            progress=progress,
        )

    def _has_nothing_to_do(self, wanted: list[Migration]) -> bool:
        """Tell whether all is applied and recorded: then no lock and no right is needed."""
        with connect(self._url, "apply", reads_only=True) as connection:
            preflight.check_versions(read_status(connection, self._migrations))
            found = records.read_records(connection)
        return all(one.id in found and found[one.id].checksum for one in wanted)

    def _pending(self, connection: Connection, wanted: list[Migration]) -> list[Migration]:
        status = read_status(connection, self._migrations)
        preflight.check_versions(status)
        pending = status.of(State.PENDING)
        return [migration for migration in wanted if migration.id in pending]

    def _to_roll_back(self, connection: Connection, steps: int, to: str | None) -> list[Migration]:
        status = read_status(connection, self._migrations)
        return to_roll_back(self._migrations, status, steps=steps, to=to)

    @contextmanager
    def _locked(self, verb: str, progress: Progress) -> Iterator[Connection]:
        with connect(self._url, verb) as connection:
            preflight.check_rights(connection, read_status(connection, self._migrations))
            with hold_lock(
                self._url, verb, wait_seconds=self._patience.turn_wait_seconds, progress=progress
            ):
                yield connection
