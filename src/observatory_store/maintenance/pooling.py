"""Finding out whether a pooler between here and the server shares its sessions."""

from __future__ import annotations

from typing import Final

import asyncpg

from observatory_store.database import Connection, Pool
from observatory_store.maintenance.finding import Finding, ok, problem
from observatory_store.sql import load

CHECK: Final = "pooling"

_SQL = load("doctor")
_TRIES = 3

# A statement was prepared in one session and is looked for in another.
_ELSEWHERE: Final = (
    asyncpg.InvalidSQLStatementNameError,
    asyncpg.DuplicatePreparedStatementError,
)

_TO_DO = (
    "Point OBSERVATORY_DATABASE_URL at the server itself, or at a pool in session mode: advisory "
    "locks, temporary tables and prepared statements need a session of their own."
)


async def find_pooling(pool: Pool) -> Finding:
    """Tell whether two connections have a server session each, for as long as they last.

    Behind a pooler in transaction mode one connection's statements go to whichever session is free,
    so that two connections meet in one session, or one connection meets several.
    """
    try:
        async with pool.acquire() as one, pool.acquire() as other:
            shared = await _share_sessions(one, other)
            # What the server told when the connection was made; a pooler tells a number of its own.
            direct = one.get_server_pid() == await _process(one)
    except _ELSEWHERE:
        shared, direct = True, False
    if shared:
        return problem(
            CHECK,
            "A pooler in transaction mode stands between this program and the server.",
            _TO_DO,
        )
    if direct:
        return ok(CHECK, "Each connection leads to a session of the server.")
    return ok(CHECK, "A pooler stands before the server, and keeps sessions apart.")


def refused_by_pooler(error: asyncpg.ProtocolViolationError) -> Finding:
    """Return what it means that a connection with the service's settings is refused."""
    return problem(
        CHECK,
        f"A pooler stands before the server and refuses the service's connections: {error}.",
        "Point OBSERVATORY_DATABASE_URL at the server itself.",
    )


async def _share_sessions(one: Connection, other: Connection) -> bool:
    for _ in range(_TRIES):
        before = await _process(one)
        if before == await _process(other):
            return True
        # While the other is amid a transaction, its session is not free.
        async with other.transaction(readonly=True):
            await _process(other)
            if await _process(one) != before:
                return True
    return False


async def _process(connection: Connection) -> int:
    number: int = await connection.fetchval(_SQL["server_process"])
    return number
