"""The caller of a request, as a dependency of each route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from observatory_store.api.authentication import Caller
from observatory_store.api.services import TheServices
from observatory_store.repositories.keys import Scope

_BearerKey = Annotated[
    HTTPAuthorizationCredentials | None,
    Security(HTTPBearer(scheme_name="bearer", description="An API key.", auto_error=False)),
]
_HeaderKey = Annotated[
    str | None,
    Security(
        APIKeyHeader(
            name="x-api-key", scheme_name="x-api-key", description="An API key.", auto_error=False
        )
    ),
]


async def _presented(bearer: _BearerKey, header: _HeaderKey) -> str | None:
    return bearer.credentials if bearer else header


PresentedKey = Annotated[str | None, Depends(_presented)]
"""The text of the key, whether it is valid or not."""


def _with_scope(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    async def caller(services: TheServices, key: PresentedKey) -> Caller:
        return await services.authenticator.caller(key, scope)

    return caller


Reader = Annotated[Caller, Depends(_with_scope("read"))]
Administrator = Annotated[Caller, Depends(_with_scope("admin"))]
