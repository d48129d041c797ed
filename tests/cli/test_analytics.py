"""``compare``, ``sessions`` and ``forecast`` say what the methods of the store answer."""

from __future__ import annotations

import asyncio
import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from observatory_store import LLMCall, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups

from .conftest import Command

EDGE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
"""Between two periods."""
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def call(start: datetime, model: str, session: str) -> LLMCall:
    """A call of a known price."""
    return LLMCall(
        provider="openai",
        model=model,
        input_tokens=1000,
        output_tokens=100,
        start_time=start,
        duration_ms=1000,
        session_id=session,
    )


@pytest.fixture
def recorded(database_url: str) -> None:
    """Two calls before the edge, three since; and one on each of the days before today."""
    calls = [
        call(EDGE - MINUTE, "gpt-4o", "a"),
        call(EDGE - MINUTE, "gpt-4o-mini", "b"),
        *(call(EDGE + n * MINUTE, "gpt-4o", "a") for n in range(3)),
        *(call(EDGE - n * DAY, "gpt-4o", f"old {n}") for n in range(1, 8)),
    ]

    async def record() -> None:
        async with Store.open(database_url) as store:
            for one in calls:
                await store.record(one)

    asyncio.run(record())


@pytest.mark.usefixtures("recorded")
def test_two_periods(on_database: Command) -> None:
    """What rose, what fell to nothing, and by how much: in a table, as JSON and as CSV."""
    asked = ("compare", "--from", EDGE.isoformat(), "--to", (EDGE + 30 * MINUTE).isoformat())
    table = on_database(*asked).out
    for part in ("+200.0%", "-100.0%", "+$0.0070", "-$0.000210", "gpt-4o-mini"):
        assert part in table
    assert f"{EDGE - 30 * MINUTE:%Y-%m-%d %H:%M:%SZ} to {EDGE:%Y-%m-%d %H:%M:%SZ}" in table
    first, second = on_database(*asked, "--json").json
    assert (first["model"], first["requests"], first["requests_before"]) == ("gpt-4o", 3, 1)
    assert (first["cost_change"], first["requests_change"]) == (2.0, 2.0)
    assert Decimal(first["cost_change_usd"]) == 2 * Decimal(first["cost_usd_before"])
    assert (second["requests"], second["requests_before"]) == (0, 1)
    rows = list(csv.DictReader(on_database(*asked, "--csv").out.splitlines()))
    assert [row["model"] for row in rows] == ["gpt-4o", "gpt-4o-mini"]
    assert rows[0].keys() == first.keys()
    earlier = on_database(*asked, "--before", "9d", "--group-by", "provider", "--json").json
    assert [(row["provider"], row["requests_before"]) for row in earlier] == [("openai", 0)]
    assert earlier[0]["requests_change"] is None
    assert "No calls" in on_database("compare", "--from", "20d", "--to", "19d").out


@pytest.mark.usefixtures("recorded")
def test_sessions(on_database: Command) -> None:
    """Each conversation with its totals, page by page, in every format."""
    listed = on_database("sessions", "--from", "3h", "--json").json
    assert listed["next_cursor"] is None
    assert {one["session"]: one["requests"] for one in listed["items"]} == {"a": 4, "b": 1}
    first = on_database("sessions", "--from", "3h", "--limit", "1")
    hint = first.err.removeprefix("next page: ").split()
    second = on_database("sessions", "--limit", "1", *hint)
    assert "gpt-4o-mini" in second.out
    assert (second.code, second.err) == (0, "")
    page = on_database("sessions", "--from", "3h", "--limit", "1", "--csv")
    (row,) = csv.DictReader(page.out.splitlines())
    assert (row["session"], row["models"]) == ("a", "gpt-4o")
    assert page.err.startswith("next page: ")
    assert "No sessions" in on_database("sessions", "--user", "nobody").out


@pytest.mark.usefixtures("recorded")
def test_a_forecast(on_database: Command) -> None:
    """By day and in total, with intervals, and beside what the days before were."""
    asked = ("forecast", "--days", "3", "--history-days", "7")
    forecast = on_database(*asked, "--json").json
    assert len(forecast["days"]) == 3
    days = [Decimal(day["cost_usd"]) for day in forecast["days"]]
    assert abs(Decimal(forecast["total"]["cost_usd"]) - sum(days)) < Decimal("0.001")
    table = on_database(*asked).out
    for part in ("total", "in the 7 days before", "│", "with 0.8"):
        assert part in table
    rows = list(csv.DictReader(on_database(*asked, "--csv").out.splitlines()))
    assert [row["day"] for row in rows] == [day["day"] for day in forecast["days"]]
    past = [Decimal(day["cost_usd"]) for day in forecast["history"]]
    assert (len(past), sum(past)) == (7, Decimal(forecast["history_cost_usd"]))
    nothing = on_database(*asked, "--model", "none")
    assert (nothing.code, nothing.out.count("$0.0000")) == (0, 13)


@pytest.mark.editions("postgres")
def test_small_costs_are_decimals(on_database: Command, database_url: str) -> None:
    """A reader that takes `1.5E-7` for a text without a price would add nothing up."""

    async def record() -> None:
        async with Store.open(database_url) as store:
            one = call(EDGE, "gpt-4o-mini", "a")
            await store.record(msgspec.structs.replace(one, input_tokens=1, output_tokens=0))

    asyncio.run(record())
    (row,) = on_database("usage", "--json").json
    assert Decimal(row["cost_usd"]) == Decimal("1.5E-7")
    lines = on_database("usage", "--csv").out, on_database("compare", "--csv").out
    for out in (row["cost_usd"], *lines):
        assert "0.00000015" in out
        assert "E-" not in out
    assert "+$0.000000" in on_database("compare").out


@pytest.mark.editions("postgres")
def test_more_than_was_asked_for(on_database: Command, database_url: str) -> None:
    """Half an hour of a day of which only the day is left: no one takes its sums for those."""
    day = (EDGE - 10 * DAY).replace(hour=0, minute=0, second=0)
    hour = timedelta(hours=1)

    async def record() -> None:
        async with Store.open(database_url) as store, open_pool(database_url) as pool:
            await store.record(call(day + 2 * hour, "gpt-4o", "a"))
            await store.flush()
            await Rollups(pool).refresh()
            async with pool.acquire() as connection:
                await connection.execute("DELETE FROM observatory.spans")
                await connection.execute(
                    "UPDATE observatory.policies SET complete_from = now() - interval '1 day'"
                    " WHERE relation NOT LIKE '%\\_1d'"
                )

    asyncio.run(record())
    asked = ("--from", (day + 18 * hour).isoformat(), "--to", (day + 18.5 * hour).isoformat())
    told = f"covers {day:%Y-%m-%d %H:%M:%SZ} to {day + DAY:%Y-%m-%d %H:%M:%SZ}: "
    for verb in ("usage", "latency", "errors"):
        table = on_database(verb, *asked)
        assert table.out.splitlines()[-1].startswith(told)
        assert table.err == ""
        for form in ("--json", "--csv"):
            printed = on_database(verb, *asked, form)
            assert printed.err.startswith(told)
            assert told not in printed.out
        whole = on_database(verb, "--from", day.isoformat(), "--to", (day + DAY).isoformat())
        assert "covers" not in whole.out + whole.err


@pytest.mark.usefixtures("recorded")
@pytest.mark.editions("postgres")
def test_intervals_by_the_clock_of_a_zone(on_database: Command) -> None:
    """A day of Berlin has its date there in the table; programs get the instant."""
    berlin = ZoneInfo("Europe/Berlin")
    local = EDGE.astimezone(berlin)
    for verb in ("usage", "latency"):
        asked = (verb, "--from", EDGE.isoformat(), "--tz", "Europe/Berlin", "--interval")
        assert f"{local:%Y-%m-%d} " in on_database(*asked, "1d").out
        hours = on_database(*asked, "1h").out
        assert f"{local.replace(minute=0, second=0).isoformat(' ', 'minutes')} " in hours
        row = on_database(*asked, "1d", "--json").json[0]
        midnight = datetime(local.year, local.month, local.day, tzinfo=berlin)
        assert datetime.fromisoformat(row["bucket"]) == midnight
        assert row["bucket"].endswith("Z")
