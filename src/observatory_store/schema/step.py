"""Running the statements of one migration, without ever standing in the way of live traffic."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
from psycopg import errors

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, explained, one, said
from observatory_store.schema.index_build import drop_unfinished, for_its_table, is_concurrent
from observatory_store.schema.lock import Progress
from observatory_store.schema.source import Migration

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 15.0
_UNDONE = "It is undone: run it again when they are done"
_UNFINISHED = (
    "An index that it had begun is left unfinished: run it again when they are done, and it is "
    "built anew"
)
_PASSING = (errors.LockNotAvailable, errors.DeadlockDetected)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One migration that was applied or rolled back."""

    id: str
    seconds: float
    retries: int
    """How often it stepped back because somebody held a lock that it needs."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for whom."""

    lock_timeout_seconds: float = 0.5
    """Longest that a statement waits for a lock, and others behind it: they wait for what it does
    then, too, and shall not for longer than a second in all."""
    lock_wait_seconds: float = 300.0
    """Longest to wait for the locks of one migration in all, without the time of its work."""
    turn_wait_seconds: float = 600.0
    """Longest to wait for another migrator."""


def run(
    connection: Connection,
    migration: Migration,
    statements: tuple[str, ...],
    record: Callable[[], None],
    *,
    patience: Patience,
    progress: Progress,
) -> Step:
    """Run the statements and record them, in one transaction unless the migration forbids it.

    Raises:
        UnavailableError: the connection was lost; the transaction is undone.
        MigrationError: a statement failed, or a lock was not to be had; so is the transaction. An
            index build outside of one is left unfinished, and the next run begins it anew.

    """
    begun = time.monotonic()
    attempt = (
        _in_one_transaction
        if migration.transactional
        else partial(_one_by_one, lock_wait_seconds=patience.lock_wait_seconds)
    )
    retries = patiently(
        connection,
        f"migration {migration.id}",
        partial(attempt, connection, statements, record),
        patience=patience,
        progress=progress,
        given_up=_UNDONE if migration.transactional else _UNFINISHED,
    )
    return Step(id=migration.id, seconds=round(time.monotonic() - begun, 3), retries=retries)


def patiently(
    connection: Connection,
    what: str,
    attempt: Callable[[], None],
    *,
    patience: Patience,
    progress: Progress,
    given_up: str = _UNDONE,
) -> int:
    """Attempt it again and again while a lock that it needs is not to be had; return the retries.

    What an attempt does before it waits for that lock does not count against the patience.

    Raises:
        UnavailableError: the connection was lost; the transaction is undone.
        MigrationError: a statement failed, or a lock was not to be had; so is the transaction.

    """
    retries, pause, waited = 0, _FIRST_PAUSE_SECONDS, 0.0
    while True:
        begun = time.monotonic()
        try:
            _wait_for_locks(connection, patience.lock_timeout_seconds)
            with explained(what):
                attempt()
        except MigrationError as error:
            if not isinstance(error.__cause__, _PASSING):
                raise
            # It was the last statement that waited, and no longer than it was let.
            waited += min(time.monotonic() - begun, _longest_wait_seconds(connection))
            if waited + pause > patience.lock_wait_seconds:
                raise MigrationError(
                    f"{what}: no lock within {waited:.0f} s ({said(error.__cause__)}); "
                    f"{_users(connection)}. {given_up}"
                ) from error.__cause__
            retries += 1
            progress(
                f"{what} steps back for {pause:g} s: {said(error.__cause__)}; {_users(connection)}"
            )
            time.sleep(pause)
            waited += pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            return retries


def _in_one_transaction(
    connection: Connection, statements: tuple[str, ...], record: Callable[[], None]
) -> None:
    with connection.transaction():
        for statement in statements:
            connection.execute(statement.encode())
        record()


def _one_by_one(
    connection: Connection,
    statements: tuple[str, ...],
    record: Callable[[], None],
    *,
    lock_wait_seconds: float,
) -> None:
    for statement in statements:
        drop_unfinished(connection, statement)
        chosen = for_its_table(connection, statement)
        if is_concurrent(chosen):
            # It waits for transactions to end, and nobody behind it: patience costs only time.
            _wait_for_locks(connection, lock_wait_seconds)
        connection.execute(chosen.encode())
    with connection.transaction():
        record()


def _wait_for_locks(connection: Connection, seconds: float) -> None:
    connection.execute(f"SET lock_timeout = '{max(1, round(seconds * 1000))}ms'".encode())


def _longest_wait_seconds(connection: Connection) -> float:
    query = "SELECT setting::float8 / 1000 FROM pg_settings WHERE name = 'lock_timeout'"
    return float(one(connection, query))


def _users(connection: Connection) -> str:
    """Tell who has held locks on the schema for longest."""
    users = one(
        connection,
        """
        SELECT string_agg(who, ', ' ORDER BY xact_start)
        FROM (
            SELECT format('process %s (%s, in a transaction for %s s)', pid,
                    coalesce(nullif(application_name, ''), usename, backend_type),
                    extract(epoch FROM clock_timestamp() - xact_start)::integer) AS who, xact_start
            FROM pg_stat_activity AS a
            WHERE pid <> pg_backend_pid() AND EXISTS (
                SELECT FROM pg_locks AS l
                JOIN pg_class AS c ON c.oid = l.relation
                JOIN pg_namespace AS n ON n.oid = c.relnamespace
                WHERE l.pid = a.pid AND l.granted
                    AND l.database = a.datid AND a.datname = current_database()
                    AND nspname IN (
                        'observatory', 'observatory_private', '_timescaledb_internal'))
            ORDER BY xact_start
            LIMIT 3
        ) AS users
        """,
    )
    return f"in use by {users}" if users else "those who held it are gone"
