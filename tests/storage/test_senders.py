"""Services whose clocks are wrong."""

from __future__ import annotations

import json
from datetime import timedelta

import asyncpg
import pytest

from observatory_store import Resource, Store
from observatory_store.maintenance.finding import Finding, Severity
from observatory_store.maintenance.sender_checks import (
    _SQL,
    Delays,
    check_senders,
    judge_senders,
)
from storage.samples import now, query, span, traffic
from storage.test_plans import EXPLAIN, rows_read, scanned_whole


def delays(least: float, most: float = 5, *, spans: int = 100, service: str = "a") -> Delays:
    """Return what a service's spans have."""
    return Delays(service=service, spans=spans, least=least, most=most)


@pytest.mark.parametrize(
    ("services", "words"),
    [
        ([], []),
        ([delays(0.1), delays(-9, service="b")], []),
        ([delays(-11)], ["ahead of ours: a (11 s)."]),
        ([delays(-90), delays(-7200, service="")], ["unnamed (2.0 h), a (1.5 min)."]),
        ([delays(-20, spans=1)], ["a (20 s)."]),
        ([delays(1800, 1900)], ["come late: a (30.0 min)."]),
        # These came from a queue, or from an import: some are later than others.
        ([delays(1800, 3600)], []),
        ([delays(1800, 1900, spans=3)], []),
        ([delays(500, 510)], []),
        ([delays(-20), delays(1800, 1900, service="b")], ["ahead of ours: a", "come late: b"]),
        (
            [delays(-20 - n, service=str(n)) for n in range(7)],
            ["6 (26 s), 5 (25 s), 4 (24 s), 3 (23 s), 2 (22 s), 2 more."],
        ),
    ],
)
def test_whose_clock_is_wrong(services: list[Delays], words: list[str]) -> None:
    """What a clock explains is told, and what a busy queue explains is not."""
    bad = [one for one in judge_senders(services) if one.severity is not Severity.OK]
    assert len(bad) == len(words)
    assert all(part in one.what for one, part in zip(bad, words, strict=True)), bad


async def _found(url: str) -> list[Finding]:
    connection = await asyncpg.connect(url)
    found = await check_senders(connection)
    await connection.close()
    return found


async def test_a_service_that_is_ahead(database_url: str) -> None:
    """It is found among many spans of others."""
    async with Store.open(database_url) as store:
        await store.write_spans(traffic(3000, over=timedelta(minutes=30)))
        [finding] = await _found(database_url)
        assert finding.severity is Severity.OK
        await store.write_spans(
            [
                span(
                    n,
                    start_time=now() + timedelta(hours=3, seconds=n),
                    resource=Resource(attributes={"service.name": "edge"}),
                    service_name="edge",
                )
                for n in range(1, 4)
            ]
        )
    [finding] = await _found(database_url)
    assert finding.severity is Severity.WARNING
    assert "edge (3.0 h)" in finding.what


async def test_a_bounded_number_of_spans_is_read(database_url: str) -> None:
    """However many came in the last hours, and however many days there are."""
    async with Store.open(database_url) as store:
        for day in range(3):
            ago = timedelta(days=day, seconds=5)
            await store.write_spans(traffic(4000, seed=day, over=timedelta(minutes=1), ago=ago))
    query(database_url, "ANALYZE")
    connection = await asyncpg.connect(database_url)
    explained = await connection.fetchval(f"{EXPLAIN} {_SQL['sender_delays']}")
    await connection.close()
    plan = json.loads(explained)[0]["Plan"]
    assert scanned_whole(plan) == set()
    # On a hypertable they count twice: in the chunk, and where its chunks are put together.
    assert rows_read(plan) <= 2100
