"""From an API key to the project that a request belongs to."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import NamedTuple

from observatory_store.database import Pool
from observatory_store.errors import (
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnavailableError,
)
from observatory_store.repositories import ApiKey, KeyRepository, ProjectRepository
from observatory_store.repositories.keys import Scope
from observatory_store.repositories.projects import Project
from observatory_store.settings import AuthMode, PayloadPolicy
from observatory_store.store import DEFAULT_PROJECT

CACHE_SECONDS = 10.0
"""How long a key that was revoked may still be taken, a new one still be refused, and a project's
former payload policy still be applied."""

_MOST_KEYS = 10_000


class Caller(NamedTuple):
    """On whose behalf a request is answered."""

    project_id: int
    api_key_id: int | None
    payloads: PayloadPolicy | None
    """The project's own policy."""


class Authenticator:
    """Checks API keys, remembering each answer for ten seconds."""

    def __init__(self, pool: Pool, mode: AuthMode) -> None:
        self._keys = KeyRepository(pool)
        self._projects = ProjectRepository(pool)
        self._mode = mode
        self._default_project: tuple[float, Project] | None = None
        self._answers: OrderedDict[bytes, tuple[float, ApiKey | None]] = OrderedDict()

    async def caller(self, text: str | None, scope: Scope) -> Caller:
        """Return who presents a key with this text, or none, for what needs the scope.

        Raises:
            UnauthenticatedError: a key is required, and this is not a valid one.
            PermissionDeniedError: the key lacks the scope.
            UnavailableError: the database cannot be asked.

        """
        match self._mode:
            case AuthMode.OFF:
                project = await self._default()
                return Caller(project.project_id, None, project.payloads)
            case AuthMode.REQUIRED:
                if not text:
                    raise UnauthenticatedError(
                        "an API key is required: send `Authorization: Bearer KEY` or "
                        "`x-api-key: KEY`"
                    )
                key = await self._key(text)
                if key is None or not key.is_valid(datetime.now(UTC)):
                    raise UnauthenticatedError("the API key is not valid")
                if not key.allows(scope):
                    raise PermissionDeniedError(f"the API key lacks the scope {scope!r}")
                return Caller(key.project_id, key.api_key_id, key.payloads)

    async def _key(self, text: str) -> ApiKey | None:
        digest = hashlib.sha256(text.encode()).digest()
        until, key = self._answers.get(digest, (0.0, None))
        if time.monotonic() < until:
            return key
        try:
            key = await self._keys.authenticate(text)
        except UnauthenticatedError:
            key = None
        self._answers[digest] = (time.monotonic() + CACHE_SECONDS, key)
        self._answers.move_to_end(digest)
        if len(self._answers) > _MOST_KEYS:
            self._answers.popitem(last=False)
        return key

    async def _default(self) -> Project:
        if self._default_project is not None:
            until, project = self._default_project
            if time.monotonic() < until:
                return project
        try:
            project = await self._projects.get(DEFAULT_PROJECT)
        except NotFoundError as error:
            raise UnavailableError(f"the project {DEFAULT_PROJECT!r} is missing") from error
        self._default_project = (time.monotonic() + CACHE_SECONDS, project)
        return project
