"""The schema of the database: which migrations there are, and applying them."""

from observatory_store.schema.inspector import PlannedRollback
from observatory_store.schema.lock import Holder
from observatory_store.schema.losses import Loss
from observatory_store.schema.migrator import Migrator
from observatory_store.schema.plan import PlannedEffect, PlannedStatement
from observatory_store.schema.promotion import CopiedRelation, Promotion
from observatory_store.schema.rehearsal import RehearsedStep
from observatory_store.schema.source import migrations_folder
from observatory_store.schema.status import MigrationStatus, SchemaStatus, State
from observatory_store.schema.step import Patience, Step
from observatory_store.schema.template import new_migration
from observatory_store.schema.verify import Divergence

__all__ = [
    "CopiedRelation",
    "Divergence",
    "Holder",
    "Loss",
    "MigrationStatus",
    "Migrator",
    "Patience",
    "PlannedEffect",
    "PlannedRollback",
    "PlannedStatement",
    "Promotion",
    "RehearsedStep",
    "SchemaStatus",
    "State",
    "Step",
    "migrations_folder",
    "new_migration",
]
