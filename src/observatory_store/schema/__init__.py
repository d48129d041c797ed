"""The schema of the database: which migrations there are, and applying them."""

from observatory_store.schema.migrator import MigrationStatus, Migrator
from observatory_store.schema.source import migrations_folder

__all__ = ["MigrationStatus", "Migrator", "migrations_folder"]
