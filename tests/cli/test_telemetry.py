"""``traces``, ``usage``, ``rollups`` and ``maintain`` tell what the database holds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from observatory_store import LLMCall, LogRecord, Store
from observatory_store.repositories.trace_search import SearchByPayloads
from observatory_store.rows import AttributeValue

from .conftest import Command

TRACE = "5b8efff798038103d269b633813fc60c"
ROOT, CHILD = "eee19b7ec3c1b174", "eee19b7ec3c1b173"


@pytest.fixture
def recorded(database_url: str) -> datetime:
    """A trace of two calls, one of them failed and of no known price; the time it began."""
    quarter = timedelta(minutes=15)
    ago = datetime.now(UTC) - 2 * quarter
    # Both calls within one quarter-hour.
    start = ago - (ago - datetime.min.replace(tzinfo=UTC)) % quarter + timedelta(minutes=1)

    async def record() -> None:
        async with Store.open(database_url) as store:
            await store.record(
                LLMCall(
                    provider="openai",
                    model="gpt-4o",
                    input_tokens=1000,
                    output_tokens=100,
                    start_time=start,
                    duration_ms=1500,
                    service_name="gateway",
                    trace_id=TRACE,
                    span_id=ROOT,
                )
            )
            await store.record(
                LLMCall(
                    provider="acme",
                    model="acme-1",
                    input_tokens=7,
                    output_tokens=0,
                    error="the model is away",
                    start_time=start + timedelta(seconds=1),
                    duration_ms=12,
                    service_name="gateway",
                    trace_id=TRACE,
                    span_id=CHILD,
                    parent_span_id=ROOT,
                )
            )

    asyncio.run(record())
    return start


def test_traces(on_database: Command, recorded: datetime) -> None:
    """From the list to the tree: ids, durations, models, tokens, cost and errors are there."""
    listed = on_database("traces", "list")
    assert listed.code == 0
    assert TRACE in listed.out
    page = on_database("traces", "list", "--status", "error", "--json").json
    assert page["next_cursor"] is None
    (trace,) = page["items"]
    assert trace["trace_id"] == TRACE
    assert datetime.fromisoformat(trace["start_time"]) == recorded
    assert Decimal(trace["cost_usd"]) == Decimal("0.0035")
    assert "No traces" in on_database("traces", "list", "--model", "gpt-4").out

    shown = on_database("traces", "show", TRACE).out
    for part in ("1.50 s", "12 ms", "openai/gpt-4o", "1,000 → 100 tokens", "$0.003500", "no price"):
        assert part in shown
    assert "the model is away" in shown
    spans = on_database("traces", "show", TRACE, "--json").json["spans"]
    assert [span["span_id"] for span in spans] == [ROOT, CHILD]


def test_pages_of_traces(on_database: Command, recorded: datetime, database_url: str) -> None:
    """The line after a page leads to the next one as it stands."""

    async def record() -> None:
        async with Store.open(database_url) as store:
            later = recorded + timedelta(minutes=1)
            await store.record(LLMCall(model="other", start_time=later, duration_ms=1))

    asyncio.run(record())
    first = on_database("traces", "list", "--limit", "1")
    assert TRACE not in first.out
    hint = first.err.removeprefix("next page: ").split()
    second = on_database("traces", "list", "--limit", "1", *hint)
    assert second.code == 0
    assert TRACE in second.out


def test_logs(on_database: Command, database_url: str) -> None:
    """What they say, whether it is a text or a map; and only those that are asked for."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    bodies: list[AttributeValue] = ["all is\x1b well", {"message": "timeout", "code": 7}, None]
    records = [
        LogRecord(time=start + timedelta(seconds=n), body=body, severity_number=9 + 4 * n)
        for n, body in enumerate(bodies)
    ]

    async def record() -> None:
        async with Store.open(database_url) as store:
            await store.write_logs(records)

    asyncio.run(record())
    shown = on_database("logs", "list").out
    assert "\x1b" not in shown
    assert '{"code":7,"message":"timeout"}' in shown
    (found,) = on_database("logs", "list", "--q", "timeout", "--json").json["items"]
    assert found["body"] == {"message": "timeout", "code": 7}
    severe = on_database("logs", "list", "--min-severity", "13", "--limit", "1")
    assert severe.code == 0
    hint = severe.err.removeprefix("next page: ").split()
    assert "timeout" in on_database("logs", "list", "--min-severity", "13", *hint).out
    assert "No logs" in on_database("logs", "list", "--event", "other").out
    assert on_database("logs", "list", "--trace", "x").code == 2


def test_traces_by_words(
    on_database: Command, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words find a trace; where only a part of the range was searched, that is said."""
    start = datetime.now(UTC) - timedelta(minutes=5)

    async def record() -> None:
        async with Store.open(database_url) as store:
            for n, text in enumerate(("needle", "hay", "hay")):
                await store.record(
                    LLMCall(
                        model="m",
                        start_time=start + timedelta(seconds=n),
                        duration_ms=1,
                        output_messages=text,
                    )
                )

    asyncio.run(record())
    (trace,) = on_database("traces", "list", "--q", "needle", "--json").json["items"]
    assert "No traces" in on_database("traces", "list", "--q", "nothing").out
    assert on_database("traces", "list", "--q", "...").code == 2
    assert "None" not in on_database("traces", "list", "--min-duration-ms", "0.5").out
    for option, value in (("--min-cost", "0.01"), ("--tag", "a=b"), ("--attribute", "a=b")):
        assert on_database("traces", "list", option, value, "--json").json["items"] == []
    for option, value in (("--min-cost", "-1"), ("--min-cost", "x"), ("--tag", "a")):
        assert on_database("traces", "list", option, value).code == 2

    monkeypatch.setattr(SearchByPayloads, "most", 1)
    first = on_database("traces", "list", "--q", "needle")
    assert "searched so far" in first.out
    second = first
    for _ in range(2):
        hint = second.err.removeprefix("next page: ").split()
        second = on_database("traces", "list", "--q", "needle", *hint)
    assert trace["trace_id"] in second.out


@pytest.mark.editions("postgres")
def test_an_unknown_trace(on_database: Command) -> None:
    """A trace that is not there is an error, not an empty tree."""
    assert on_database("traces", "show", TRACE).code == 2
    assert on_database("traces", "show", "xyz").err == (
        "observatory-store: a trace id is 32 hex digits\n"
    )


def test_usage_and_rollups(on_database: Command, recorded: datetime) -> None:
    """Usage is right before and after a refresh, and `rollups status` says what waits."""
    before = on_database("usage", "--json", "--group-by", "provider")
    refreshed = on_database("rollups", "refresh", "--json")
    assert refreshed.code == 0
    status = on_database("rollups", "status", "--json")
    assert (status.code, sum(one["pending_buckets"] for one in status.json)) == (0, 0)
    after = on_database("usage", "--json", "--group-by", "provider")
    assert before.json == after.json
    by_provider = {row["provider"]: row for row in after.json}
    assert Decimal(by_provider["openai"]["cost_usd"]) == Decimal("0.0035")
    assert by_provider["openai"]["input_tokens"] == 1000
    assert by_provider["acme"]["errors"] == 1
    table = on_database("usage", "--interval", "1h").out
    hour = recorded.replace(minute=0, second=0)
    assert f"{hour:%Y-%m-%d %H:00Z}" in table
    assert "gpt-4o" in table
    assert "No calls" in on_database("usage", "--from", "9d", "--to", "8d").out


@pytest.mark.usefixtures("recorded")
def test_a_backfill_says_how_far_it_is(on_database: Command) -> None:
    """A day a line, and the sum; a range that makes no sense is one clear line."""
    outcome = on_database("rollups", "backfill", "--from", "2d")
    assert outcome.code == 0
    assert "(1 of " in outcome.out
    assert "days counted" in outcome.out
    assert on_database("rollups", "backfill", "--to", "2020-01-01T00:00:00Z", "--json").json == {
        "days_counted": 0
    }
    wrong = on_database("rollups", "backfill", "--from", "1d", "--to", "2d")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)


@pytest.mark.editions("postgres", "apache")
@pytest.mark.usefixtures("recorded")
def test_a_refresh_that_the_server_refuses_is_one_line(
    on_database: Command, database_url: str
) -> None:
    """Whoever runs it by a timer reads which rollup failed and why, not a traceback."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "ALTER TABLE observatory_private.llm_usage_15m_history"
            " ADD CONSTRAINT unlikely CHECK (requests < 0)"
        )
    outcome = on_database("rollups", "refresh")
    assert outcome.code == 2
    assert outcome.err.startswith("observatory-store: llm_usage_15m could not be refreshed: ")
    assert outcome.err.count("\n") == 1


@pytest.mark.editions("postgres", "apache")
@pytest.mark.usefixtures("recorded")
def test_pending_rollups(on_database: Command, database_url: str) -> None:
    """A timer that stopped is seen by exit code 1; `maintain` does what it left."""
    assert on_database("rollups", "status").code == 0
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE observatory_private.changed_buckets"
            " SET noted_at = now() - interval '11 minutes'"
        )
    status = on_database("rollups", "status")
    assert status.code == 1
    assert "llm_usage_15m" in status.out
    report = on_database("maintain", "--json")
    assert (report.code, report.json["refreshed_buckets"]) == (0, 1)
    assert on_database("rollups", "status").code == 0


def test_maintain_prints_what_it_did(on_database: Command) -> None:
    """What a timer logs."""
    outcome = on_database("maintain")
    assert outcome.code == 0
    assert "refreshed 0" in outcome.out


@pytest.mark.editions("postgres")
@pytest.mark.usefixtures("recorded")
def test_latency_errors_and_csv(on_database: Command) -> None:
    """Tables for people, JSON for programs, CSV for spreadsheets: the same rows."""
    rows = on_database("latency", "--json", "--group-by", "provider", "--quantile", "0.5").json
    assert {len(row["quantiles_us"]) for row in rows} == {1}
    table = on_database("latency", "--histogram", "--interval", "1h").out
    assert "p95 first token" in table
    assert "█" in table
    failed = on_database("errors", "--json").json
    assert sum(row["errors"] for row in failed) == 1
    assert failed[0]["fingerprint"] in on_database("errors").out
    heading, *lines = on_database("usage", "--csv", "--group-by", "provider").out.splitlines()
    assert heading.startswith("provider,requests,errors,")
    assert sorted(line.split(",")[0] for line in lines) == ["acme", "openai"]
    for verb in ("latency", "errors"):
        assert "," in on_database(verb, "--csv").out.splitlines()[0]
        assert on_database(verb, "--csv", "--json").code == 2
    assert "█" in on_database("usage", "--interval", "1h", "--fill", "--tz", "Asia/Kolkata").out
