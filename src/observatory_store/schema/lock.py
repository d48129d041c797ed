"""One migrator at a time: ours by an advisory lock, plain yoyo by a lock on its own table."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec
import psycopg
from yoyo.exceptions import LockTimeout

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, connect, one
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


@contextmanager
def hold_lock(
    url: str, verb: str, *, wait_seconds: float, progress: Progress
) -> Iterator[Connection]:
    """Keep other migrators of ours out. It ends with this session, however this process ends.

    Makes nothing in the database. Yields the session that holds the lock.

    Raises:
        UnavailableError: the database cannot be reached.
        MigrationError: another one held the lock all the time.

    """
    with connect(url, verb) as connection:
        _take_turn(connection, wait_seconds, progress)
        yield connection


@contextmanager
def keep_yoyo_out(connection: Connection, url: str) -> Iterator[None]:
    """Keep plain yoyo out as well, in the session that holds the lock.

    Makes yoyo's tables where there are none, and removes them if nothing came of that.

    Raises:
        MigrationError: another yoyo is at work, or a killed one left its row.

    """
    is_new = are_missing(connection)
    try:
        try:
            prepare(connection, url)
        except LockTimeout as error:
            raise _held_by_yoyo(connection) from error
        _lock_yoyos_table(connection)
        yield
    finally:
        if is_new:
            # On a connection that was lost there is nothing to be done: the next run uses them.
            with suppress(psycopg.Error):
                connection.execute(f"SET lock_timeout = '{_TIDY_SECONDS}s'".encode())
                remove_unused(connection)
                connection.execute("COMMIT")


def read_holders(connection: Connection) -> list[Holder]:
    """Return who holds the lock of this database: our migrators, and yoyo by its row."""
    rows = connection.execute(
        """
        SELECT l.pid, a.application_name, host(a.client_addr), a.backend_start
        FROM pg_locks AS l
        LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (l.classid::bigint << 32) | l.objid::bigint = %s
        """,
        [_KEY],
    ).fetchall()
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
    """End the sessions of these holders, whose work is undone, and remove yoyo's row."""
    for holder in holders:
        if holder.is_session:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [holder.pid])
        else:
            connection.execute("DELETE FROM yoyo_lock WHERE pid = %s", [holder.pid])


def _take_turn(connection: Connection, wait_seconds: float, progress: Progress) -> None:
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


def _lock_yoyos_table(connection: Connection) -> None:
    # A row of ours would stay when this process is killed. This lock of the table keeps yoyo from
    # adding its row, and the transaction, having no id and no snapshot, is in nobody's way.
    until = time.monotonic() + _YOYO_SECONDS
    while True:
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE yoyo_lock IN SHARE MODE")
        if not one(connection, "SELECT EXISTS (SELECT FROM yoyo_lock)"):
            return
        connection.execute("ROLLBACK")
        if time.monotonic() >= until:
            raise _held_by_yoyo(connection)
        time.sleep(_POLL_SECONDS)


def _held_by_yoyo(connection: Connection) -> MigrationError:
    holders = ", ".join(str(one) for one in read_holders(connection) if not one.is_session)
    return MigrationError(
        f"the lock is held by {holders}, maybe by a process that was killed. Nothing was "
        "changed: if none is migrating, run `observatory-store schema unlock`"
    )
