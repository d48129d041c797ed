"""``recost`` shows what it would change, changes it, and is killed and gone on with."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest

from observatory_store import Span, Store
from patience import until
from storage.samples import RECOUNT_TRACES, TRACES, now, query, span
from storage.test_recost import compress

from .conftest import Command, Start

DAY = timedelta(days=1)
PROGRESS = "SELECT calls, finished_at IS NOT NULL FROM observatory.recosts ORDER BY recost_id"
USAGE = "SELECT sum(requests), sum(cost_usd) FROM observatory.llm_usage_1d"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
PRICE = ("prices", "set", "openai", "gpt-4o", "input=10", "output=100", "--from", "30d")


def store(url: str, spans: Sequence[Span]) -> None:
    """Store spans, with the costs that they have by now."""

    async def write() -> None:
        async with Store.open(url) as one:
            await one.write_spans(spans)

    asyncio.run(write())


def calls(count: int = 6) -> list[Span]:
    """Return so many calls on each of two past days, of 100 input and 10 output tokens."""
    noon = now().replace(hour=12, minute=0, second=0) - 5 * DAY
    return [
        span(n, start_time=noon + n % 2 * DAY + timedelta(minutes=n), cost_usd=None)
        for n in range(1, 2 * count + 1)
    ]


@pytest.mark.editions("postgres")
def test_a_dry_run_and_a_run(on_database: Command, database_url: str) -> None:
    """What is shown first is what happens then, and what is on record after; at $2.50 and $10 a
    million before, at $10 and $100 after.
    """
    store(database_url, [*calls(), span(99, provider="acme", cost_usd=None)])
    assert on_database(*PRICE).code == 0
    tried = on_database("recost", "--from", "20d", "--dry-run")
    assert tried.code == 0
    assert "12 of 13 calls would be changed: $0.004200 -> $0.0240" in tried.out
    assert "gpt-4o" in tried.out
    assert query(database_url, PROGRESS) == []
    none = on_database("recost", "--from", "20d", "--provider", "acme")
    assert "Every call costs what it did." in none.out
    done = on_database("recost", "--from", "20d", "--model", "gpt-4o", "--reason", "why", "--json")
    assert done.code == 0
    assert (done.json["recost_id"], done.json["calls"], done.json["changed"]) == (2, 13, 12)
    assert Decimal(done.json["new_cost_usd"]) == Decimal("0.024")
    by_model = {one["provider"]: one["changed"] for one in done.json["models"]}
    assert by_model == {"openai": 12, "acme": 0}
    assert query(database_url, USAGE) == [(13, Decimal("0.024"))]
    ((by, reason),) = query(
        database_url, "SELECT started_by, reason FROM observatory.recosts WHERE recost_id = 2"
    )
    assert (bool(by), reason) == (True, "why")
    again = on_database("recost", "--from", "20d")
    assert "Every call costs what it did." in again.out
    assert "recost 3: done to" in again.out
    other = on_database("recost", "--from", "20d", "--project", "other")
    assert (other.code, "other" in other.err) == (2, True)
    assert on_database("recost", "--from", "20d", "--project", "default").code == 0


@pytest.mark.editions("postgres")
def test_the_cost_that_was_sent(
    on_database: Command, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where OBSERVATORY_COST takes what senders say, past costs are taken from it too."""
    store(database_url, [span(1, cost_usd=None, sent_cost_usd=Decimal(3))])
    for source, expected in (("sent", Decimal(3)), ("computed", Decimal("0.00035"))):
        monkeypatch.setenv("OBSERVATORY_COST", source)
        assert on_database("recost", "--from", "1d").code == 0
        assert query(database_url, USAGE) == [(1, expected)]
    monkeypatch.setenv("OBSERVATORY_COST", "guessed")
    outcome = on_database("recost", "--from", "1d")
    assert (outcome.code, "OBSERVATORY_COST" in outcome.err) == (2, True)


@pytest.mark.editions("postgres")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--from and --to, or --resume ID"),
        (("--from", "1d", "--to", "2d"), "empty"),
        (("--from", "yesterday"), "no time"),
        (("--resume", "7"), "there is no recost 7"),
        (("--resume", "7", "--from", "1d"), "--resume takes the range"),
        (("--resume", "99999999999"), "--resume"),
    ],
)
def test_what_cannot_be_used(
    on_database: Command, arguments: tuple[str, ...], message: str
) -> None:
    """It is one line that says what is wrong."""
    outcome = on_database("recost", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.editions("postgres")
def test_spans_that_are_gone_are_told_of(on_database: Command, database_url: str) -> None:
    """Who recosts a year has to know that only the last ninety days followed."""
    store(database_url, calls())
    outcome = on_database("recost", "--from", "365d")
    assert outcome.code == 0
    assert "not all spans are there" in outcome.out


async def test_killed_and_gone_on_with(
    on_database: Command, start: Start, database_url: str, edition: str
) -> None:
    """The first day is done when it is killed amid the second; the rest follows, once."""
    await asyncio.to_thread(store, database_url, calls())
    compress(database_url, edition)
    assert (await asyncio.to_thread(on_database, *PRICE)).code == 0
    variables = {"OBSERVATORY_DATABASE_URL": database_url, "PYTHONPATH": os.pathsep.join(_path())}
    with psycopg.connect(database_url) as other:
        other.execute(
            "SELECT FROM observatory.trace_days"
            " WHERE day = (SELECT max(day) FROM observatory.trace_days) FOR UPDATE"
        )
        process = start("recost", "--from", "20d", **variables)
        await until(lambda: query(database_url, PROGRESS) == [(6, False)])
        await until(lambda: query(database_url, WAITING) == [(1,)])
        process.kill()
        process.wait()
        assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
        half = Decimal("0.0021") + Decimal("0.012")
        ((total,),) = query(database_url, "SELECT sum(cost_usd) FROM observatory.spans")
        assert total == half
    # The server notices the end of the killed process when it next speaks to it.
    await until(lambda: query(database_url, WAITING) == [(0,)])
    outcome = await asyncio.to_thread(on_database, "recost", "--resume", "1", "--json")
    while outcome.code != 0 and "another recost" in outcome.err:
        outcome = await asyncio.to_thread(on_database, "recost", "--resume", "1", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    assert (outcome.json["calls"], outcome.json["changed"]) == (12, 12)
    assert Decimal(outcome.json["old_cost_usd"]) == Decimal("0.0042")
    assert query(database_url, PROGRESS) == [(12, True)]
    assert query(database_url, USAGE) == [(12, Decimal("0.024"))]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


def _path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
