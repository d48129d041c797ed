"""``serve --workers``: several processes on one port."""

from __future__ import annotations

import asyncio
import random
import sys

import pytest

from chaos.client import Traffic
from chaos.conftest import Serve
from chaos.findings import assert_exactly_once
from chaos.load import Load
from chaos.process import gone, kill, paused
from patience import until

pytestmark = [
    pytest.mark.editions("postgres"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc"),
]


async def test_each_worker_serves_on_the_one_port(database_url: str, serve: Serve) -> None:
    """Otherwise more workers are only more memory: with any one of them paused, the rest answer."""
    service = serve(database_url, workers=2)
    await service.answers("/readyz")
    await until(lambda: len(service.workers()) == 2)
    for worker in service.workers():
        with paused(worker):
            await service.answers("/healthz")


async def test_workers_that_are_killed_are_replaced(database_url: str, serve: Serve) -> None:
    """Otherwise one worker that runs out of memory leaves half a service behind, loses what it
    acknowledged, or has it counted twice.
    """
    load, chance = Load(seed=6), random.Random(6)
    service = serve(database_url, workers=2)
    await service.answers("/readyz")
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        for _ in range(3):
            await until(lambda: len(service.workers()) == 2)
            await traffic.progress(chance.randrange(20, 80))
            victim = chance.choice(sorted(service.workers()))
            kill(victim)
            await gone({victim})
        await until(lambda: len(service.workers()) == 2)
        await traffic.progress(50)
    assert traffic.disconnections > 0
    assert "Traceback" not in service.log
    await assert_exactly_once(database_url, load, traffic.acknowledged)


async def test_workers_end_with_the_process_that_watches_them(
    database_url: str, serve: Serve
) -> None:
    """Otherwise its workers go on unwatched, and keep the port from the service that is started
    in its place.
    """
    load = Load(seed=7)
    service = serve(database_url, workers=2)
    await service.answers("/readyz")
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        await until(lambda: len(service.workers()) == 2)
        await traffic.progress(20)
        workers = service.workers()
        service.kill()
        await gone(workers)
        service.start()
        await traffic.progress(20)
        assert await asyncio.to_thread(service.terminate) == 0
        service.start()
        await traffic.progress(20)
    await assert_exactly_once(database_url, load, traffic.acknowledged)
