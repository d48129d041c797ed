"""A client that costs little: prepared bodies over kept-alive connections."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Self


class FailedRequestError(Exception):
    """The service did not answer 200."""


class Connection:
    """One connection to the service."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, media: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {media}\r\n"

    @classmethod
    async def open(cls, port: int, path: str, media: str) -> Self:
        """Connect to the service on this machine."""
        return cls(*await asyncio.open_connection("127.0.0.1", port), path, media)

    async def post(self, body: bytes) -> None:
        """POST a body and wait for the answer.

        Raises:
            FailedRequestError: it is not 200.

        """
        self._writer.write(f"{self._head}Content-Length: {len(body)}\r\n\r\n".encode())
        self._writer.write(body)
        await self._writer.drain()
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
        answer = await self._reader.readexactly(length)
        if " 200 " not in head.split("\r\n")[0]:
            raise FailedRequestError(f"{head.splitlines()[0]}: {answer[:200]!r}")

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        await self._writer.wait_closed()


async def post_all(
    port: int, path: str, media: str, bodies: Sequence[bytes], *, connections: int
) -> None:
    """POST every body, the next one as soon as a connection is free; return when all are stored."""
    waiting = deque(bodies)

    async def send() -> None:
        connection = await Connection.open(port, path, media)
        while waiting:
            await connection.post(waiting.popleft())
        await connection.close()

    await asyncio.gather(*(send() for _ in range(connections)))


async def post_at_a_rate(
    port: int, path: str, media: str, bodies: Sequence[bytes], *, a_second: float
) -> list[float]:
    """POST the bodies at even times, whether those before are answered or not.

    Returns the seconds from when each was due to its answer, so that a client that came late, or
    waited for a connection, does not make the service look quick.
    """
    free: deque[Connection] = deque()
    start = time.perf_counter()

    async def send(number: int, body: bytes) -> float:
        due = start + number / a_second
        await asyncio.sleep(due - time.perf_counter())
        # The one that rested longest, because the service closes those that rest too long.
        connection = free.popleft() if free else await Connection.open(port, path, media)
        await connection.post(body)
        free.append(connection)
        return time.perf_counter() - due

    taken = await asyncio.gather(*(send(number, body) for number, body in enumerate(bodies)))
    for connection in free:
        await connection.close()
    return taken
