"""The database ends at any moment; what was acknowledged is stored, once."""

from __future__ import annotations

import asyncio
import random

import pytest

from chaos.client import Traffic
from chaos.conftest import Serve
from chaos.database import RestartableCluster
from chaos.findings import assert_exactly_once
from chaos.load import Load
from patience import until


async def test_restarts_of_the_database_lose_and_double_nothing(
    cluster: RestartableCluster, durable_url: str, serve: Serve
) -> None:
    """Otherwise a crash or an upgrade of PostgreSQL costs telemetry that senders were told is safe,
    counts it twice, or needs a restart of the service after it.
    """
    load, chance = Load(seed=3), random.Random(3)
    service = serve(durable_url)
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        for end in (cluster.stop, cluster.crash, cluster.stop_immediately, cluster.crash):
            await traffic.progress(chance.randrange(20, 80))
            await asyncio.sleep(chance.uniform(0, 0.02))
            await asyncio.to_thread(end)
            await asyncio.to_thread(cluster.restart)
            await traffic.progress(1)
    assert "Traceback" not in service.log
    await assert_exactly_once(durable_url, load, traffic.acknowledged)


@pytest.mark.editions("postgres", "community")
async def test_a_long_outage_of_the_database(
    cluster: RestartableCluster, durable_url: str, serve: Serve
) -> None:
    """Otherwise a balancer goes on sending to a service that cannot store, senders are not told to
    come back, or somebody has to restart the service once the database is there again.
    """
    load = Load(seed=4)
    service = serve(durable_url)
    async with Traffic(service.url, load, exporters=8).running() as traffic:
        await traffic.progress(20)
        await service.answers("/readyz")
        await asyncio.to_thread(cluster.stop)
        await service.answers("/readyz", 503)
        await service.answers("/healthz")
        await until(lambda: traffic.refusals > 0)
        await asyncio.to_thread(cluster.restart)
        await service.answers("/readyz")
        await traffic.progress(20)
    assert "Traceback" not in service.log
    await assert_exactly_once(durable_url, load, traffic.acknowledged)
