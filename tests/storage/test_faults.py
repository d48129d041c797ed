"""What is acknowledged is stored once, whatever happens to the connections."""

from __future__ import annotations

import asyncio
import random
from functools import partial

import psycopg
import pytest

from observatory_store import Span, Store
from observatory_store.database import open_pool
from observatory_store.errors import DatabaseFaultError, UnavailableError
from observatory_store.maintenance import Rollups
from observatory_store.writers import Written
from patience import until
from storage.samples import (
    RECOUNT_TRACES,
    RECOUNT_USAGE,
    TRACES,
    USAGE,
    fail_at,
    failures,
    query,
    span,
    traffic,
)

KILL = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND application_name = 'observatory-store'
"""


async def test_connections_that_are_killed_lose_and_double_nothing(database_url: str) -> None:
    """An administrator, a failover or a pooler ends connections amid transactions: each write that
    returns is there once, and the sums agree.
    """
    spans, chance = traffic(3000), random.Random(8)
    parts = [spans[n : n + 50] for n in range(0, 3000, 50)]
    sent: list[int] = []
    killed = 0
    async with (
        Store.open(database_url) as store,
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as admin,
        asyncio.TaskGroup() as tasks,
    ):
        for start in range(6):
            tasks.create_task(_send(store, parts[start::6], sent))
        # After so many more writes, not so much later: a slow machine gets on as well.
        for wanted in range(3, 54, 5):
            await until(partial(_reached, sent, wanted))
            await asyncio.sleep(chance.uniform(0, 0.02))
            killed += (await (await admin.execute(KILL)).fetchone() or (0,))[0]
    assert killed > 0
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(3000,)]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    async with open_pool(database_url) as pool:
        await Rollups(pool).refresh()
    assert query(database_url, USAGE) == query(database_url, RECOUNT_USAGE)


def _reached(sent: list[int], wanted: int) -> bool:
    return len(sent) >= wanted


async def _send(store: Store, parts: list[list[Span]], sent: list[int]) -> None:
    for part in parts:
        written = await store.write_spans(part)
        assert written.rejected == 0
        assert written.stored + written.duplicates == len(part)
        sent.append(len(part))


async def test_one_bad_row_does_not_hurt_others_of_its_commit(database_url: str) -> None:
    """Requests that are committed together each get their own answer."""
    async with Store.open(database_url) as store:
        results = await asyncio.gather(
            *(
                store.write_spans([span(2 * n), span(2 * n + 1, name="\0" if n == 7 else "fine")])
                for n in range(1, 20)
            )
        )
    for number, written in enumerate(results, 1):
        assert (written.stored, written.rejected) == ((1, 1) if number == 7 else (2, 0))
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(37,)]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("state", ["XX000", "53200", "42501", "57014"])
async def test_one_request_that_the_database_fails_at_does_not_hurt_others(
    database_url: str, state: str
) -> None:
    """Otherwise it comes again with others each time, and fails those with it, for ever."""
    fail_at(database_url, state, "NEW.name = 'poison'")
    async with Store.open(database_url) as store:
        requests = [[span(n, name="poison" if n == 7 else "fine")] for n in range(1, 21)]
        results = await asyncio.gather(*map(store.write_spans, requests), return_exceptions=True)
    for number, result in enumerate(results, 1):
        if number == 7:
            assert isinstance(result, DatabaseFaultError)
        else:
            assert isinstance(result, Written)
            assert result.stored == 1
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(19,)]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


@pytest.mark.editions("postgres")
async def test_a_database_that_fails_at_everything_is_not_asked_for_each_request(
    database_url: str,
) -> None:
    """Otherwise each batch would take as many transactions as requests, and all fail."""
    async with Store.open(database_url) as store:
        fail_at(database_url, "XX000", "true")
        requests = [[span(n)] for n in range(1, 1001)]
        results = await asyncio.gather(*map(store.write_spans, requests), return_exceptions=True)
        assert {type(result) for result in results} == {DatabaseFaultError}
        assert failures(database_url) < 200
        query(database_url, "DROP TRIGGER fail ON observatory.spans")
        written = await asyncio.gather(*map(store.write_spans, requests))
    assert sum(one.stored for one in written) == 1000


async def test_requests_that_wait_are_committed_together(database_url: str) -> None:
    """Two hundred small requests at once must not be two hundred transactions."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(1)])
        before = query(database_url, "SELECT count(DISTINCT xmin::text) FROM observatory.spans")
        await asyncio.gather(*(store.write_spans([span(n)]) for n in range(2, 202)))
    transactions = query(database_url, "SELECT count(DISTINCT ingested_at) FROM observatory.spans")
    assert before == [(1,)]
    assert transactions[0][0] < 20


async def test_whoever_gives_up_takes_nobody_along(database_url: str) -> None:
    """A client that disconnects while it waits leaves the others' commit as it is."""
    async with Store.open(database_url) as store:
        tasks = [asyncio.create_task(store.write_spans([span(n)])) for n in range(1, 101)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    stored = {
        row[0]
        for row in query(
            database_url, "SELECT observatory.span_hex(span_id) FROM observatory.spans"
        )
    }
    for number, result in enumerate(results, 1):
        if not isinstance(result, BaseException):
            assert f"{number:016x}" in stored
    assert sum(isinstance(result, BaseException) for result in results) == 50


@pytest.mark.editions("postgres")
async def test_a_database_that_became_read_only_is_answered_clearly(database_url: str) -> None:
    """After a failover to a server that takes no writes, senders are told to come back."""
    name = database_url.rpartition("/")[2]
    async with Store.open(database_url) as store:
        await store.write_spans([span(1)])
        query(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        query(database_url, KILL)
        with pytest.raises(UnavailableError, match="read-only"):
            await store.write_spans([span(2)])
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        assert (await store.write_spans([span(2)])).stored == 1
