"""A gateway records its calls; whatever becomes of them, its requests go on."""

from __future__ import annotations

import asyncio
import os
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from observatory_store import LLMCall, RecorderFullError, RecordingOptions, Store, TimeRange
from observatory_store.errors import InvalidInputError, NotFoundError, UnavailableError
from patience import until
from storage.samples import query
from store.calls import NOWHERE, at_once, call, stored

pytestmark = pytest.mark.editions("postgres")

HANGING_SECONDS = 60.0
LOCK = "LOCK TABLE observatory.spans IN ACCESS EXCLUSIVE MODE"


class Blocked:
    """Keeps every write of spans waiting while the block lasts."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def __aenter__(self) -> None:
        self._connection = await psycopg.AsyncConnection.connect(self._url)
        await self._connection.execute(LOCK)

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


async def test_what_is_recorded_is_stored_by_itself(database_url: str) -> None:
    """Nobody has to flush: after a second at most, or at once if there is much, it is stored."""
    options = RecordingOptions(flush_rows=10, flush_seconds=0.2)
    async with Store.open(database_url, recording=options) as store:
        for number in range(1, 11):
            await store.record(call(number))
        await until(lambda: store.health().committed == 10)
        await store.record(call(11))
        await until(lambda: store.health().committed == 11)
        assert stored(database_url) == list(range(1, 12))
        assert await store.traces.get(f"{3:032x}") is not None


async def test_flush_and_close(database_url: str) -> None:
    """A program that ends must not take the last calls with it."""
    options = RecordingOptions(flush_seconds=1000)
    async with Store.open(database_url, recording=options) as store:
        await store.record(call(1))
        await store.flush()
        assert stored(database_url) == [1]
        await store.flush()
        for number in range(2, 1300):
            await store.record(call(number))
        assert store.health().queued == 1298
    assert stored(database_url) == list(range(1, 1300))
    health = store.health()
    assert (health.recorded, health.committed, health.queued) == (1299, 1299, 0)
    await store.record(call(5000))
    assert store.health().dropped == 1
    assert query(database_url, "SELECT sum(cost_usd) FROM observatory.spans") == [
        (1299 * Decimal("0.00267"),)
    ]


async def test_health_tells_what_became_of_calls(database_url: str) -> None:
    """An operator must be able to account for every call."""
    async with Store.open(database_url) as store:
        await store.record(call(1))
        await store.record(call(1, start_time=None))
        await store.record(call(2, input_tokens=-1))
        await store.record("no call at all")  # type: ignore[arg-type]  # a program's mistake
        await store.record(call(3, tags={"number": object()}))
        await store.flush()
        before = (await store.spans.list(_last_hour())).items
        again = [one for one in before if one.span_id == f"{1:016x}"][:1]
        assert (await store.write_spans(again)).duplicates == 1
        await store.record(
            call(1, start_time=again[0].start_time, duration_ms=again[0].duration_us / 1000)
        )
        await store.record(call(4, start_time=_last_hour().start.replace(year=1999)))
        await store.flush()
        health = store.health()
    assert health.invalid == 3
    assert (health.recorded, health.committed) == (4, 2)
    assert (health.duplicates, health.rejected, health.dropped) == (1, 1, 0)
    assert not health.database_is_away
    assert health.last_error is None


def _last_hour() -> TimeRange:
    now = datetime.now(UTC)
    return TimeRange(now - timedelta(hours=1), now + timedelta(hours=1))


async def test_health_tells_when(database_url: str, tmp_path: Path) -> None:
    """An old success and a newer error tell of an outage, whoever looks and whenever."""
    before = datetime.now(UTC)
    async with Store.open(database_url) as store:
        opened = store.health().last_success_at
        await store.record(call(1))
        await store.flush()
        health = store.health()
    assert opened is not None
    assert health.last_success_at is not None
    assert before <= opened < health.last_success_at <= datetime.now(UTC)
    assert health.last_error_at is None
    async with Store.open(NOWHERE, spool_dir=tmp_path) as store:
        health = store.health()
    assert health.last_success_at is None
    assert health.last_error_at is not None
    assert before <= health.last_error_at <= datetime.now(UTC)


async def test_a_full_queue_drops_the_oldest(database_url: str) -> None:
    """By default a request never waits; what is lost is counted, and the newest is kept."""
    options = RecordingOptions(queue_rows=20, flush_rows=5, flush_seconds=0.01)
    async with Store.open(database_url, recording=options) as store:
        async with Blocked(database_url):
            for number in range(1, 101):
                await store.record(call(number))
                await asyncio.sleep(0.001)
            health = store.health()
            assert health.queued == 20
            assert health.dropped == 80
        await store.flush()
        assert store.health().committed == 20
    # Five were under way when the queue became full.
    assert stored(database_url)[-15:] == list(range(86, 101))


async def test_a_full_queue_raises_where_that_is_wanted(database_url: str) -> None:
    """A program that would rather know is told, and what was taken before is stored."""
    options = RecordingOptions(queue_rows=10, when_full="raise", flush_seconds=1000)
    async with Store.open(database_url, recording=options) as store:
        async with Blocked(database_url):
            for number in range(1, 11):
                await store.record(call(number))
            with pytest.raises(RecorderFullError, match="10 calls wait"):
                await store.record(call(11))
        await store.flush()
        await store.record(call(12))
    assert stored(database_url) == [*range(1, 11), 12]
    assert store.health().dropped == 1


async def test_a_full_queue_waits_where_that_is_wanted(database_url: str) -> None:
    """A batch program loses nothing, at the price of the database's pace."""
    options = RecordingOptions(queue_rows=10, when_full="wait")
    async with Store.open(database_url, recording=options) as store:
        async with Blocked(database_url):
            recording = [asyncio.create_task(store.record(call(n))) for n in range(1, 101)]
            await asyncio.sleep(0.3)
            assert sum(task.done() for task in recording) == 10
            recording[50].cancel()
        await asyncio.gather(*recording, return_exceptions=True)
    assert stored(database_url) == [n for n in range(1, 101) if n != 51]
    assert store.health().dropped == 0


async def test_the_queue_is_bounded_by_bytes(database_url: str) -> None:
    """Long prompts must not fill the memory before the queue has its ten thousand."""
    options = RecordingOptions(queue_bytes=1_000_000, flush_seconds=1000)
    async with Store.open(database_url, recording=options) as store:
        for number in range(1, 31):
            await store.record(call(number, input_messages="x" * 100_000))
        assert store.health().queued == 9
        await store.record(call(99, input_messages="x" * 2_000_000))
        assert store.health().dropped == 22
    assert stored(database_url) == list(range(22, 31))


@pytest.mark.parametrize("spooling", [True, False])
async def test_closing_is_bounded(database_url: str, tmp_path: Path, *, spooling: bool) -> None:
    """A program ends in seconds, though the database hangs; the calls are spooled, or counted."""
    options = RecordingOptions(close_seconds=0.5, flush_seconds=0.01)
    spool = tmp_path if spooling else ""
    async with Blocked(database_url):
        async with (
            asyncio.timeout(HANGING_SECONDS),
            Store.open(database_url, recording=options, spool_dir=spool) as store,
        ):
            for number in range(1, 31):
                await store.record(call(number))
            await asyncio.sleep(0.1)
        health = store.health()
        assert (health.queued, health.spooled_records, health.dropped) == (
            (0, 30, 0) if spooling else (0, 0, 30)
        )
    async with Store.open(database_url, spool_dir=spool) as store:
        if spooling:
            await until(lambda: store.health().spool_bytes == 0)
    if spooling:
        assert stored(database_url) == list(range(1, 31))


async def test_cancelling_loses_nothing(database_url: str) -> None:
    """A server's shutdown cancels its tasks; what they recorded is stored all the same."""
    ready = asyncio.Event()

    async def serve() -> None:
        async with Store.open(database_url) as store:
            for number in range(1, 601):
                await store.record(call(number))
            ready.set()
            await asyncio.sleep(1000)

    serving = asyncio.create_task(serve())
    await ready.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert stored(database_url) == list(range(1, 601))


async def test_cancelling_twice_spools(database_url: str, tmp_path: Path) -> None:
    """An impatient shutdown leaves no time for the database: then the disk has it."""
    ready = asyncio.Event()

    async def serve() -> None:
        async with Store.open(database_url, spool_dir=tmp_path) as store:
            for number in range(1, 601):
                await store.record(call(number))
            ready.set()
            await asyncio.sleep(1000)

    async with Blocked(database_url):
        serving = asyncio.create_task(serve())
        await ready.wait()
        await asyncio.sleep(0.1)
        serving.cancel()
        await asyncio.sleep(0.1)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
    async with Store.open(database_url, spool_dir=tmp_path) as store:
        await until(lambda: store.health().spool_bytes == 0)
    assert stored(database_url) == list(range(1, 601))


def test_a_loop_that_ends_all_tasks_at_once(database_url: str) -> None:
    """`asyncio.run` cancels the store's own tasks together with the program's."""

    async def serve(ready: asyncio.Event) -> None:
        async with Store.open(database_url) as store:
            for number in range(1, 601):
                await store.record(call(number))
            ready.set()
            await asyncio.sleep(1000)

    async def main() -> asyncio.Task[None]:
        ready = asyncio.Event()
        serving = asyncio.create_task(serve(ready))
        await ready.wait()
        return serving

    asyncio.run(main())
    assert stored(database_url) == list(range(1, 601))


async def test_the_event_loop_is_not_blocked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """While megabytes go to the disk, the gateway answers others."""
    writers: set[int] = set()
    write = os.write

    def watched(descriptor: int, data: bytes | memoryview) -> int:
        writers.add(threading.get_ident())
        return write(descriptor, data)

    async with Store.open(NOWHERE, spool_dir=tmp_path) as store:
        monkeypatch.setattr(os, "write", watched)
        for number in range(1, 3001):
            await store.record(call(number, input_messages="x" * 10_000))
            if number % 10 == 0:
                await asyncio.sleep(0)
        await store.flush()
        assert store.health().spooled_records == 3000
    assert store.health().spool_bytes > 30_000_000
    assert writers
    assert threading.get_ident() not in writers


async def test_opening_without_a_spool_is_as_strict_as_ever(database_url: str) -> None:
    """A wrong URL or project is told at once; an option that means nothing too."""
    with pytest.raises(UnavailableError):
        async with Store.open(NOWHERE):
            pass
    with pytest.raises(NotFoundError):
        async with Store.open(database_url, project="nowhere"):
            pass
    with pytest.raises(InvalidInputError, match="queue_rows"):
        RecordingOptions(queue_rows=0)
    with pytest.raises(InvalidInputError, match="when_full"):
        RecordingOptions(when_full="panic")  # type: ignore[arg-type]  # that is the test


async def test_opening_with_a_spool_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A gateway starts though its telemetry's database does not; reads and writes say so."""
    monkeypatch.setenv("OBSERVATORY_SPOOL_DIR", str(tmp_path))
    async with Store.open(NOWHERE) as store:
        at_once(store.record(LLMCall(provider="openai", model="gpt-4o")))
        await store.flush()
        health = store.health()
        assert health.database_is_away
        assert health.last_error
        assert (health.spooled_records, health.queued) == (1, 0)
        with pytest.raises(UnavailableError):
            _ = store.traces
        with pytest.raises(UnavailableError):
            await store.write_spans([])
