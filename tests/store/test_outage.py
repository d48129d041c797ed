"""The database goes away, or the gateway is killed: what was kept is stored once."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from observatory_store import RecordingOptions, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from patience import until
from storage.samples import RECOUNT_TRACES, RECOUNT_USAGE, TRACES, USAGE, query
from store import recording_process
from store.calls import NOWHERE, at_once, call, stored
from store.conftest import PrivateServer

PROGRAM = Path(recording_process.__file__)
OLD = datetime(1999, 12, 31, tzinfo=UTC)
FAST_FLUSH = RecordingOptions(flush_rows=50, flush_seconds=0.02)


@pytest.mark.parametrize("spooling", [True, False])
async def test_a_database_that_stops_and_comes_back(
    private_server: PrivateServer, tmp_path: Path, *, spooling: bool
) -> None:
    """Through a restart of the database calls return at once, and all of them arrive once."""
    spool = tmp_path / "spool" if spooling else ""
    async with Store.open(private_server.url, recording=FAST_FLUSH, spool_dir=spool) as store:
        number = 0

        async def record(count: int) -> None:
            nonlocal number
            for _ in range(count):
                number += 1
                at_once(store.record(call(number)))
                await asyncio.sleep(0.001)

        await record(200)
        await store.flush()
        await asyncio.to_thread(private_server.stop)
        await record(500)
        await until(lambda: store.health().database_is_away)
        await record(500)
        if spooling:
            await store.flush()
            assert store.health().spooled_records == 1000
            assert store.health().queued == 0
        else:
            assert store.health().queued == 1000
        await asyncio.to_thread(private_server.start)
        await record(100)
        await store.flush()
        await until(lambda: store.health().spool_bytes == 0)
        await until(lambda: not store.health().database_is_away)
        await record(100)
        await store.flush()
        health = store.health()
    assert (health.recorded, health.dropped, health.rejected) == (1400, 0, 0)
    assert health.committed + health.duplicates == 1400
    assert stored(private_server.url) == list(range(1, 1401))
    assert query(private_server.url, TRACES) == query(private_server.url, RECOUNT_TRACES)


@pytest.mark.editions("postgres")
async def test_a_database_that_refuses_to_write(database_url: str, tmp_path: Path) -> None:
    """A former primary answers but takes nothing: that is an outage too, and it ends as one."""
    name = database_url.rpartition("/")[2]
    query(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with Store.open(database_url, recording=FAST_FLUSH, spool_dir=tmp_path) as store:
        await store.record(call(1))
        await store.flush()
        assert store.health().spooled_records == 1
        for number in range(2, 100):
            await store.record(call(number))
        await store.flush()
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        query(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        await until(lambda: store.health().spool_bytes == 0)
    assert stored(database_url) == list(range(1, 100))


@pytest.mark.editions("postgres")
async def test_what_the_database_refuses_does_not_stop_the_rest(
    database_url: str, tmp_path: Path
) -> None:
    """One span that can never be stored must not keep the spool from being emptied."""
    async with Store.open(NOWHERE, recording=FAST_FLUSH, spool_dir=tmp_path) as store:
        for number in range(1, 100):
            await store.record(call(number, **({"end_time": OLD} if number % 10 == 0 else {})))
        await store.flush()
    async with Store.open(database_url, spool_dir=tmp_path) as store:
        await until(lambda: store.health().spool_bytes == 0)
        health = store.health()
    assert (health.committed, health.rejected) == (90, 9)
    assert stored(database_url) == [n for n in range(1, 100) if n % 10]


@pytest.mark.editions("postgres")
async def test_gateways_that_are_killed(database_url: str, tmp_path: Path) -> None:
    """kill -9 at any moment, of gateways that share a spool: all that `flush` said was kept, by
    whichever of them, is there once, and so are the sums.
    """
    chance = random.Random(4)
    kept: set[int] = set()

    async def gateway(url: str, first: int, batches: int, pause: float) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            url,
            str(tmp_path),
            str(first),
            env={**os.environ, "PYTHONPATH": str(PROGRAM.parents[1])},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        lines = [await process.stdout.readline() for _ in range(batches)]
        await asyncio.sleep(pause)
        process.kill()
        lines += (await process.stdout.read()).splitlines()
        await process.wait()
        for line in lines:
            begin = int(line)
            kept.update(range(begin, begin + recording_process.BATCH))

    for round_ in range(4):
        # The first two are without a database; the others replay what those left while they record.
        url = NOWHERE if round_ < 2 else database_url
        firsts = [(4 * round_ + n) * 100_000 + 1 for n in range(3)]
        await asyncio.gather(
            *(gateway(url, one, chance.randrange(2, 15), 0.02 * chance.random()) for one in firsts)
        )
    async with Store.open(database_url, spool_dir=tmp_path) as store:
        await until(lambda: store.health().spool_bytes == 0)
        assert store.health().rejected == 0
    numbers = stored(database_url)
    assert len(kept) > 100
    assert len(numbers) == len(set(numbers))
    assert kept <= set(numbers)
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


@pytest.mark.editions("postgres")
async def test_two_stores_share_a_spool(database_url: str, tmp_path: Path) -> None:
    """Two workers of one gateway replay beside each other, and double nothing."""
    async with (
        Store.open(NOWHERE, spool_dir=tmp_path) as one,
        Store.open(NOWHERE, spool_dir=tmp_path) as other,
    ):
        for number in range(1, 2001, 2):
            await one.record(call(number))
            await other.record(call(number + 1))
        await one.flush()
    async with (
        Store.open(database_url, spool_dir=tmp_path) as one,
        Store.open(database_url, spool_dir=tmp_path) as other,
    ):
        await until(lambda: one.health().spool_bytes + other.health().spool_bytes == 0)
        committed = one.health().committed + other.health().committed
    assert committed == 2000
    assert stored(database_url) == list(range(1, 2001))


@pytest.mark.editions("postgres")
async def test_a_full_spool_leaves_it_to_the_queue(database_url: str, tmp_path: Path) -> None:
    """An outage longer than the disk is large: nothing spooled is given up, the rest is counted."""
    options = RecordingOptions(queue_rows=10, flush_seconds=0.01, spool_bytes=20_000)
    async with Store.open(NOWHERE, recording=options, spool_dir=tmp_path) as store:

        def is_full() -> bool:
            return "full" in str(store.health().last_error)

        number = 1
        while not is_full():
            at_once(store.record(call(number)))
            number += 1
            await until(lambda: is_full() or store.health().queued < options.queue_rows)
        for later in range(number, 301):
            at_once(store.record(call(later)))
        health = store.health()
        assert health.queued == 10
        assert 0 < health.spooled_records < 200
        assert health.spool_bytes <= 20_000
        assert health.spooled_records + health.dropped + health.queued == 300
        assert "full" in str(health.last_error)
    spooled = store.health().spooled_records
    async with Store.open(database_url, spool_dir=tmp_path) as store:
        await until(lambda: store.health().spool_bytes == 0)
    numbers = stored(database_url)
    assert len(numbers) == spooled
    assert numbers[:10] == list(range(1, 11))
