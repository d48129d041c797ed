"""What `doctor` asks of the recosts."""

from __future__ import annotations

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, warning
from observatory_store.maintenance.recost import LOCK
from observatory_store.sql import load

_SQL = load("recosts")


async def check_recosts(connection: Connection) -> list[Finding]:
    """Tell which recosts were stopped and never finished: a part of their range has old costs.

    One that is under way is none of them, nor one whose range a later one did in full.
    """
    if await connection.fetchval(_SQL["is_under_way"], LOCK >> 32, LOCK & 0xFFFFFFFF):
        return [ok("recosts", "A recost is under way.")]
    findings = [
        warning(
            "recosts",
            f"Recost {row['recost_id']}, begun by {row['started_by']} at "
            f"{row['started_at']:%Y-%m-%d %H:%MZ} for {row['range_start']:%Y-%m-%d %H:%MZ} to "
            f"{row['range_end']:%Y-%m-%d %H:%MZ}, was stopped at {row['done_day']:%Y-%m-%d}: "
            "calls after that have the costs from before.",
            f"Run `observatory-store recost --resume {row['recost_id']}`; if it says that prices "
            "have changed since, recost the same range anew.",
        )
        for row in await connection.fetch(_SQL["unfinished"])
    ]
    return findings or [ok("recosts", "Every recost was done to its end.")]
