"""Settings of the server that hurt."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from observatory_store.maintenance.finding import Finding, Severity
from observatory_store.maintenance.server_checks import Server
from observatory_store.maintenance.settings_checks import (
    ServerSettings,
    check_settings,
    judge_settings,
)
from storage.samples import query

MIB = 2**20
GIB = 2**30

SETTINGS = ServerSettings(
    max_connections=100,
    reserved_connections=3,
    used_connections=10,
    work_mem=4 * MIB,
    alter_work_mem="ALTER SYSTEM",
    preloaded="pg_stat_statements, timescaledb",
)
SERVER = Server(
    postgres="18.0",
    number=180000,
    timescaledb="2.28.0",
    available="2.28.0",
    preloaded=True,
    license="timescale",
    is_standby=False,
    is_read_only=False,
    synchronous_commit="on",
    fsync=True,
    full_page_writes=True,
    autovacuum=True,
    has_lz4=True,
    has_schema=True,
)
NOT_PRELOADED = {"preloaded": False}
NONE_INSTALLED = {"timescaledb": None, "available": None, "preloaded": False}
NOT_CREATED = {"timescaledb": None, "preloaded": False}


@pytest.mark.parametrize(
    ("server", "settings", "wanted", "memory", "to_do"),
    [
        ({}, {}, 17, 8 * GIB, None),
        ({}, {}, None, None, None),
        (NONE_INSTALLED, {"preloaded": ""}, 17, 8 * GIB, None),
        (
            NOT_CREATED,
            {"preloaded": "pg_stat_statements"},
            17,
            None,
            "SET shared_preload_libraries = 'pg_stat_statements', 'timescaledb' and restart",
        ),
        (
            NOT_PRELOADED,
            {"preloaded": ""},
            17,
            None,
            "shared_preload_libraries = 'timescaledb' and",
        ),
        (
            NOT_PRELOADED,
            {"preloaded": None},
            17,
            None,
            "Add timescaledb to shared_preload_libraries",
        ),
        ({}, {"max_connections": 19}, 17, None, "SET max_connections = 69 and restart"),
        ({}, {"max_connections": 20}, 17, None, None),
        ({}, {"used_connections": 88}, 17, None, "SET max_connections = 150 and restart"),
        ({}, {"used_connections": 87}, 17, None, None),
        ({}, {"work_mem": MIB}, 17, None, "ALTER SYSTEM SET work_mem = '16MB'; SELECT pg_reload"),
        (
            {},
            {"work_mem": MIB, "alter_work_mem": "ALTER ROLE o"},
            17,
            None,
            "Run ALTER ROLE o SET work_mem = '16MB'.",
        ),
        ({}, {"work_mem": 64 * MIB}, 17, 8 * GIB, "ALTER SYSTEM SET work_mem = '40MB'"),
        ({}, {"work_mem": 64 * MIB}, 17, 16 * GIB, None),
        ({}, {"work_mem": 64 * MIB}, 17, None, None),
        ({}, {"work_mem": 64 * MIB}, 17, GIB // 2, "ALTER SYSTEM SET work_mem = '4MB'"),
        # Less than the default is no advice, however small the machine.
        ({}, {}, 17, GIB // 2, None),
    ],
)
def test_what_hurts(
    server: dict[str, Any],
    settings: dict[str, Any],
    wanted: int | None,
    memory: int | None,
    to_do: str | None,
) -> None:
    """And what to set instead."""
    [found] = judge_settings(
        msgspec.structs.replace(SERVER, **server),
        msgspec.structs.replace(SETTINGS, **settings),
        wanted,
        memory,
    )
    assert (found.severity is Severity.OK) == (to_do is None), found
    assert (to_do or "") in found.to_do, found.to_do


async def _found(url: str, wanted: int | None = None) -> list[Finding]:
    connection = await asyncpg.connect(url)
    found = await check_settings(connection, await Server.read(connection), wanted)
    await connection.close()
    return found


async def test_the_settings_of_a_server(database_url: str) -> None:
    """The advice mends what is set for one database only, too."""
    [found] = await _found(database_url, 17)
    assert found.severity is Severity.OK
    assert "of 100 connections are used" in found.what
    name = urlsplit(database_url).path.lstrip("/")
    query(database_url, f"ALTER DATABASE {name} SET work_mem = '64kB'")
    (work_mem,) = await _found(database_url, 17)
    assert "work_mem is 64 kB" in work_mem.what
    query(database_url, work_mem.to_do.removeprefix("Run ").removesuffix("."))
    assert [one.severity for one in await _found(database_url, 17)] == [Severity.OK]
    [connections] = await _found(database_url, 98)
    assert "takes up to 98 connections, and the server gives 97" in connections.what


@pytest.mark.editions("postgres")
async def test_memory_that_this_machine_has_not(database_url: str) -> None:
    """A server that is seen to be here is judged by its machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    name = urlsplit(database_url).path.lstrip("/")
    query(database_url, f"ALTER DATABASE {name} SET work_mem = '{memory // 50 // 1024}kB'")
    [found] = await _found(database_url)
    assert "more than half of the" in found.what


@pytest.mark.editions("postgres")
async def test_a_role_of_few_rights(database_url: str) -> None:
    """It is told what it may know."""
    query(database_url, "CREATE ROLE onlooker LOGIN")
    try:
        assert len(await _found(database_url.replace("postgres@", "onlooker@"), 17)) == 1
    finally:
        query(database_url, "DROP ROLE onlooker")
