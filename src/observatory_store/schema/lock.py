"""One migrator at a time: ours by an advisory lock, plain yoyo by a lock on its own table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial

import msgspec
import psycopg
from yoyo.exceptions import LockTimeout

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, connect, one, said
from observatory_store.schema.records import are_missing, prepare, remove_unused

_KEY = 0x6F62735F6D696772  # "obs_migr"
_POLL_SECONDS = 0.2
_YOYO_SECONDS = 10.0
_TIDY_SECONDS = 5

Progress = Callable[[str], None]


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who migrates, or did until it was killed."""

    pid: int
    """Of the session in the server; of yoyo, of its process on its own machine."""
    who: str
    since: datetime | None
    is_session: bool
    """Whether it is a session of the server, and not only the row that yoyo left."""

    def __str__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M:%SZ}" if self.since else ""
        return f"{self.who} (process {self.pid}{since})"


def take_lock(connection: Connection, *, wait_seconds: float, progress: Progress) -> None:
    """Keep other migrators of ours out until this session ends, however it does.

    Taken by the very session that then migrates: who ends the lock ends the work with it. Makes
    nothing in the database.

    Raises:
        MigrationError: another one held the lock all the time.

    """
    # Asked again and again, not waited for: a waiting statement has a snapshot, for which a
    # concurrent index build of the one who migrates would wait in turn.
    until = time.monotonic() + wait_seconds
    told = False
    while not one(connection, "SELECT pg_try_advisory_lock(%s)", _KEY):
        holders = ", ".join(map(str, read_holders(connection)))
        if time.monotonic() >= until:
            raise MigrationError(
                f"another migrator holds the lock: {holders}. Nothing was changed: try again, or "
                "end it by `observatory-store schema unlock`"
            )
        if holders and not told:
            progress(f"waiting for {holders}")
            told = True
        time.sleep(_POLL_SECONDS)


@contextmanager
def keep_yoyo_out(connection: Connection, url: str, verb: str) -> Iterator[Callable[[], None]]:
    """Keep plain yoyo out as well, by a session of its own; ``connection`` holds the lock.

    Makes yoyo's tables where there are none, and removes them if nothing came of that. Yields
    what to call before anything is recorded: it raises MigrationError if yoyo is kept out no more.

    Raises:
        UnavailableError: the database cannot be reached.
        MigrationError: another yoyo is at work, or a killed one left its row.

    """
    is_new = are_missing(connection)
    with connect(url, verb) as guard:
        try:
            try:
                prepare(connection, url)
            except LockTimeout as error:
                raise _held_by_yoyo(connection) from error
            _lock_yoyos_table(guard)
            yield partial(_check, guard)
        finally:
            # With a connection that was lost there is nothing to be done: the next run uses them.
            with suppress(psycopg.Error):
                if is_new and not connection.closed:
                    guard.execute(f"SET lock_timeout = '{_TIDY_SECONDS}s'".encode())
                    remove_unused(guard)
                guard.execute("COMMIT")


def read_holders(connection: Connection) -> list[Holder]:
    """Return who holds the lock of this database: our migrators, and yoyo by its row."""
    rows = connection.execute(_SESSIONS, {"key": _KEY}).fetchall()
    holders = [
        Holder(
            pid=pid,
            who=(name or "a session") + (f" from {address}" if address else ""),
            since=since.astimezone(UTC) if since else None,
            is_session=True,
        )
        for pid, name, address, since in rows
    ]
    if one(connection, "SELECT to_regclass('yoyo_lock') IS NOT NULL"):
        rows = connection.execute("SELECT pid, ctime FROM yoyo_lock").fetchall()
        holders += [
            Holder(pid=pid, who="yoyo", since=since and since.replace(tzinfo=UTC), is_session=False)
            for pid, since in rows
        ]
    return holders


def release(connection: Connection, holders: list[Holder]) -> None:
    """End the sessions of these holders, as far as they hold it still, and remove yoyo's row.

    Raises:
        MigrationError: one of them does not end.

    """
    for holder in holders:
        if not holder.is_session:
            connection.execute("DELETE FROM yoyo_lock WHERE pid = %s", [holder.pid])
        elif holder in read_holders(connection):
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [holder.pid])
    if left := [holder for holder in read_holders(connection) if holder in holders]:
        raise MigrationError(f"{', '.join(map(str, left))} has not ended within 5 s: try again")


def _lock_yoyos_table(connection: Connection) -> None:
    # A row of ours would stay when this process is killed. This lock of the table keeps yoyo from
    # adding its row, and the transaction, having no id and no snapshot, is in nobody's way.
    until = time.monotonic() + _YOYO_SECONDS
    while True:
        # At another level what is read here would be a snapshot that stays.
        connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        connection.execute("LOCK TABLE yoyo_lock IN SHARE MODE")
        if not one(connection, "SELECT EXISTS (SELECT FROM yoyo_lock)"):
            return
        connection.execute("ROLLBACK")
        if time.monotonic() >= until:
            raise _held_by_yoyo(connection)
        time.sleep(_POLL_SECONDS)


def _check(guard: Connection) -> None:
    try:
        guard.execute("SELECT")
    except psycopg.Error as error:
        raise MigrationError(
            f"the session that kept plain yoyo out has ended ({said(error)}), so nothing is "
            "recorded of this migration: run it again"
        ) from error


def _held_by_yoyo(connection: Connection) -> MigrationError:
    holders = ", ".join(str(one) for one in read_holders(connection) if not one.is_session)
    return MigrationError(
        f"the lock is held by {holders}, maybe by a process that was killed. Nothing was "
        "changed: if none is migrating, run `observatory-store schema unlock`"
    )


_SESSIONS = """
    WITH ours AS (
        SELECT pid, locktype FROM pg_locks
        WHERE granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (locktype = 'advisory' AND objsubid = 1
                    AND (classid::bigint << 32) | objid::bigint = %(key)s
                OR locktype = 'relation' AND mode = 'ShareLock'
                    AND relation = to_regclass('yoyo_lock'))
    )
    SELECT ours.pid, a.application_name, host(a.client_addr), a.backend_start
    FROM ours
    LEFT JOIN pg_stat_activity AS a ON a.pid = ours.pid
    -- Who keeps yoyo out is one of its own only if its migrator was ended, and it was not.
    WHERE ours.locktype = 'advisory' OR NOT EXISTS (SELECT FROM ours WHERE locktype = 'advisory')
"""
