"""`schema promote` amid writers and readers, and killed in each of its phases."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.maintenance import maintain
from observatory_store.schema import Migrator
from patience import PATIENCE_SECONDS
from schema.former import Formers
from schema.test_promote import (
    assert_as_if_new,
    facts,
    fill,
    formers,
    refresh,
    rollups,
    signals,
    write,
)
from servers import Server
from storage.samples import query

__all__ = ["formers"]

KILLED = """
import os, re, signal, sys
from observatory_store.schema import Migrator

def told(line):
    if re.search(sys.argv[2], line):
        os.kill(os.getpid(), signal.SIGKILL)

Migrator(sys.argv[1]).promote(progress=told)
"""


@pytest.fixture
def urls(server: Server, formers: Formers) -> Iterator[list[str]]:
    """URLs of two databases without TimescaleDB on a server that has it."""
    created = [formers.create("postgres"), formers.create("postgres")]
    yield created
    for url in created:
        server.drop(url)


def _run_until_killed(url: str, phase: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, url, phase],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


async def _assert_alike(url: str, control: str) -> None:
    await refresh(url)
    assert facts(url) == facts(control)
    assert rollups(url) == rollups(control)
    assert Migrator(url).verify() == []


@pytest.mark.editions("apache", "community")
@pytest.mark.usefixtures("within_a_day")
async def test_writers_and_readers_notice_nothing(urls: list[str], server: Server) -> None:
    """Whoever has a connection open from before neither fails nor loses, doubles or misses a row,
    also where spans come late, come again, or have their costs changed.
    """
    url, control = urls
    for each in urls:
        await fill(each)
    ended = asyncio.Event()

    async def writes() -> int:
        number = 0
        while not ended.is_set():
            number += 1
            await write(store, signals(100 + number))
            await write(store, signals(100 + number // 2))
        return number

    async def reads() -> None:
        seen = 0
        async with open_pool(url) as pool:
            while not ended.is_set():
                async with pool.acquire() as connection:
                    spans = await connection.fetchval(
                        "SELECT count(*) FROM observatory.spans WHERE project_id = $1", 1
                    )
                    assert spans >= seen
                    seen = spans
                    for view in ("traces", "llm_usage_1d", "log_severities", "storage"):
                        assert await connection.fetch(f"SELECT * FROM observatory.{view}")

    async with Store.open(url, pool_size=3) as store:
        writing, reading = asyncio.create_task(writes()), asyncio.create_task(reads())
        try:
            await asyncio.to_thread(Migrator(url).promote)
        finally:
            ended.set()
        written = await writing
        await reading
    async with Store.open(control) as store:
        for number in range(written + 1):
            await write(store, signals(100 + number))
    await _assert_alike(url, control)
    assert_as_if_new(url, server)


@pytest.mark.editions("community")
@pytest.mark.usefixtures("within_a_day")
async def test_killed_in_each_phase(urls: list[str]) -> None:
    """Nothing is lost or doubled, whatever was written and dropped until the next run."""
    url, control = urls
    for each in urls:
        await fill(each)
    phases = ("^spans .* 3/", "^logs .* 2/", "^hypertables", "^aggregate 2/", "^aggregate 11/")
    for number, phase in enumerate(phases, 1):
        _run_until_killed(url, phase)
        for each in urls:
            async with Store.open(each) as store, open_pool(each) as pool:
                await write(store, signals(100 + number, days=number + 2))
                await maintain(pool)
                query(
                    each,
                    "UPDATE observatory.policies SET retention = retention - interval '1 day'"
                    " WHERE relation IN ('spans', 'span_payloads')",
                )
                await maintain(pool)
    assert facts(url) == facts(control)
    assert rollups(url) == rollups(control)
    done = Migrator(url).promote()
    assert (done.before, done.after) == ("apache", "community")
    await _assert_alike(url, control)
    async with open_pool(url) as pool:
        await maintain(pool)
    assert rollups(url) == rollups(control)


@pytest.mark.editions("apache")
@pytest.mark.usefixtures("within_a_day")
async def test_what_is_changed_while_its_day_is_copied(urls: list[str]) -> None:
    """A row that is deleted, changed, or brought back by a transaction that is still open when its
    day is copied is in the end what that transaction made of it.
    """
    url, control = urls
    for each in urls:
        await fill(each)
    ids = [row[0] for row in query(url, "SELECT span_id FROM observatory.spans ORDER BY 1 LIMIT 6")]
    changes = (
        ("DELETE FROM observatory.spans WHERE span_id = %s", ids[0]),
        ("DELETE FROM observatory.spans WHERE span_id = %s", ids[1]),
        ("DELETE FROM observatory.trace_days WHERE root_span_id = %s", ids[2]),
        ("UPDATE observatory.spans SET name = 'gone' WHERE span_id = %s", ids[3]),
        ("UPDATE observatory.spans SET start_nanos = 1 - start_nanos WHERE span_id = %s", ids[4]),
        ("UPDATE observatory.spans SET span_id = '\\xff' WHERE span_id = %s", ids[5]),
    )
    back = "INSERT INTO observatory.spans SELECT * FROM kept"
    keep = "CREATE TEMPORARY TABLE kept AS SELECT * FROM observatory.spans WHERE span_id = %s"
    with psycopg.connect(url) as session:

        def told(line: str) -> None:
            if line.startswith("spans") and ", 1/" in line:
                session.execute(keep.encode(), [ids[1]])
                for statement, span_id in changes:
                    session.execute(statement.encode(), [span_id])
            if "steps back" in line or line.startswith("span_payloads"):
                session.commit()
                session.execute(back.encode())
                session.commit()
                session.execute(b"TRUNCATE kept")
                session.commit()

        Migrator(url).promote(progress=told)
    with psycopg.connect(control) as session:
        session.execute(keep.encode(), [ids[1]])
        for statement, span_id in changes:
            session.execute(statement.encode(), [span_id])
        session.execute(back.encode())
    await _assert_alike(url, control)
