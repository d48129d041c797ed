"""API keys: made once, stored as a hash, checked on every request."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from observatory_store.settings import PayloadPolicy
from observatory_store.sql import load

Scope = Literal["write", "read", "admin"]

_SCOPES: tuple[str, ...] = get_args(Scope)
_PREFIX = "obs_"
_SHOWN = 10
_SQL = load("catalog")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``api_keys``, without the hash."""

    api_key_id: int
    project_id: int
    name: str
    key_prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    payloads: PayloadPolicy | None = None
    """The project's own policy, where the key was looked up to be checked."""

    def allows(self, scope: Scope) -> bool:
        """Tell whether the key opens what needs this scope; ``admin`` opens everything."""
        return scope in self.scopes or "admin" in self.scopes

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class KeyRepository:
    """The keys of the database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def create(
        self,
        project_id: int,
        name: str,
        scopes: Collection[str],
        *,
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key. Its text, the second of the pair, is given here and never again.

        Raises:
            InvalidInputError: no scope, or one that is not write, read or admin.

        """
        if not scopes or not set(scopes) <= set(_SCOPES):
            raise InvalidInputError(f"the scopes of a key are some of {', '.join(_SCOPES)}")
        text = _PREFIX + secrets.token_urlsafe(32)
        with translate_failures():
            record = await self._pool.fetchrow(
                _SQL["insert_key"],
                project_id,
                name,
                _hash(text),
                text[:_SHOWN],
                [scope for scope in _SCOPES if scope in scopes],
                expires_at,
            )
        return _key(record), text

    async def authenticate(self, text: str) -> ApiKey:
        """Return the key with this text.

        Raises:
            UnauthenticatedError: there is none, or it is revoked or expired.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["key_by_hash"], _hash(text))
        if record is None or not (key := _key(record)).is_valid(datetime.now(UTC)):
            raise UnauthenticatedError("the API key is not valid")
        return key

    async def list(self, project_id: int) -> list[ApiKey]:
        """Return the keys of a project, revoked ones included, in the order they were made."""
        with translate_failures():
            records = await self._pool.fetch(_SQL["list_keys"], project_id)
        return [_key(record) for record in records]

    async def revoke(self, project_id: int, api_key_id: int) -> ApiKey:
        """Have the key refused from now on; to do so again changes nothing.

        Raises:
            NotFoundError: the project has no such key.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["revoke_key"], project_id, api_key_id)
        if record is None:
            raise NotFoundError(f"the project has no key {api_key_id}")
        return _key(record)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _key(record: Any) -> ApiKey:  # noqa: ANN401 - asyncpg's Record
    fields = dict(record)
    payloads = fields.pop("payloads", None)
    return ApiKey(
        **{**fields, "scopes": cast("tuple[Scope, ...]", tuple(fields["scopes"]))},
        payloads=payloads and PayloadPolicy(payloads),
    )
