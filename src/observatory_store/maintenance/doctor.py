"""Examining a database: what `observatory-store doctor` says. It never writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

import asyncpg

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.maintenance.finding import Finding, Severity, warning
from observatory_store.maintenance.growth_checks import check_growth
from observatory_store.maintenance.migration_checks import check_migrations, check_pending
from observatory_store.maintenance.pooling import find_pooling, refused_by_pooler
from observatory_store.maintenance.recost_checks import check_recosts
from observatory_store.maintenance.sender_checks import check_senders
from observatory_store.maintenance.server_checks import (
    Server,
    check_autovacuum,
    check_clock,
    check_compression,
    check_durability,
    check_edition,
    check_versions,
    check_writable,
)
from observatory_store.maintenance.settings_checks import check_settings
from observatory_store.maintenance.storage_checks import (
    check_prices,
    check_rollups,
    check_upkeep,
    check_words,
)
from observatory_store.maintenance.surroundings_checks import (
    check_disk,
    check_replication,
    check_transactions,
)
from observatory_store.maintenance.vacuum_checks import check_bloat
from observatory_store.sql import load

__all__ = ["Finding", "Severity", "examine"]

_SQL = load("doctor")

_Check: TypeAlias = Callable[[Connection], Awaitable[list[Finding]]]


def _now() -> datetime:
    return datetime.now(UTC)


async def examine(
    pool: Pool,
    *,
    package: str,
    migrations: Mapping[str, str],
    before_migration: bool = False,
    connections: int | None = None,
    clock: Callable[[], datetime] = _now,
) -> list[Finding]:
    """Return what is well and what is not, in the order in which to read it.

    Args:
        pool: of at least two connections, to the database as the service reaches it.
        package: the version of this package.
        migrations: the SHA-256 of the texts of its migrations by their ids, in their order.
        before_migration: examine only what a migration depends on; that some are pending is well.
        connections: how many one process of the service takes at most; None if unknown.
        clock: tells this machine's time.

    Raises:
        UnavailableError: the database cannot be reached.

    """
    with translate_failures():
        try:
            async with pool.acquire() as connection:
                server = await Server.read(connection)
        except asyncpg.ProtocolViolationError as error:
            return [refused_by_pooler(error)]
        findings = [*check_versions(server, package), await find_pooling(pool)]
        findings += check_writable(server)
        if not before_migration:
            findings += [*check_durability(server), *check_autovacuum(server)]
        checks = (
            _before_migration(server, migrations)
            if before_migration
            else _at_any_time(server, migrations, connections, clock)
        )
        async with pool.acquire() as connection:
            for name, check in checks:
                findings += await _try(connection, name, check)
    return findings


_Checks: TypeAlias = list[tuple[str, _Check]]

_SURROUNDINGS: _Checks = [
    ("transactions", check_transactions),
    ("replication", check_replication),
    ("disk", check_disk),
]


def _at_any_time(
    server: Server,
    migrations: Mapping[str, str],
    connections: int | None,
    clock: Callable[[], datetime],
) -> _Checks:
    checks: _Checks = [
        ("settings", partial(check_settings, server=server, wanted_connections=connections)),
        ("clock", partial(check_clock, clock=clock)),
        *_SURROUNDINGS,
        ("schema", partial(check_migrations, known=migrations)),
    ]
    if server.has_schema:
        checks += [
            ("edition", partial(check_edition, server=server)),
            ("lz4", partial(check_compression, server=server)),
            ("upkeep", check_upkeep),
            ("growth", check_growth),
            ("bloat", check_bloat),
            ("senders", check_senders),
            ("rollups", check_rollups),
            ("words", check_words),
            ("prices", check_prices),
            ("recosts", check_recosts),
        ]
    return checks


def _before_migration(server: Server, migrations: Mapping[str, str]) -> _Checks:
    checks: _Checks = [*_SURROUNDINGS, ("schema", partial(check_pending, known=migrations))]
    if server.has_schema:
        checks += [("edition", partial(check_edition, server=server))]
    return checks


async def _try(connection: Connection, name: str, check: _Check) -> list[Finding]:
    """Run one check in a transaction that cannot write, so that its failure ends no other."""
    try:
        async with connection.transaction(readonly=True):
            await connection.execute(_SQL["limit_examining"])
            return await check(connection)
    except asyncpg.PostgresConnectionError:
        raise
    except asyncpg.PostgresError as error:
        return [
            warning(
                name,
                f"This could not be examined: {str(error).rstrip('.')}.",
                "See that the migrations are applied, and that this role may read both schemas.",
            )
        ]
