"""The service as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
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

    def peak_memory_mib(self) -> float | None:
        """Return the most memory that the process had resident, where the system tells it."""
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
            if found:
                return int(found[1]) / 1024
        return None


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
