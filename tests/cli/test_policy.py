"""What is kept how long, as an operator asks and says on a shell."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import pytest
import typer

from cli.conftest import Command
from observatory_store import Store
from storage.samples import log, now, query

DAY = timedelta(days=1)
LOGS = "SELECT retention FROM observatory.policies WHERE relation = 'logs'"


async def _logs(url: str, *days: int) -> None:
    async with Store.open(url) as store:
        await store.write_logs([log(str(n), time=now() - n * DAY) for n in days])


def test_show(on_database: Command, edition: str) -> None:
    """A table for people, JSON with ISO durations for programs."""
    shown = on_database("policy", "show")
    assert shown.code == 0
    lines = {line.split()[0]: line.split() for line in shown.out.splitlines()}
    assert lines["spans"][1:4] == ["90d", "3d", "1d"]
    assert lines["trace_days"][1:4] == ["90d", "never", "7d"]
    assert "llm_usage_1d" in lines
    one = on_database("policy", "show", "spans")
    assert ("last success" in one.out) == (edition == "community")
    found = on_database("policy", "show", "spans", "--json").json
    assert [each["relation"] for each in found] == ["spans"]
    assert (found[0]["retention"], found[0]["chunk_interval"]) == ("P90D", "P1D")
    assert len(found[0]["jobs"]) == (2 if edition == "community" else 0)


def test_a_shorter_retention_asks_first(
    on_database: Command, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would go is said before; nothing changes unless somebody wants it."""
    asyncio.run(_logs(database_url, 1, 20))
    shorter = ("policy", "set", "logs", "retention", "10d")
    told = "drops "
    dry = on_database(*shorter, "--dry-run")
    assert dry.code == 0
    assert "retention of logs: 30d -> 10d" in dry.out
    assert told in dry.out
    assert "nothing was changed" in dry.out
    unasked = on_database(*shorter)
    assert unasked.code == 2
    assert told in unasked.out
    assert "--yes" in unasked.err
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", _no)
    assert on_database(*shorter).code == 130
    assert query(database_url, LOGS) == [(30 * DAY,)]
    done = on_database(*shorter, "--yes", "--json")
    assert (done.code, done.json["is_set"]) == (0, True)
    assert done.json["drops"]["rows"] >= 1
    assert query(database_url, LOGS) == [(10 * DAY,)]
    empty = on_database("policy", "set", "logs", "retention", "7d", "--dry-run")
    assert told in empty.out


def _no(*_: object, **__: object) -> None:
    raise typer.Abort


def test_what_drops_nothing_is_not_asked(on_database: Command, database_url: str) -> None:
    """A longer retention, other keys, and a table without old rows need no consent."""
    for key, value in (
        ("retention", "10d"),
        ("retention", "240h"),
        ("retention", "never"),
        ("columnstore_after", "36h"),
        ("columnstore_after", "never"),
        ("chunk_interval", "1w"),
    ):
        outcome = on_database("policy", "set", "logs", key, value)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        assert outcome.out.endswith("set\n")
    assert "new chunks only" in outcome.out or "has TimescaleDB" in outcome.out
    assert query(
        database_url,
        "SELECT retention, columnstore_after, chunk_interval FROM observatory.policies"
        " WHERE relation = 'logs'",
    ) == [(None, None, 7 * DAY)]


BAD = [
    (("spans", "retention", "soon"), "retention of spans cannot be 'soon': write 30d"),
    (("spans", "retention", "0d"), "retention of spans must be at least 1 day, or never"),
    (("spans", "retention", "-3d"), "retention of spans cannot be '-3d'"),
    (("spans", "retention", "1000000000d"), "retention of spans must be at most 36500 days"),
    (("spans", "retention", "999999d"), "retention of spans must be at most 36500 days, not 99"),
    (("spans", "retention", "1000000d"), "retention of spans must be at most 36500 days"),
    (("spans", "retention", "'; DROP TABLE x; --"), "retention of spans cannot be"),
    (("spans", "retention", "NULL"), "retention of spans cannot be 'NULL'"),
    (("spans", "chunk_interval", "12h"), "chunk_interval of spans must be 1 to 36500 whole days"),
    (
        ("spans", "chunk_interval", "never"),
        "chunk_interval of spans must be 1 to 36500 whole days, not never",
    ),
    (("spans", "colour", "30d"), "policies have no 'colour': choose retention, columnstore_after"),
    (("spam", "retention", "30d"), "no relation 'spam' has policies; these have: logs"),
    (("x; DROP TABLE y", "retention", "30d"), "no relation 'x; DROP TABLE y' has policies"),
    (("spans", "retention", "10d"), "span_payloads (30 days) must not be kept longer than spans"),
    (("spans", "retention"), "Missing argument 'VALUE'"),
]


def test_bad_input(on_database: Command, database_url: str) -> None:
    """Each is one line that says what is allowed, exits 2, and changes nothing."""
    before = query(database_url, "SELECT * FROM observatory.policies ORDER BY 1")
    for arguments, reason in BAD:
        outcome = on_database("policy", "set", *arguments, "--yes")
        assert outcome.code == 2, arguments
        assert reason in outcome.err
        assert outcome.err.count("\n") == 1
    missing = on_database("policy", "show", "spam")
    assert missing.code == 2
    assert "no relation 'spam'" in missing.err
    assert query(database_url, "SELECT * FROM observatory.policies ORDER BY 1") == before


def test_without_the_schema(
    command: Command, monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    """It is told what to run first."""
    monkeypatch.setenv("OBSERVATORY_DATABASE_URL", empty_database_url)
    for verb in (("show",), ("set", "logs", "retention", "10d")):
        outcome = command("policy", *verb)
        assert outcome.code == 2
        assert "observatory-store schema apply" in outcome.err
