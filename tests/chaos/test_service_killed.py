"""The service ends at any moment; what it acknowledged is stored, once."""

from __future__ import annotations

import asyncio
import random

import pytest

from chaos.client import Traffic
from chaos.conftest import Serve
from chaos.findings import assert_exactly_once
from chaos.load import Load

KILLS = 5


async def test_kill_9_under_load_loses_and_doubles_nothing(database_url: str, serve: Serve) -> None:
    """Otherwise a service that runs out of memory loses telemetry which senders were told is safe,
    or counts tokens and cost twice because they sent again.
    """
    load, chance = Load(seed=1), random.Random(1)
    service = serve(database_url)
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        for _ in range(KILLS):
            await traffic.progress(chance.randrange(1, 50))
            await asyncio.sleep(chance.uniform(0, 0.02))
            service.kill()
            service.start()
        # Now and then it is killed before it answers at all.
        await asyncio.sleep(chance.uniform(0, 0.5))
        service.kill()
        service.start()
        await traffic.progress(50)
    assert traffic.disconnections > 0
    assert "Traceback" not in service.log
    await assert_exactly_once(database_url, load, traffic.acknowledged)


@pytest.mark.editions("postgres")
async def test_a_deploy_under_load_loses_and_doubles_nothing(
    database_url: str, serve: Serve
) -> None:
    """Otherwise each release costs telemetry: SIGTERM is a clean end, also under load."""
    load, chance = Load(seed=2), random.Random(2)
    service = serve(database_url)
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        for _ in range(2):
            await traffic.progress(chance.randrange(1, 50))
            assert await asyncio.to_thread(service.terminate) == 0
            service.start()
        await traffic.progress(50)
    assert "Traceback" not in service.log
    await assert_exactly_once(database_url, load, traffic.acknowledged)
