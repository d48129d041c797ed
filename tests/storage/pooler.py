"""A pooler in transaction mode, as PgBouncer is: a session serves a client for one transaction."""

from __future__ import annotations

import asyncio
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_SSL_REQUEST = 80877103
_AUTHENTICATION_OK = b"R" + struct.pack("!ii", 8, 0)
_KEY = b"K" + struct.pack("!iii", 12, 1, 1)
_READY = b"Z" + struct.pack("!i", 5) + b"I"
_END = (ConnectionError, asyncio.IncompleteReadError)


class _Session:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.settings = b""


class _Pooler:
    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[_Session] = []
        self._all: list[_Session] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(*_END):
            startup = await _startup(reader)
            if struct.unpack("!i", startup[4:8])[0] == _SSL_REQUEST:
                writer.write(b"N")
                startup = await _startup(reader)
            session = await self._session(startup)
            self._idle.append(session)
            writer.write(_AUTHENTICATION_OK + session.settings + _KEY + _READY)
            await self._relay(reader, writer, startup)
        writer.close()

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, startup: bytes
    ) -> None:
        answering: asyncio.Task[None] | None = None
        session: _Session | None = None
        while (message := await _message(reader))[:1] != b"X":
            if session is None or answering is None or answering.done():
                session = await self._session(startup)
                answering = asyncio.create_task(self._answer(session, writer))
            session.writer.write(message)

    async def _answer(self, session: _Session, writer: asyncio.StreamWriter) -> None:
        with suppress(*_END):
            message = b""
            while message != _READY:
                message = await _message(session.reader)
                if message == _READY:
                    self._idle.append(session)
                writer.write(message)

    async def _session(self, startup: bytes) -> _Session:
        if self._idle:
            return self._idle.pop()
        session = _Session(*await asyncio.open_connection(self._host, self._port))
        self._all.append(session)
        session.writer.write(startup)
        while (message := await _message(session.reader))[:1] != b"Z":
            if message[:1] == b"S":
                session.settings += message
        return session

    def close(self) -> None:
        for session in self._all:
            session.writer.close()


@asynccontextmanager
async def pooled(url: str) -> AsyncIterator[str]:
    """Give the URL of the same database behind a pooler in transaction mode."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    pooler = _Pooler(parts.hostname, parts.port or 5432)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
    finally:
        server.close()
        pooler.close()
        await asyncio.sleep(0.01)


async def _startup(reader: asyncio.StreamReader) -> bytes:
    length = await reader.readexactly(4)
    return length + await reader.readexactly(struct.unpack("!i", length)[0] - 4)


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(5)
    return head + await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
