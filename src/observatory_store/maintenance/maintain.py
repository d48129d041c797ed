"""What has to be done from time to time, in the right order."""

from __future__ import annotations

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.maintenance.retention import drop_expired
from observatory_store.maintenance.rollups import Rollups
from observatory_store.maintenance.text_indexes import index_texts


class MaintainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did."""

    refreshed_buckets: int
    dropped: tuple[str, ...]
    indexed: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the report for people."""
        return [
            f"refreshed {self.refreshed_buckets} changed quarter-hours",
            *self.dropped,
            *self.indexed,
        ]


async def maintain(pool: Pool) -> MaintainReport:
    """Refresh the rollups, drop what has expired, then index the words of finished days.

    In this order, because what is dropped can be counted no more. To run it twice, or in two
    processes at once, does no harm.
    """
    refreshed = await Rollups(pool).refresh()
    with translate_failures():
        dropped = await drop_expired(pool)
        indexed = await index_texts(pool)
    return MaintainReport(
        refreshed_buckets=refreshed, dropped=tuple(dropped), indexed=tuple(indexed)
    )
