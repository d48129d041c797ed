"""`schema promote`: what a database has and gets stays, whatever it is promoted from."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

import pytest

from analytics.recount import rich
from observatory_store import LogRecord, MetricPoint, Span, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups, maintain
from observatory_store.schema import Migrator
from schema.catalogue import catalogue
from schema.former import Formers
from servers import Server
from storage.samples import log, now, point, query

FACTS = ("spans", "span_payloads", "trace_days", "metric_points", "logs")


class Signals(NamedTuple):
    """What is written together."""

    spans: list[Span]
    logs: list[LogRecord]
    points: list[MetricPoint]


@pytest.fixture(scope="session")
def formers(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Formers]:
    """Databases of former editions on the server."""
    created = Formers(server, tmp_path_factory.mktemp("former"))
    yield created
    created.close()


@pytest.fixture
def promotable_url(server: Server, formers: Formers, before: str) -> Iterator[str]:
    """URL of a database that was built for the edition ``before``."""
    url = formers.create(before)
    yield url
    server.drop(url)


def facts(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all tables of facts, but for when they were stored."""
    return {
        table: query(
            url,
            f"SELECT (to_jsonb(t) - 'ingested_at')::text FROM observatory.{table} AS t ORDER BY 1",
        )
        for table in FACTS
    }


def rollups(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of all rollups, each as often as it is there, as far as they are kept."""
    names = query(url, "SELECT name FROM observatory_private.rollups ORDER BY refresh_order")
    return {
        name: query(
            url,
            f"SELECT to_jsonb(t)::text FROM observatory.{name} AS t WHERE bucket >="
            f" coalesce(observatory_private.oldest_kept('{name}'), '-infinity') ORDER BY 1",
        )
        for (name,) in names
    }


@cache
def signals(number: int, *, spans: int = 8, days: int = 8) -> Signals:
    """Return the same signals of a number each time, spread over the last days."""
    return Signals(
        rich(spans, seed=number, over=timedelta(days=days)),
        [log(f"{number} {day}", time=now() - timedelta(days=day)) for day in range(days)],
        [point(day, series=f"{number}", time=now() - timedelta(days=day)) for day in range(days)],
    )


async def write(store: Store, written: Signals) -> None:
    """Store signals."""
    await store.write_spans(written.spans)
    await store.write_logs(written.logs)
    await store.write_points(written.points)


async def fill(url: str) -> None:
    """Store all signals over weeks, late and doubled; drop the older half of the spans."""
    async with Store.open(url) as store, open_pool(url) as pool:
        await write(store, signals(1, spans=250, days=20))
        await write(store, signals(2, spans=50))
        await maintain(pool)
        query(
            url,
            "UPDATE observatory.policies SET retention = '12 days'"
            " WHERE relation IN ('spans', 'span_payloads')",
        )
        await maintain(pool)
        await write(store, signals(2, spans=50))
        await write(store, signals(3, spans=50))
    assert query(url, "SELECT count(*) FROM observatory.spans")[0][0] < 300


async def refresh(url: str) -> None:
    """Bring the rollups up to the spans."""
    async with open_pool(url) as pool:
        await Rollups(pool).refresh()


def assert_as_if_new(url: str, server: Server) -> None:
    """Compare the catalogue with that of a new database of the edition."""
    assert Migrator(url).verify() == []
    fresh = server.create_migrated()
    try:
        ours, theirs = set(catalogue(url)), set(catalogue(fresh))
        assert {line for line in ours ^ theirs if not line.startswith(("policy", "job"))} == set()
    finally:
        server.drop(fresh)


@pytest.mark.editions("community")
@pytest.mark.parametrize("before", ["apache", "postgres"])
@pytest.mark.usefixtures("within_a_day")
async def test_promoted_with_its_data(promotable_url: str, server: Server, before: str) -> None:
    """All rows and all rollups are what they were, also those whose spans are gone, and the
    database is what a new one would be.
    """
    url = promotable_url
    await fill(url)
    facts_before, rollups_before = facts(url), rollups(url)
    planned = Migrator(url).plan_promotion()
    done = Migrator(url).promote()
    assert (done.before, done.after) == (before, server.versions.edition)
    assert done == planned
    assert facts(url) == facts_before
    assert rollups(url) == rollups_before
    await refresh(url)
    assert rollups(url) == rollups_before
    assert_as_if_new(url, server)
    again = Migrator(url).promote()
    assert again.before == again.after == done.after


@pytest.mark.editions("community")
@pytest.mark.parametrize("before", ["postgres"])
def test_of_two_at_once_one_promotes(promotable_url: str) -> None:
    """The other waits, then finds nothing to do; so does `apply`."""
    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(Migrator(promotable_url).promote) for _ in range(2)]
        applied = threads.submit(Migrator(promotable_url).apply)
        done = [run.result() for run in runs]
    assert sorted((one.before, one.after) for one in done) == [
        ("community", "community"),
        ("postgres", "community"),
    ]
    assert applied.result() == []
