"""What `doctor` asks of what goes on beside the service: transactions, standbys, the disk."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import msgspec

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.sql import load

_SQL = load("doctor")

_GIB = 2**30

LONG_TRANSACTION = timedelta(minutes=5)
LONG_LAG = timedelta(minutes=1)
LARGE_LAG_BYTES = _GIB
LITTLE_SPACE, NO_SPACE = 0.10, 0.03
"""Of the whole disk, free for the server."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a disk."""

    free: int
    total: int


async def check_transactions(
    connection: Connection, longest: timedelta = LONG_TRANSACTION
) -> list[Finding]:
    """Tell which transactions of this database have been open for so long that they hinder."""
    rows = await connection.fetch(_SQL["old_transactions"], longest)
    if rows:
        oldest = rows[0]
        return [
            warning(
                "transactions",
                f"{len(rows)} transactions are open for over {_minutes(longest)}, the oldest, "
                f"{oldest['who']}, for {_minutes(oldest['age'])}. They keep dead rows from being "
                "vacuumed, and migrations from the tables they used.",
                f"Let it end, or run {oldest['end']}.",
            )
        ]
    hidden = await connection.fetchval(_SQL["hidden_sessions"])
    unseen = f", but this role may not look at {hidden} sessions (pg_monitor may)" if hidden else ""
    return [
        ok("transactions", f"No transaction is seen open for over {_minutes(longest)}{unseen}.")
    ]


async def check_replication(
    connection: Connection, largest_bytes: int = LARGE_LAG_BYTES
) -> list[Finding]:
    """Tell whether standbys follow, and whether one that is away keeps the log from going."""
    rows = await connection.fetch(_SQL["followers"])
    findings = []
    for row in rows:
        name, behind, lag = row["name"], row["bytes"] or 0, row["lag"] or timedelta()
        if not row["is_connected"] and behind > largest_bytes:
            findings.append(
                problem(
                    "replication",
                    f"The replication slot {name} has no reader and keeps {behind / _GIB:,.1f} GiB "
                    "of log on the disk, more by the minute.",
                    f"Start its reader, or run SELECT pg_drop_replication_slot('{name}').",
                )
            )
        elif row["is_connected"] and (behind > largest_bytes or lag > LONG_LAG):
            findings.append(
                warning(
                    "replication",
                    f"{name} is {behind / _GIB:,.1f} GiB and {lag.total_seconds():,.0f} seconds "
                    "behind: a failover to it loses that.",
                    "See to its disk and network before a migration, which writes more.",
                )
            )
    following = sum(row["is_connected"] for row in rows)
    return findings or [ok("replication", f"{following} standbys or readers of the log follow.")]


async def check_disk(connection: Connection) -> list[Finding]:
    """Tell the server's free space, if it is on this machine and this role may know where."""
    disk = await find_disk(connection)
    if disk is None:
        return [
            ok(
                "disk",
                "The free space of the server is out of sight: watch it on its machine.",
            )
        ]
    return judge_disk(disk.free, disk.total)


async def find_disk(connection: Connection) -> Disk | None:
    """Return the bytes of the server's disk; None if that is not in sight."""
    folder = await connection.fetchval(_SQL["local_data_directory"])
    if folder is None or not os.path.isdir(folder):  # noqa: PTH112, ASYNC240 - one stat
        return None
    usage = shutil.disk_usage(folder)
    return Disk(free=usage.free, total=usage.total)


def judge_disk(free: int, total: int) -> list[Finding]:
    """Tell whether the bytes that are free on the server's disk are too few."""
    what = f"The server's disk has {free / _GIB:,.1f} of {total / _GIB:,.1f} GiB free."
    if free >= total * LITTLE_SPACE:
        return [ok("disk", what)]
    return [
        (problem if free < total * NO_SPACE else warning)(
            "disk", what, "Give it more, or lower a retention: docs/runbook.md tells how."
        )
    ]


def _minutes(span: timedelta) -> str:
    return f"{span.total_seconds() / 60:,.0f} minutes"
