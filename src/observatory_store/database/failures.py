"""What the driver's errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from observatory_store.errors import DatabaseFaultError, SchemaNotAppliedError, UnavailableError

_SCHEMA_MISSING = (
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)

# The state of the database: it is the same for whatever else is sent.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What asyncpg raises at times when the server ends a connection amid a COPY.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.TooManyConnectionsError,
    # A little still fits on a full disk, which says nothing of what does not.
    asyncpg.DiskFullError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.DatabaseDroppedError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
)

# The database's fault, or that of what it was given. It may pass; not to try again would lose what
# was sent.
_FAULTS = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InsufficientResourcesError,
    # A statement that was cancelled, by its timeout or by somebody.
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
)


def is_fault(error: BaseException) -> bool:
    """Tell whether the database fails at one batch, perhaps, while others get through."""
    return isinstance(error, _FAULTS) and not isinstance(error, _AWAY)


def lacks_right(error: BaseException) -> bool:
    """Tell whether this package's error is one of a role that may not do what it was to do."""
    return isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError)


@contextmanager
def translate_failures() -> Iterator[None]:
    """Raise :class:`UnavailableError` for what the driver raises when the database cannot serve.

    Raises:
        SchemaNotAppliedError: a table, column or function of ours is not there.
        DatabaseFaultError: the server fails at this, and perhaps at nothing else; or the role
            lacks a right.
        UnavailableError: the server is away, starting, stopping, read-only, full or too busy.

    """
    try:
        yield
    except _SCHEMA_MISSING as error:
        raise SchemaNotAppliedError(
            "the database lacks the schema of this version: "
            f"run `observatory-store schema apply` ({error})"
        ) from error
    except (*_AWAY, *_FAULTS) as error:
        reason = str(error) or type(error).__name__
        kind = DatabaseFaultError if is_fault(error) else UnavailableError
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            raise kind(
                f"{reason}: connect as the role that applied the migrations, or grant this one "
                "what it lacks"
            ) from error
        raise kind(f"the database cannot take this now: {reason}") from error
