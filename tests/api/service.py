"""The service under test: the real application behind a real server on a free port."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import httpx
import uvicorn
from pydantic import SecretStr

from observatory_store.api import create_app
from observatory_store.otlp import MediaType, Signal
from observatory_store.settings import AuthMode, Settings
from patience import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, and the database behind it."""

    http: httpx.AsyncClient
    url: str
    database_url: str

    async def send(
        self,
        signal: Signal | str,
        body: Message | bytes,
        media_type: str = MediaType.PROTOBUF.value,
        **headers: str,
    ) -> httpx.Response:
        """Send one OTLP request."""
        content = body if isinstance(body, bytes) else body.SerializeToString()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            f"/v1/{signal}", content=content, headers={"content-type": media_type, **names}
        )

    async def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON of a query that must succeed. ``from_`` is the parameter ``from``."""
        query = {name.rstrip("_"): value for name, value in parameters.items()}
        response = await self.http.get(f"/api/v1/{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """Ask the database itself."""
        connection = await asyncpg.connect(self.database_url)
        try:
            records: list[Any] = await connection.fetch(query, *arguments)
            return records
        finally:
            await connection.close()

    async def measurement(self, name: str) -> float:
        """Return what `/metrics` says; the name has its labels, as they stand there."""
        for line in (await self.http.get("/metrics")).text.splitlines():
            found, _, value = line.rpartition(" ")
            if found == name:
                return float(value)
        return 0.0

    async def reaches(self, name: str, least: float) -> None:
        """Wait until a measurement is at least so much."""

        async def reached() -> bool:
            return await self.measurement(name) >= least

        await until(reached)

    async def count(self, relation: str) -> int:
        """Count the rows of a relation of schema observatory."""
        records = await self.fetch(f"SELECT count(*) FROM observatory.{relation}")
        return int(records[0][0])

    async def counts(self) -> dict[str, int]:
        """Count the rows of every table of ours, also the private ones."""
        tables = await self.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname IN ('observatory', 'observatory_private') ORDER BY 1"
        )
        return {
            table: (await self.fetch(f"SELECT count(*) FROM {table}"))[0][0] for (table,) in tables
        }


@asynccontextmanager
async def serving(
    database_url: str, *, auth: AuthMode = AuthMode.OFF, **settings: Any
) -> AsyncIterator[Service]:
    """Run the service until the block ends."""
    app = create_app(Settings(database_url=SecretStr(database_url), auth=auth, **settings))
    config = uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="on")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done(), "the service did not start"
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as http:
            yield Service(http, url, database_url)
    finally:
        server.should_exit = True
        await task
