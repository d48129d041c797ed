"""From a verb's options to settings, a pool or a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import ValidationError

from observatory_store.database import Pool, lacks_right, open_pool, translate_failures
from observatory_store.errors import DatabaseFaultError, InvalidInputError, ObservatoryError
from observatory_store.pricing import GenAIPrices
from observatory_store.settings import Settings
from observatory_store.store import Store

APPLICATION_NAME = "observatory-store cli"


def read_settings(**options: Any) -> Settings:  # noqa: ANN401 - values of any field
    """Return the settings: from the options that are not None, else from the environment.

    Raises:
        InvalidInputError: a value is not allowed; the message names its variable.

    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"OBSERVATORY_{name.upper()}: {first['msg']}") from None


@asynccontextmanager
async def open_database(
    database_url: str | None, *, statement_timeout_seconds: float | None = None
) -> AsyncIterator[Pool]:
    """Open a pool on the database of these options.

    Raises:
        UnavailableError: it cannot be reached, or what is done with it fails for want of it.

    """
    settings = read_settings(
        database_url=database_url, statement_timeout_seconds=statement_timeout_seconds
    )
    url = settings.database_url.get_secret_value()
    async with _role_named(url):
        with translate_failures():
            async with open_pool(
                url,
                max_size=settings.pool_size,
                statement_timeout_seconds=settings.statement_timeout_seconds,
                lock_timeout_seconds=settings.lock_timeout_seconds,
                application_name=APPLICATION_NAME,
            ) as pool:
                yield pool


@asynccontextmanager
async def open_store(database_url: str | None, project: str) -> AsyncIterator[Store]:
    """Open the store of one project.

    Raises:
        UnavailableError: the database cannot be reached.
        NotFoundError: there is no such project.

    """
    settings = read_settings(database_url=database_url)
    url = settings.database_url.get_secret_value()
    async with (
        _role_named(url),
        Store.open(
            url,
            project=project,
            # Nothing is written that would need the table's prices.
            pricer=GenAIPrices(),
            # A gateway's spool is none of ours to replay.
            spool_dir="",
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
        ) as store,
    ):
        yield store


@asynccontextmanager
async def _role_named(url: str) -> AsyncIterator[None]:
    """Have an error of a right that is missing say whose: the server does not."""
    try:
        yield
    except DatabaseFaultError as error:
        if not lacks_right(error):
            raise
        try:
            async with open_pool(url, max_size=1, application_name=APPLICATION_NAME) as pool:
                role = await pool.fetchval("SELECT current_user")
        except (ObservatoryError, OSError):
            raise error from error.__cause__
        raise DatabaseFaultError(f"role {role!r}: {error}") from error.__cause__
