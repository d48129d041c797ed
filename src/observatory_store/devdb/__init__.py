"""Private PostgreSQL servers for development, demonstrations and tests."""

from __future__ import annotations

from observatory_store.devdb.cluster import Cluster
from observatory_store.devdb.discovery import choose, find_installations
from observatory_store.devdb.installation import Installation

__all__ = ["Cluster", "Installation", "choose", "find_installations"]
