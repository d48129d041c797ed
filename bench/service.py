"""The service as a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A running service."""

    pid: int
    port: int


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
