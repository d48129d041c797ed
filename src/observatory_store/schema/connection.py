"""A connection for the schema's verbs, and what the server's errors mean to an operator."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from observatory_store.database import for_psycopg, redacted
from observatory_store.errors import InvalidInputError, MigrationError, UnavailableError

Connection: TypeAlias = psycopg.Connection[tuple[Any, ...]]

_CONNECT_SECONDS = 10
_LONGEST_NAME = 63

# What libpq says has no SQLSTATE, so it is known by its words; of a server in another language
# only the words are shown.
_CONNECTING = {
    "password authentication failed": "check the password in the URL, PGPASSWORD or ~/.pgpass",
    "no password supplied": "give the password in the URL, PGPASSWORD or ~/.pgpass",
    "no pg_hba.conf entry": "allow this role and address in the server's pg_hba.conf",
    "database": "create the database, or correct its name in the URL",
    "role": "create the role, or correct its name in the URL",
    "failed to resolve host": "correct the host in the URL",
    "could not translate host name": "correct the host in the URL",
    "starting up": "try again in a moment",
    "shutting down": "start the server again; its log says why it stopped",
    "recovery mode": "it has crashed and mends itself: try again in a moment; its log says why",
    "Connection refused": "start the server, or correct the host and port in the URL; if it has "
    "just stopped, its log says why (a full disk, for one)",
    "timeout expired": "correct the host and port in the URL, or let them through the firewall",
}

_EXECUTING: dict[type[psycopg.Error], str] = {
    errors.InsufficientPrivilege: "use the role that owns the schema, or grant what is missing",
    errors.ReadOnlySqlTransaction: "use the URL of the primary: this server takes no writes",
    errors.DiskFull: "free space on the server's disk, then run it again",
    errors.OutOfMemory: "give the server more memory, then run it again",
    errors.LockNotAvailable: "run it again when those who hold the lock are done",
    errors.QueryCanceled: "somebody, or statement_timeout, cancelled it: run it again",
    errors.AdminShutdown: "the server or this session was stopped: run it again",
}
_LOST = (
    "the connection is lost, and the transaction under way undone: if the server has stopped, its "
    "log says why (a full disk, also that of pg_wal; no memory). Mend that, start it, run it again"
)
_ENDED = {"FATAL", "PANIC"}
_NO_TIMEOUTS = """
    SELECT set_config(name, '0', false) FROM pg_settings
    WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_session_timeout',
        'idle_in_transaction_session_timeout')
"""


@contextmanager
def connect(url: str, verb: str, *, reads_only: bool = False) -> Iterator[Connection]:
    """Open a connection in autocommit mode, without time limits of the server.

    Raises:
        UnavailableError: the database cannot be reached, or the connection was lost.
        MigrationError: the server refused a statement; the message has the next step.

    """
    try:
        connection = psycopg.connect(_conninfo(url, verb), autocommit=True)
    except psycopg.Error as error:
        reason = _in_a_line(error)
        advice = next((to_do for words, to_do in _CONNECTING.items() if _says(reason, words)), None)
        raise UnavailableError(
            f"cannot connect to {redacted(url)}: {reason}" + (f": {advice}" if advice else "")
        ) from error
    with connection, explained("the database"):
        connection.execute(_NO_TIMEOUTS)
        connection.execute("SET client_min_messages = warning")
        connection.execute("SET timezone = 'UTC'")
        # A long statement of a killed migrator ends with it, where the server's system can tell.
        with suppress(errors.InvalidParameterValue):
            connection.execute("SET client_connection_check_interval = '2s'")
        if reads_only:
            connection.execute("SET default_transaction_read_only = on")
        yield connection


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Raise this package's errors for those of the driver, with the next step.

    Raises:
        UnavailableError: the connection was lost.
        MigrationError: the server refused a statement.

    """
    try:
        yield
    except psycopg.Error as error:
        is_lost = error.sqlstate is None or error.diag.severity_nonlocalized in _ENDED
        kinds = (to_do for kind, to_do in _EXECUTING.items() if isinstance(error, kind))
        advice = next(kinds, None)
        if is_lost and not isinstance(error, errors.AdminShutdown):
            advice = _LOST
        message = f"{what}: {said(error)}" + (f": {advice}" if advice else "")
        raise (UnavailableError if is_lost else MigrationError)(message) from error


def said(error: psycopg.Error) -> str:
    """Return what the server said, without where in the statement."""
    return error.diag.message_primary or _in_a_line(error)


def one(connection: Connection, query: str, *arguments: object) -> Any:  # noqa: ANN401 - any column
    """Return the first column of the only row."""
    row = connection.execute(query.encode(), arguments or None).fetchone()
    return None if row is None else row[0]


def _conninfo(url: str, verb: str) -> str:
    try:
        given = conninfo_to_dict(for_psycopg(url))
    except psycopg.Error as error:
        raise InvalidInputError(f"the database URL is malformed: {_in_a_line(error)}") from error
    name = f"observatory-store schema {verb} on {socket.gethostname()}"[:_LONGEST_NAME]
    added: dict[str, Any] = {"application_name": name}
    if "connect_timeout" not in given:
        added["connect_timeout"] = _CONNECT_SECONDS
    return make_conninfo(for_psycopg(url), **added)


def _in_a_line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()).removeprefix("connection failed: ")


def _says(reason: str, words: str) -> bool:
    if words in {"database", "role"}:
        return f'{words} "' in reason and "does not exist" in reason
    return words in reason
