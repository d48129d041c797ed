"""A database server of a test's own, durable, that can be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from observatory_store.devdb import Cluster
from observatory_store.errors import DevServerError
from patience import PATIENCE_SECONDS
from servers import lasting_port
from servers.chroot import ChrootCluster
from servers.source import ClusterSource, memory_folder

if TYPE_CHECKING:
    from servers.source import Source

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "jit": "off"}
IDLE = {"timescaledb.max_background_workers": "0"}
"""No job of TimescaleDB refreshes, compresses or drops when it likes."""


class RestartableCluster(Cluster):
    """A cluster whose data stay when its server ends, until ``remove``; so does its port."""

    def stop(self) -> None:
        """Shut the server down fast: what is under way is rolled back."""
        self._end_process()

    def crash(self) -> None:
        """Kill the server, as the system does when memory is short: it has to recover."""
        self._signal(signal.SIGKILL)

    def stop_immediately(self) -> None:
        """Shut the server down without a checkpoint: it has to recover."""
        self._signal(signal.SIGQUIT)

    def restart(self) -> None:
        """Start the server again on the same data and port."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self.start()
            except DevServerError:
                # The processes of a killed server live on until they notice.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def remove(self) -> None:
        """Stop the server and remove its data."""
        super().stop()

    def _signal(self, sign: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, sign)
        self._process.wait()
        self._end_process()


class RestartableChrootCluster(RestartableCluster, ChrootCluster):
    """The same, inside a chroot."""


def restartable(source: Source) -> RestartableCluster | None:
    """Return a new cluster of the same programs, or None if they are not this machine's."""
    match source:
        case ClusterSource(cluster=ChrootCluster() as cluster):
            made: RestartableCluster = RestartableChrootCluster(cluster._root, DURABLE | IDLE)
            made._port = lasting_port()
            return made
        case ClusterSource(cluster=cluster):
            return RestartableCluster(
                cluster.installation,
                port=lasting_port(),
                settings=DURABLE | IDLE if cluster.installation.timescaledb else DURABLE,
                temporary_in=memory_folder(),
            )
        case _:
            return None
