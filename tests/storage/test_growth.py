"""How fast the tables grow, and when the disk is full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from observatory_store import Payload, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from observatory_store.maintenance.finding import Severity
from observatory_store.maintenance.growth import Growth, days_until_full
from observatory_store.maintenance.growth_checks import check_growth, judge_growth, read_growths
from storage.samples import log, now, query, span

GIB = 2**30
DAYS = 6
SPANS_A_DAY = 400


def growth(relation: str = "spans", **fields: Any) -> Growth:
    """Return a table that takes 1 GiB a day, is ten days old and keeps thirty."""
    defaults: dict[str, Any] = {
        "bytes": 10 * GIB,
        "row_bytes_a_day": float(GIB),
        "columnar_bytes_a_day": None,
        "kept_days": 10.0,
        "retention_days": 30.0,
        "columnar_after_days": None,
    }
    return Growth(relation=relation, **{**defaults, **fields})


COLUMNAR: dict[str, Any] = {"columnar_after_days": 4.0, "columnar_bytes_a_day": GIB / 10}


@pytest.mark.parametrize(
    ("growths", "free", "severity", "words"),
    [
        ([], 0, Severity.OK, "once they have"),
        ([growth()], None, Severity.OK, "grow by 20.0 GiB. The free space of the server is out of"),
        ([growth()], 21, Severity.OK, "21.0 GiB free are enough"),
        ([growth()], 12, Severity.WARNING, "full in about 12 days"),
        ([growth()], 6, Severity.PROBLEM, "full in about 6 days"),
        ([growth(), growth("logs")], 30, Severity.WARNING, "full in about 15 days"),
        # The first has all its days after five, and takes half of what is free until then.
        ([growth(retention_days=15.0), growth("logs")], 20, Severity.WARNING, "about 15 days"),
        # As old as it may be: a day comes, a day goes.
        ([growth(kept_days=30.0, bytes=30 * GIB)], 1, Severity.OK, "grow by 0.0 KiB"),
        # As old, but the last days were larger than those that go.
        ([growth(kept_days=30.0)], 10, Severity.WARNING, "full in about 10 days"),
        ([growth(retention_days=None)], 300, Severity.WARNING, "full in about 300 days"),
        ([growth(retention_days=None)], 400, Severity.OK, "grow by 365.0 GiB"),
        # Four days as rows, 26 a tenth as large: 6.6 GiB in all.
        ([growth(bytes=5 * GIB, **COLUMNAR)], 2, Severity.OK, "grow by 1.6 GiB"),
        ([growth(bytes=5 * GIB, **COLUMNAR)], 1, Severity.WARNING, "full in about 10 days"),
        # Too young to have a columnar day: what comes after is not guessed.
        (
            [growth(bytes=2 * GIB, kept_days=2.0, columnar_after_days=4.0)],
            3,
            Severity.OK,
            "grow by 2.0 GiB",
        ),
        ([growth(columnar_after_days=4.0)], 12, Severity.WARNING, "full in about 12 days"),
    ],
)
def test_when_the_disk_is_full(
    growths: list[Growth], free: int | None, severity: Severity, words: str
) -> None:
    """Of a disk with this many GiB free."""
    [found] = judge_growth(growths, None if free is None else free * GIB)
    assert (found.severity, words in found.what) == (severity, True), found.what
    assert bool(found.to_do) == (severity is not Severity.OK)


@pytest.mark.parametrize(
    ("growths", "free"),
    [
        ([growth()], 12.0),
        ([growth(), growth("logs", bytes=4 * GIB, row_bytes_a_day=GIB / 2)], 20.0),
        ([growth(retention_days=None), growth("logs")], 50.0),
        ([growth(bytes=5 * GIB, **COLUMNAR)], 1.0),
    ],
)
def test_the_retention_that_is_advised_fits(growths: list[Growth], free: float) -> None:
    """Whoever follows the advice is not warned again."""
    [found] = judge_growth(growths, int(free * GIB))
    assert f"policy set {growths[0].relation} retention" in found.to_do
    days = float(found.to_do.split(" retention ")[1].split("d`")[0])
    mended = [Growth(**{**_fields(growths[0]), "retention_days": days}), *growths[1:]]
    assert days_until_full(mended, free * GIB) is None


def test_where_no_retention_fits() -> None:
    """No number is made up."""
    [found] = judge_growth([growth(), growth("logs", retention_days=29.0)], GIB)
    assert found.severity is Severity.PROBLEM
    assert "lower the retentions, of spans first" in found.to_do


def _fields(one: Growth) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Growth.__struct_fields__}


async def _growths(url: str) -> dict[str, Growth]:
    connection = await asyncpg.connect(url)
    found = await read_growths(connection)
    await connection.close()
    return {one.relation: one for one in found}


async def test_days_of_telemetry(database_url: str, edition: str) -> None:
    """The rate is what the days took, on every edition, also of days that became columnar."""
    assert await _growths(database_url) == {}
    noon = now().replace(hour=12, minute=0, second=0) - timedelta(days=1)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        for day in range(DAYS):
            start = noon - timedelta(days=day)
            await store.write_spans(
                [
                    span(
                        day * SPANS_A_DAY + n,
                        start_time=start - timedelta(seconds=100 * n),
                        attributes={"text": f"{n}" * 300},
                        payload=Payload(input_messages=f"{day} {n} " * 50),
                    )
                    for n in range(SPANS_A_DAY)
                ]
            )
            await store.write_logs([log(str(n), time=start) for n in range(SPANS_A_DAY)])
        await Rollups(pool).refresh()
    query(database_url, "ANALYZE")
    found = await _growths(database_url)
    assert {"spans", "span_payloads", "trace_days", "logs", "service_spans_1h"} <= found.keys()
    spans = found["spans"]
    assert (spans.retention_days, spans.columnar_bytes_a_day) == (90, None)
    assert (spans.columnar_after_days is None) == (edition != "community")
    assert DAYS - 1 <= spans.kept_days <= DAYS + 2
    for one in (spans, found["span_payloads"], found["logs"]):
        assert one.bytes / DAYS / 2 < (one.row_bytes_a_day or 0) < one.bytes / DAYS * 2, one
    connection = await asyncpg.connect(database_url)
    [finding] = await check_growth(connection)
    await connection.close()
    assert finding.severity is Severity.OK
    assert finding.what.startswith("A day adds about ")
    [full] = judge_growth(list(found.values()), free=1_000_000)
    assert full.severity is Severity.PROBLEM
    assert "policy set spans retention" in full.to_do
    if edition == "community":
        query(
            database_url,
            "SELECT compress_chunk(c) FROM show_chunks('observatory.spans', now() - interval"
            " '3 days') AS c",
        )
        spans = (await _growths(database_url))["spans"]
        assert 0 < (spans.columnar_bytes_a_day or 0) < (spans.row_bytes_a_day or 0)


async def test_traffic_that_grew(database_url: str) -> None:
    """The rate is that of the last week, not of all that is kept."""
    noon = now().replace(hour=12, minute=0, second=0) - timedelta(days=1)
    async with Store.open(database_url) as store:
        for day in range(25):
            count = 1000 if day < 7 else 20
            start = noon - timedelta(days=day)
            await store.write_logs(
                [log(f"{n} " * 200, time=start + timedelta(seconds=n)) for n in range(count)]
            )
    query(database_url, "ANALYZE")
    logs = (await _growths(database_url))["logs"]
    assert logs.bytes / 12 < (logs.row_bytes_a_day or 0) < logs.bytes / 5
    assert logs.to_come > logs.bytes
