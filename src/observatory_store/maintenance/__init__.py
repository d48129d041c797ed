"""Work that keeps the database right and small: the rollups' refresh, and the retention."""

from observatory_store.maintenance.expiry import Expiry
from observatory_store.maintenance.maintain import MaintainReport, keep_maintained, maintain
from observatory_store.maintenance.policies import Policies, Policy, PolicyChange
from observatory_store.maintenance.recost import Recosts
from observatory_store.maintenance.recost_run import RecostRange, RecostReport
from observatory_store.maintenance.rollups import (
    BackfillProgress,
    Rollups,
    RollupStatus,
)

__all__ = [
    "BackfillProgress",
    "Expiry",
    "MaintainReport",
    "Policies",
    "Policy",
    "PolicyChange",
    "RecostRange",
    "RecostReport",
    "Recosts",
    "RollupStatus",
    "Rollups",
    "keep_maintained",
    "maintain",
]
