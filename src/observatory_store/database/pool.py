"""The connection pool, with its time limits and its codecs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterable
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


ACQUIRE_SECONDS = 10.0
"""Longest to wait for a connection of the pool, or for a new one to be made."""

_BEYOND_STATEMENT_TIMEOUT = 5.0
_MOST_REMEMBERED = 25_000
"""Keys of one generation of two; a key takes about 80 bytes, and there may be ten connections."""


class RememberingConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that remembers what it has seen committed, so that it need not ask again.

    What it remembers ends with it: after a failover, or a restore, everything is asked anew.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - asyncpg's own
        super().__init__(*arguments, **options)
        self._remembered: set[int] = set()
        self._older: set[int] = set()

    def remembers(self, key: Hashable) -> bool:
        """Tell whether the key was remembered."""
        # Of keys with 64-bit content hashes their own hash says as much.
        number = hash(key)
        return number in self._remembered or number in self._older

    def remember(self, keys: Iterable[Hashable]) -> None:
        """Remember the keys, forgetting the oldest half where they become too many."""
        for key in keys:
            self._remembered.add(hash(key))
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._older, self._remembered = self._remembered, set()


class _Pool(asyncpg.Pool):  # type: ignore[misc]  # asyncpg has no types
    """A pool in which nobody waits for ever."""

    def acquire(self, *, timeout: float | None = None) -> Any:  # noqa: ANN401 - as asyncpg
        """Return a context manager of a connection."""
        return super().acquire(timeout=timeout or ACQUIRE_SECONDS)


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
    The server cancels a statement after its timeout; where even that does not come back, as over a
    network that went silent, the connection is given up five seconds later.
    """
    arguments = for_asyncpg(url)
    arguments.setdefault("timeout", ACQUIRE_SECONDS)
    pool = _Pool(
        arguments.pop("dsn"),
        **arguments,
        min_size=0,
        max_size=max_size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        connect=None,
        setup=None,
        init=set_codecs,
        reset=None,
        loop=None,
        connection_class=RememberingConnection,
        record_class=asyncpg.Record,
        command_timeout=statement_timeout_seconds + _BEYOND_STATEMENT_TIMEOUT,
        server_settings={
            "application_name": application_name,
            "statement_timeout": _milliseconds(statement_timeout_seconds),
            "lock_timeout": _milliseconds(lock_timeout_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(2 * statement_timeout_seconds),
            "timezone": "UTC",
            # Planned for long scans; on these short queries it costs a thousand times their work.
            "jit": "off",
            # To start a worker takes some 10 ms, ten times what the default is made for.
            "parallel_setup_cost": "10000",
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
