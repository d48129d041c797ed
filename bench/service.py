"""The service as a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


class Service:
    """A running service."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def peak_memory_mib(self) -> float:
        """Return the most memory that the largest of the processes had resident."""
        return max(
            int(found[1]) / 1024
            for pid in self._processes()
            if (found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()))
        )

    def cpu_seconds(self) -> float:
        """Return what all the processes have used of the processors, in this program and for it."""
        total = 0
        for pid in self._processes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def _processes(self) -> list[int]:
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in children.read_text().split()]
        return found


@asynccontextmanager
async def service(database_url: str, *, workers: int = 1) -> AsyncIterator[Service]:
    """Run the service on a free port until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "observatory_store.cli", "serve", "--workers", str(workers)),
        env={
            **os.environ,
            "OBSERVATORY_DATABASE_URL": database_url,
            "OBSERVATORY_AUTH": "off",
            "OBSERVATORY_HOST": "127.0.0.1",
            "OBSERVATORY_PORT": str(port),
            "OBSERVATORY_LOG_LEVEL": "warning",
        },
    )
    try:
        await _wait_until_it_listens(port)
        yield Service(process.pid, port)
    finally:
        process.terminate()
        await process.wait()


async def _wait_until_it_listens(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError("the service did not start")
