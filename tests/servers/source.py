"""Where a test server comes from."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from observatory_store.devdb import Cluster

# Nothing of a test database outlives the run, so durability is only a cost. No scheduler of
# TimescaleDB runs: tests run a policy with `CALL run_job(id)`, and a clone needs an idle template.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "jit": "off",
}
FAST_TIMESCALE = FAST | {"timescaledb.max_background_workers": "0"}


MEMORY = Path("/dev/shm")  # noqa: S108 -- each run makes a private folder in it
ENOUGH_MEMORY = 4 * 1024**3


def memory_folder() -> Path | None:
    """Return a place in memory for data; a clone takes 10 ms there, and 200 ms on some disks."""
    if not os.access(MEMORY, os.W_OK | os.X_OK):
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free > ENOUGH_MEMORY else None


class Source(Protocol):
    """A server that can be started."""

    @property
    def description(self) -> str:
        """Where the server comes from, for the summary."""

    def start(self) -> str:
        """Start the server and return a superuser's URL."""

    def stop(self) -> None:
        """Stop the server; harmless if it does not run."""


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """A private cluster."""

    cluster: Cluster
    description: str

    def start(self) -> str:
        """Start the cluster."""
        self.cluster.start()
        return self.cluster.url

    def stop(self) -> None:
        """Stop the cluster."""
        self.cluster.stop()


@dataclass(frozen=True, slots=True)
class RunningSource:
    """A server that somebody else started, and ends."""

    url: str
    description: str

    def start(self) -> str:
        """Return its URL."""
        return self.url

    def stop(self) -> None:
        """Leave it running."""


class NotCoveredError(Exception):
    """No server of that edition runs on this machine; the message says why."""
