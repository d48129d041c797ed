"""What `doctor` asks of the tables' growth: whether the disk holds what retention keeps."""

from __future__ import annotations

from collections.abc import Sequence

from observatory_store.database import Connection
from observatory_store.maintenance.finding import Finding, ok, problem, warning
from observatory_store.maintenance.growth import Growth, days_until_full, fitting_retention
from observatory_store.maintenance.surroundings_checks import find_disk
from observatory_store.sql import load

_SQL = load("maintenance") | load("doctor")
_CHECK = "growth"

_SOON_DAYS = 7
_RESERVE = 0.10
"""Of the free bytes, left free by the retention that is advised."""
_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


async def check_growth(connection: Connection) -> list[Finding]:
    """Tell when the server's disk is full, if that can be told."""
    disk = await find_disk(connection)
    return judge_growth(await read_growths(connection), None if disk is None else disk.free)


async def read_growths(connection: Connection) -> list[Growth]:
    """Return what is known of each relation that has had data for a day, from the catalogue."""
    edition = await connection.fetchval(_SQL["edition"])
    rows = await connection.fetch(_SQL["growth_of_tables"])
    if edition != "postgres":
        rows += await connection.fetch(_SQL["growth_of_hypertables"])
    return [Growth(**row) for row in rows]


def judge_growth(growths: Sequence[Growth], free: int | None) -> list[Finding]:
    """Tell whether the tables outgrow the free bytes before retention holds them.

    Args:
        growths: of all relations of which something is known.
        free: bytes on the server's disk; None if out of sight.

    """
    if not growths:
        what = "How fast the tables grow can be told once they have, and ANALYZE has seen, a day."
        return [ok(_CHECK, what)]
    adds = f"A day adds about {_size(sum(growth.bytes_a_day for growth in growths))}"
    to_come = _size(sum(growth.to_come for growth in growths))
    grow = f"until retention holds them, or in a year, the tables grow by {to_come}"
    if free is None:
        return [ok(_CHECK, f"{adds}; {grow}. The free space of the server is out of sight.")]
    days = days_until_full(growths, free)
    if days is None:
        return [ok(_CHECK, f"{adds}; {grow}, for which the {_size(free)} free are enough.")]
    find = problem if days < _SOON_DAYS else warning
    return [
        find(
            _CHECK,
            f"The server's disk is full in about {days:,.0f} days at this rate. {adds}; {grow}, "
            f"and {_size(free)} are free.",
            _advice(growths, free),
        )
    ]


def _advice(growths: Sequence[Growth], free: int) -> str:
    largest = max(growths, key=lambda growth: growth.to_come)
    days = fitting_retention(growths, free * (1 - _RESERVE), largest)
    command = f"observatory-store policy set {largest.relation} retention"
    if days:
        return f"Give it more, or run `{command} {days}d`: that would fit."
    return (
        f"Give it more, or lower the retentions, of {largest.relation} first: `{command} 7d "
        "--dry-run` shows what would go."
    )


def _size(size: float) -> str:
    unit, name = next(((unit, name) for unit, name in _UNITS if size >= unit), _UNITS[-1])
    return f"{size / unit:,.1f} {name}"
