"""The connection pool, with its time limits and its codecs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

from observatory_store.database.url import for_asyncpg

Connection: TypeAlias = Any
"""An asyncpg connection, of the pool or alone; asyncpg's proxies have no common typed base."""
Pool: TypeAlias = Any
"""An asyncpg pool."""

_JSONB_VERSION = b"\x01"
_UUID_BYTES = 16


class StagingConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that remembers which of its staging tables exist."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - asyncpg's own
        super().__init__(*arguments, **options)
        self.stages: set[str] = set()


@asynccontextmanager
async def open_pool(
    url: str,
    *,
    max_size: int = 8,
    statement_timeout_seconds: float = 30.0,
    lock_timeout_seconds: float = 5.0,
    application_name: str = "observatory-store",
) -> AsyncIterator[Pool]:
    """Open a pool on a libpq URL. No connection is made until one is needed.

    On its connections a ``jsonb`` is UTF-8 ``bytes``, a ``uuid`` 32 hex digits, the time zone UTC.
    """
    arguments = for_asyncpg(url)
    arguments.setdefault("timeout", 10.0)
    pool = asyncpg.create_pool(
        **arguments,
        min_size=0,
        max_size=max_size,
        init=set_codecs,
        connection_class=StagingConnection,
        server_settings={
            "application_name": application_name,
            "statement_timeout": _milliseconds(statement_timeout_seconds),
            "lock_timeout": _milliseconds(lock_timeout_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(2 * statement_timeout_seconds),
            "timezone": "UTC",
        },
    )
    async with pool:
        yield pool


async def set_codecs(connection: Connection) -> None:
    """Have the connection take and give ``jsonb`` as bytes and ``uuid`` as hex."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_JSONB_VERSION.__add__,
        decoder=_jsonb_text,
        format="binary",
    )
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", encoder=_uuid_bytes, decoder=bytes.hex, format="binary"
    )


def _uuid_bytes(hex_digits: str) -> bytes:
    value = bytes.fromhex(hex_digits)
    if len(value) != _UUID_BYTES:
        raise ValueError(f"a trace id is 32 hex digits, not {hex_digits!r}")
    return value


def _jsonb_text(value: bytes) -> bytes:
    return value[1:]


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))
