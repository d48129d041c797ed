"""Advisory locks, so that one process at a time does a kind of upkeep."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from observatory_store.database import Connection
from observatory_store.sql import load

_SQL = load("maintenance")

REFRESH = 0x6F62735F726F6C6C  # "obs_roll"
"""Of whoever refreshes, or drops what a refresh might read."""
EXPIRY = 0x6F62735F64726F70  # "obs_drop"
"""Of whoever drops what has expired."""
WORDS = 0x6F62735F776F7264  # "obs_word"
"""Of whoever indexes words."""
SECONDS = 6 * 3600.0
"""Longest to wait for one, and longest that a statement may take that needs its time."""


@asynccontextmanager
async def held(connection: Connection, lock: int) -> AsyncIterator[None]:
    """Hold a lock, however long others have it; what is done with it may take its time too."""
    await connection.execute(_SQL["take_your_time"])
    await connection.execute(_SQL["wait_for_locks"])
    await connection.execute(_SQL["lock"], lock, timeout=SECONDS)
    try:
        yield
    finally:
        await release(connection, lock)


async def release(connection: Connection, lock: int) -> None:
    """Release a lock. With a connection that is lost it went too, and that is the error to tell."""
    if not connection.is_closed():
        await connection.execute(_SQL["unlock"], lock)
