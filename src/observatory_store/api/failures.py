"""What goes wrong, as HTTP: the one place where errors meet status codes.

On ``/v1/*`` the body is a ``google.rpc.Status`` in the media type of the request, as OTLP wants it;
everywhere else it is a problem (RFC 9457). An OTLP client retries 503 and nothing else of these. A
500 is a fault in this program, which the same body would meet again: it is not to be retried.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from observatory_store.api.answers.problem import PROBLEM, FieldError, Problem
from observatory_store.errors import (
    BodyTooLargeError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ObservatoryError,
    PermissionDeniedError,
    SchemaNotAppliedError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from observatory_store.otlp import MediaType, encode_status

RETRY_AFTER_SECONDS: Final = 5

_STATUS: Final[Mapping[type[BaseException], HTTPStatus]] = {
    InvalidInputError: HTTPStatus.BAD_REQUEST,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    PermissionDeniedError: HTTPStatus.FORBIDDEN,
    NotFoundError: HTTPStatus.NOT_FOUND,
    ConflictError: HTTPStatus.CONFLICT,
    BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
}

# google/rpc/code.proto
_INVALID_ARGUMENT, _UNKNOWN, _INTERNAL = 3, 2, 13
_RPC_CODE: Final[Mapping[int, int]] = {
    400: _INVALID_ARGUMENT,
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 5,  # NOT_FOUND
    405: 12,  # UNIMPLEMENTED
    409: 6,  # ALREADY_EXISTS
    413: 8,  # RESOURCE_EXHAUSTED, what a gRPC server says of a message over its limit
    415: _INVALID_ARGUMENT,
    422: _INVALID_ARGUMENT,
    500: _INTERNAL,
    503: 14,  # UNAVAILABLE
}

_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Bearer"},
    503: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}

_MOST_FIELDS: Final = 20
"""Of one answer; a URL has room for ten thousand."""
_MESSAGES: Final[Mapping[str, str]] = {
    "extra_forbidden": "There is no such parameter.",
    "bool_parsing": "write true or false",
    "int_parsing": "write a whole number",
    "int_parsing_size": "write a smaller number",
    "float_parsing": "write a number",
    "too_long": "give at most {max_length} values",
}
"""By pydantic's type of error; the others are in its own words."""

_logger = logging.getLogger(__name__)


def install(app: FastAPI) -> None:
    """Have the application answer every error in this way."""
    app.add_exception_handler(ObservatoryError, _observatory_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(ClientDisconnect, _disconnected)
    app.add_exception_handler(Exception, _fault)


async def _observatory_error(request: Request, error: Exception) -> Response:
    status = next(
        (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    message = str(error)
    if isinstance(error, UnavailableError):
        _logger.warning("%s %s: %s", request.method, request.url.path, error)
        if not isinstance(error, SchemaNotAppliedError):
            # The driver's words may name hosts and roles, and this caller may have no key.
            message = "the database cannot take the request now; try again later"
    elif status is HTTPStatus.INTERNAL_SERVER_ERROR:
        _logger.error("%s %s", request.method, request.url.path, exc_info=error)
        message = status.phrase
    else:
        _logger.debug("%s %s: %s", request.method, request.url.path, error)
    return _answer(request, status, message)


async def _validation_error(request: Request, error: Exception) -> Response:
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    fields = [
        FieldError(
            parameter=".".join(str(part)[:100] for part in item["loc"][1:]),
            message=_message(item),
        )
        for item in errors[:_MOST_FIELDS]
    ]
    detail = "; ".join(f"{field.parameter}: {field.message}" for field in fields)
    return _answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, detail, fields)


def _message(item: Mapping[str, Any]) -> str:
    template = _MESSAGES.get(item["type"])
    if template is None:
        return str(item["msg"]).removeprefix("Value error, ")
    return template.format_map(item.get("ctx", {}))


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    message = f"{request.method} {request.url.path}: {HTTPStatus(status).phrase}"
    return _answer(request, HTTPStatus(status), message, headers=headers)


async def _disconnected(request: Request, _: Exception) -> Response:
    return _answer(request, HTTPStatus.BAD_REQUEST, "the client left before its body was complete")


async def _fault(request: Request, _: Exception) -> Response:
    # The server logs the traceback: what this handler answers is raised again after it.
    return _answer(
        request, HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the service; its log has the cause"
    )


def _answer(
    request: Request,
    status: HTTPStatus,
    message: str,
    errors: Sequence[FieldError] = (),
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    headers = {**_HEADERS.get(status, {}), **(headers or {})}
    if request.url.path.startswith("/v1/"):
        try:
            media_type = MediaType.parse(request.headers.get("content-type"))
        except UnsupportedMediaTypeError:
            media_type = MediaType.JSON
        code = _RPC_CODE.get(status, _UNKNOWN)
        content = encode_status(media_type, code=code, message=message)
        return Response(content, status, headers, media_type=media_type.value)
    problem = Problem(
        title=status.phrase, status=status, detail=message, errors=list(errors) or None
    )
    content = msgspec.json.encode(problem.model_dump(exclude_none=True))
    return Response(content, status, headers, media_type=PROBLEM)
