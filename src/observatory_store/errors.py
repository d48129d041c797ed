"""Every error this package raises. The driver's error, if any, stays in ``__cause__``."""

from __future__ import annotations


class ObservatoryError(Exception):
    """Base of all errors of this package."""


class InvalidInputError(ObservatoryError):
    """What the caller sent cannot be used; the message says which part and what is allowed."""


class UndecodableError(InvalidInputError):
    """The body is not what its content type says; nothing of it was stored."""


class BodyTooLargeError(InvalidInputError):
    """The body, after decompression, is over the limit; nothing of it was stored."""


class TooManyRecordsError(BodyTooLargeError):
    """The request holds more than one request may; nothing of it was stored."""


class UnsupportedMediaTypeError(InvalidInputError):
    """The content type or encoding is none of those the route takes."""


class InvalidCursorError(InvalidInputError):
    """The cursor is malformed or belongs to another query; start again without a cursor."""


class QueryTooExpensiveError(InvalidInputError):
    """The query takes longer than a query may; narrow its range or its filter."""


class NotFoundError(ObservatoryError):
    """Nothing with that identity exists in this project."""


class UnauthenticatedError(ObservatoryError):
    """No valid API key was presented."""


class PermissionDeniedError(ObservatoryError):
    """The API key lacks the scope, or the database's role the right, that this needs."""


class ConflictError(ObservatoryError):
    """Something with that name exists already."""


class UnavailableError(ObservatoryError):
    """The database cannot take the work now; the same request may succeed later."""


class OverloadedError(UnavailableError):
    """The service holds as many requests, or as many bytes of them, as it may; try again later."""


class DatabaseFaultError(UnavailableError):
    """The database answers but fails at this, of which this may be the cause; try again later."""


class SchemaNotAppliedError(UnavailableError):
    """The database lacks the schema; run `observatory-store schema apply` or `yoyo apply`."""


class RefreshError(ObservatoryError):
    """A rollup could not be refreshed; the message names it and says what the server said."""


class MigrationError(ObservatoryError):
    """A migration could not be applied or rolled back; the message names it."""


class DevServerError(ObservatoryError):
    """The private development server could not be prepared or started."""


class RecorderFullError(ObservatoryError):
    """No more calls can wait to be stored, and ``when_full`` is ``raise``; this one is lost."""


class SpoolError(ObservatoryError):
    """The folder of the spool cannot be used; name one that this process may write to."""
