"""What the driver's errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from observatory_store.errors import SchemaNotAppliedError, UnavailableError

_SCHEMA_MISSING = (
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)

_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    # What asyncpg raises at times when the server ends a connection amid a COPY.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.LockNotAvailableError,
    asyncpg.PostgresSystemError,
    # A fault of the server. It may pass; not to try again would lose what was sent.
    asyncpg.InternalServerError,
)


@contextmanager
def translate_failures() -> Iterator[None]:
    """Raise :class:`UnavailableError` for what the driver raises when the database cannot serve.

    Raises:
        SchemaNotAppliedError: a table, column or function of ours is not there.
        UnavailableError: the server is away, starting, stopping, read-only, full or too busy.

    """
    try:
        yield
    except _SCHEMA_MISSING as error:
        raise SchemaNotAppliedError(
            "the database lacks the schema of this version: "
            f"run `observatory-store schema apply` ({error})"
        ) from error
    except _UNAVAILABLE as error:
        reason = str(error) or type(error).__name__
        raise UnavailableError(f"the database cannot take this now: {reason}") from error
