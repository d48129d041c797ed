"""What `doctor` asks of the server's settings: those that hurt, and what to set instead."""

from __future__ import annotations

import os
from typing import Final

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.maintenance.server_checks import Server
from observatory_store.maintenance.surroundings_checks import find_disk
from observatory_store.sql import load

_SQL = load("doctor")
_CHECK: Final = "settings"

_MEBIBYTE = 2**20
_LEAST_WORK_MEM = 4 * _MEBIBYTE
"""PostgreSQL's default."""
_GOOD_WORK_MEM = 16 * _MEBIBYTE
_WORK_MEM_PART = 0.5
"""Of the memory, that all connections may take at once; the rest is for the caches."""
_NEARLY_ALL = 0.9


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for this role in this database."""

    max_connections: int
    reserved_connections: int
    """Of those, for superusers and who has pg_use_reserved_connections."""
    used_connections: int
    work_mem: int
    """In bytes."""
    alter_work_mem: str
    """How the statement begins that changes it where it is set."""
    preloaded: str | None
    """shared_preload_libraries; None for who may not see it."""


async def check_settings(
    connection: Connection, server: Server, wanted_connections: int | None
) -> list[Finding]:
    """Tell which settings of the server hurt."""
    row = await connection.fetchrow(_SQL["settings"])
    is_here = await find_disk(connection) is not None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if is_here else None
    return judge_settings(server, ServerSettings(**row), wanted_connections, memory)


def judge_settings(
    server: Server, settings: ServerSettings, wanted_connections: int | None, memory: int | None
) -> list[Finding]:
    """Tell which settings hurt.

    Args:
        server: for what it has and could have.
        settings: as they are.
        wanted_connections: how many one process of the service takes at most; None if unknown.
        memory: bytes of the server's machine; None if out of sight.

    """
    findings = [
        *_judge_preloading(server, settings.preloaded),
        *_judge_connections(settings, wanted_connections or 0),
        *_judge_work_mem(settings, memory),
    ]
    used = f"{settings.used_connections} of {settings.max_connections} connections are used"
    return findings or [ok(_CHECK, f"No setting hurts; {used}.")]


def _judge_preloading(server: Server, preloaded: str | None) -> list[Finding]:
    if server.preloaded or not (server.timescaledb or server.available):
        return []
    to_do = "Add timescaledb to shared_preload_libraries and restart the server"
    if preloaded is not None:
        libraries = [name.strip() for name in preloaded.split(",") if name.strip()]
        values = ", ".join(f"'{name}'" for name in [*libraries, "timescaledb"])
        to_do = f"Run ALTER SYSTEM SET shared_preload_libraries = {values} and restart the server"
    if server.timescaledb:
        what = "The database has TimescaleDB, and the server does not preload it: nothing works."
        return [problem(_CHECK, what, f"{to_do}.")]
    what = f"The server has TimescaleDB {server.available}, and does not preload it."
    return [warning(_CHECK, what, f"{to_do}; then `observatory-store schema promote`.")]


def _judge_connections(settings: ServerSettings, wanted: int) -> list[Finding]:
    usable = settings.max_connections - settings.reserved_connections
    used = settings.used_connections
    if wanted > usable:
        what = (
            f"One process of the service takes up to {wanted} connections, and the server gives "
            f"{usable}."
        )
    elif used >= _NEARLY_ALL * usable:
        what = f"{used} of the {usable} connections that the server gives are used."
    else:
        return []
    enough = -(-(used + 2 * wanted + settings.reserved_connections) // 10) * 10
    number = max(enough, settings.max_connections + 50)
    return [
        warning(
            _CHECK,
            what,
            f"Run ALTER SYSTEM SET max_connections = {number} and restart the server, or lower "
            "OBSERVATORY_POOL_SIZE and OBSERVATORY_WRITERS.",
        )
    ]


def _judge_work_mem(settings: ServerSettings, memory: int | None) -> list[Finding]:
    size, connections = settings.work_mem, settings.max_connections
    if size < _LEAST_WORK_MEM:
        what = f"work_mem is {size // 1024:,} kB: every larger sort or hash goes to the disk."
        better = _GOOD_WORK_MEM
    elif size > _LEAST_WORK_MEM and memory and size * connections > memory * _WORK_MEM_PART:
        what = (
            f"work_mem is {size // _MEBIBYTE:,} MB, and {connections} connections may each take "
            f"it: more than half of the {memory // _MEBIBYTE:,} MB that the machine has."
        )
        better = int(max(memory * _WORK_MEM_PART // connections, _LEAST_WORK_MEM))
    else:
        return []
    statement = f"{settings.alter_work_mem} SET work_mem = '{better // _MEBIBYTE}MB'"
    if settings.alter_work_mem == "ALTER SYSTEM":
        statement += "; SELECT pg_reload_conf()"
    return [warning(_CHECK, what, f"Run {statement}.")]
