"""What `doctor` asks of the server: versions, edition, settings, clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.sql import load

_SQL = load("maintenance") | load("doctor")

_OLDEST_POSTGRES = 150_000
_EDITIONS = ("postgres", "apache", "community")

SKEW = timedelta(seconds=10)
LARGE_SKEW = timedelta(minutes=10)


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself before anything is asked of the schema."""

    postgres: str
    number: int
    timescaledb: str | None
    """The version of the extension in this database; None without it."""
    available: str | None
    """The version of the extension that is installed on the machine."""
    preloaded: bool
    license: str
    is_standby: bool
    is_read_only: bool
    synchronous_commit: str
    fsync: bool
    full_page_writes: bool
    autovacuum: bool
    has_lz4: bool
    has_schema: bool

    @classmethod
    async def read(cls, connection: Connection) -> Server:
        """Ask the server."""
        return cls(**await connection.fetchrow(_SQL["server"]))


def check_versions(server: Server, package: str) -> list[Finding]:
    """Tell the versions, and whether one is too old or halfway through an upgrade."""
    extension = f"TimescaleDB {server.timescaledb} ({server.license})"
    what = (
        f"observatory-store {package} on PostgreSQL {server.postgres.split(' ')[0]} with "
        f"{extension if server.timescaledb else 'no TimescaleDB'}"
    )
    if server.number < _OLDEST_POSTGRES:
        return [problem("versions", f"{what}.", "Upgrade PostgreSQL: 15 is the oldest supported.")]
    if server.timescaledb and server.available != server.timescaledb:
        return [
            warning(
                "versions",
                f"{what}, while the machine has TimescaleDB {server.available or 'no more'}.",
                "Run ALTER EXTENSION timescaledb UPDATE as the first statement of a session.",
            )
        ]
    return [ok("versions", f"{what}.")]


async def check_edition(connection: Connection, server: Server) -> list[Finding]:
    """Compare what the database was built for with what the server can do now."""
    editions = await connection.fetchrow(_SQL["editions"])
    built, detected = editions["built"], editions["detected"]
    if _EDITIONS.index(detected) < _EDITIONS.index(built):
        return [
            problem(
                "edition",
                f"The database was built for {built}, and the server can only do {detected} now.",
                "Give the server back the TimescaleDB, with the licence, that it had.",
            )
        ]
    if detected != built:
        return [
            warning(
                "edition",
                f"The database was built for {built}, and the server can do {detected} now.",
                "Nothing is wrong; run `observatory-store schema promote` to make use of it.",
            )
        ]
    if server.preloaded and not server.timescaledb and server.available:
        return [
            warning(
                "edition",
                f"The database was built for {built}, and the server has TimescaleDB "
                f"{server.available} ready.",
                "Run `observatory-store schema promote` to make use of it.",
            )
        ]
    return [ok("edition", f"The database was built for {built}, which is what the server can do.")]


def check_writable(server: Server) -> list[Finding]:
    """Tell whether the server takes writes."""
    if server.is_standby or server.is_read_only:
        which = "is a standby" if server.is_standby else "is set to read-only"
        return [
            problem(
                "writable",
                f"The server {which}, so that nothing can be stored.",
                "Point OBSERVATORY_DATABASE_URL at the primary (target_session_attrs=read-write), "
                "or end default_transaction_read_only.",
            )
        ]
    return [ok("writable", "The server takes writes.")]


def check_durability(server: Server) -> list[Finding]:
    """Tell whether what is acknowledged outlives a crash of the server."""
    findings = []
    off = [name for name in ("fsync", "full_page_writes") if not getattr(server, name)]
    if off:
        findings.append(
            problem(
                "durability",
                f"A crash of the machine may destroy the database: {' and '.join(off)} off.",
                "Switch it on, unless this is a database for tests.",
            )
        )
    if server.synchronous_commit == "off":
        findings.append(
            warning(
                "durability",
                "A crash of the server loses up to a second of what was acknowledged: "
                "synchronous_commit off.",
                "Switch it on for this role or database, or accept it: docs/operations.md tells "
                "what each choice costs.",
            )
        )
    return findings or [
        ok("durability", f"synchronous_commit is {server.synchronous_commit}, and fsync is on.")
    ]


def check_autovacuum(server: Server) -> list[Finding]:
    """Tell whether the server cleans up after itself."""
    if server.autovacuum:
        return [ok("autovacuum", "autovacuum is on.")]
    return [
        warning(
            "autovacuum",
            "autovacuum is off: dead rows stay, and the planner works with old statistics.",
            "Switch autovacuum on in the server's configuration and reload it.",
        )
    ]


async def check_compression(connection: Connection, server: Server) -> list[Finding]:
    """Tell whether long values are compressed by lz4."""
    if not server.has_lz4:
        return [
            warning(
                "lz4",
                "The server was built without lz4 and compresses long values by pglz, which makes "
                "writing a third slower.",
                "Use a build of PostgreSQL with lz4, as those of Debian, Red Hat and Docker are.",
            )
        ]
    steps = [row["mend"] for row in await connection.fetch(_SQL["columns_without_lz4"])]
    if steps:
        return [
            warning(
                "lz4",
                "The server has lz4, but the tables were made without it, and its "
                "default_toast_compression is another.",
                f"Have the owner run {'; '.join(steps)}; it holds for new rows.",
            )
        ]
    return [ok("lz4", "Long values are compressed by lz4.")]


async def check_clock(
    connection: Connection, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> list[Finding]:
    """Compare this machine's clock with the server's."""
    before = clock()
    there = await connection.fetchval(_SQL["server_time"])
    after = clock()
    # It was some time between the two: only what lies outside is certain.
    skew = max(before - there, there - after, timedelta())
    if skew <= SKEW:
        return [ok("clock", "The clocks of this machine and the server agree.")]
    direction = "ahead of" if before > there else "behind"
    find = problem if skew > LARGE_SKEW else warning
    return [
        find(
            "clock",
            f"The clock of this machine is {round(skew.total_seconds()):,} seconds {direction} "
            "the server's.",
            "Synchronize both by NTP: the service accepts records by its clock, and the server "
            "drops them by its own.",
        )
    ]
