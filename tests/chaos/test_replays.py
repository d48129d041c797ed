"""The same requests, over and over."""

from __future__ import annotations

import asyncio
import random

import httpx

from chaos.client import Exporter
from chaos.conftest import Serve
from chaos.findings import assert_exactly_once
from chaos.load import Load
from patience import PATIENCE_SECONDS

CLIENTS = 8
REQUESTS = 60


async def test_requests_replayed_by_many_clients_at_once(database_url: str, serve: Serve) -> None:
    """Otherwise a Collector with several exporters that all try again counts tokens and cost up to
    eight times.
    """
    load = Load(seed=5)
    service = serve(database_url)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        for seed in range(CLIENTS):
            tasks.create_task(_send_all(service.url, load, seed))
    assert "Traceback" not in service.log
    await assert_exactly_once(database_url, load, range(REQUESTS))


async def _send_all(url: str, load: Load, seed: int) -> None:
    order = random.Random(seed).sample(range(REQUESTS), REQUESTS)
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as http:
        exporter = Exporter(http, seed)
        for number in order:
            await exporter.deliver(load.request(number))
