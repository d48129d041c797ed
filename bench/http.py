"""A client that costs little: prepared bodies over kept-alive connections."""

from __future__ import annotations

import asyncio
from collections import deque


class FailedRequestError(Exception):
    """The service did not answer 200."""


async def post_all(
    port: int, path: str, content_type: str, bodies: list[bytes], *, connections: int
) -> None:
    """POST every body; return when all are answered 200.

    Raises:
        FailedRequestError: an answer was another one.
    """
    waiting = deque(bodies)

    async def send() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while waiting:
            body = waiting.popleft()
            writer.write(
                f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
            )
            writer.write(body)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
            answer = await reader.readexactly(length)
            if " 200 " not in head.split("\r\n")[0]:
                raise FailedRequestError(f"{head.splitlines()[0]}: {answer[:200]!r}")
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(send() for _ in range(connections)))
