"""Work that keeps the database right and small: the rollups' refresh, and the retention."""

from observatory_store.maintenance.maintain import MaintainReport, maintain
from observatory_store.maintenance.rollups import (
    BackfillProgress,
    Rollups,
    RollupStatus,
    keep_refreshed,
)

__all__ = [
    "BackfillProgress",
    "MaintainReport",
    "RollupStatus",
    "Rollups",
    "keep_refreshed",
    "maintain",
]
