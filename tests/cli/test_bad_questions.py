"""What the verbs that sum refuse: one clear line, exit code 2, and nothing stored changes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg
import pytest

from observatory_store import LLMCall, Store

from .conftest import Command

pytestmark = pytest.mark.editions("postgres")

SUMMING = ("usage", "compare", "latency", "errors", "forecast")
RANGED = ("usage", "compare", "latency", "errors", "sessions")
GROUPED = ("usage", "compare", "latency")
LISTING = ("errors", "sessions")
VERBS = (*RANGED, "forecast")
FILTERS = ("provider", "model", "service", "environment", "user", "session", "agent", "tag")
INJECTIONS = ("'; DROP TABLE observatory.spans; --", "x') OR 1=1 --", "$1", "{0} {} %s", "-")


class Bad(NamedTuple):
    """Options that some verbs refuse, and what is said."""

    verbs: tuple[str, ...]
    said: str
    options: tuple[tuple[str, ...], ...]


def _each(name: str, *values: str) -> tuple[tuple[str, ...], ...]:
    return tuple((name, value) for value in values)


BAD = (
    Bad(RANGED, "is no time: write 2026-", (*_each("--from", "", "yesterday", "10y", "1e3"),)),
    Bad(RANGED, "is no time: write 2026-", (*_each("--to", "2026-02-30T00:00:00Z", "999999w"),)),
    Bad(RANGED, "lacks a time zone", _each("--from", "2026-11-01", "2026-11-01T00:00:00")),
    Bad(RANGED, "start (from) must be before its end (to)", (("--from", "1h", "--to", "2h"),)),
    Bad(RANGED, "(from, to) is longer than", _each("--from", "2016-11-01T00:00:00Z", "521w")),
    Bad(("compare",), "is no time", _each("--before", "", "yesterday")),
    Bad(("compare",), "lacks a time zone", _each("--before", "2026-11-01")),
    Bad(
        ("compare",),
        "before: the other range must lie between",
        _each("--before", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31T00:00:00Z"),
    ),
    Bad(GROUPED, "'--group-by': '", _each("--group-by", "colour", "", "Model", "model,user")),
    Bad(("usage", "latency"), "'--interval': '", _each("--interval", "5m", "", "1H", "0")),
    Bad(
        ("usage", "latency", "forecast"),
        "IANA",
        _each("--tz", "Europe/Brelin", "", "../../etc/passwd", "/etc/localtime", "+02:00"),
    ),
    Bad(LISTING, "limit must be from 1 to 1000", _each("--limit", "0", "-1", "1001")),
    Bad(LISTING, "'--limit': ", _each("--limit", "ten", "1.5", "1e3", "")),
    Bad(("latency",), "from 0 to 1", _each("--quantile", "1.1", "-0.1", "nan", "inf")),
    Bad(("latency",), "'--quantile': ", _each("--quantile", "x", "", "50%")),
    Bad(("latency",), "give 1 to 20", (("--quantile", "0.5") * 21,)),
    Bad(("forecast",), "days: from 1 to 366", _each("--days", "0", "-1", "367")),
    Bad(("forecast",), "history_days: from 7 to 366", _each("--history-days", "6", "367")),
    Bad(("forecast",), "between 0 and 1", _each("--confidence", "0", "1", "-1", "nan", "inf")),
    Bad(("sessions",), "cursor", _each("--cursor", "", "x", "a.b.c", "null", "\0", *INJECTIONS)),
    Bad(VERBS, "exclude each other", (("--json", "--csv"),)),
    Bad(VERBS, "No such option", _each("--colour", "red")),
    Bad(("latency", "errors", "forecast"), "No such option", _each("--tool", "search")),
    Bad(VERBS, "there is no project", _each("--project", "", "nope", *INJECTIONS)),
    *(
        Bad((verb,), said, (_each(f"--{name}", value)[0],))
        for verb in VERBS
        for name in (FILTERS if verb != "sessions" else ("model", "service", "user", "session"))
        for value, said in (
            ("gpt\0-4o", f"{name}: U+0000"),
            ("gpt\udcff", f"{name}: U+0000 and lone surrogates"),
            ("x" * 1001, f"{name}: a value has at most 1000 characters"),
        )
    ),
    *(
        Bad(SUMMING, f"{name}: a value has at least 1 character", _each(f"--{name}", ""))
        for name in FILTERS
    ),
    *(
        Bad((verb,), f"{name}: give 1 to 100 values, not 10000", (many,))
        for verb in SUMMING
        for name in ("model", "tag")
        for many in [tuple(part for n in range(10_000) for part in (f"--{name}", str(n)))]
    ),
)


def _contents(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'observatory'"
        )
        return {
            table: str(
                connection.execute(
                    f"SELECT string_agg(t::text, ',' ORDER BY t::text) FROM observatory.{table} t"
                ).fetchone()
            )
            for (table,) in tables.fetchall()
        }


@pytest.fixture
def recorded(database_url: str) -> str:
    """A database with a call, which nothing that is asked may change."""

    async def record() -> None:
        async with Store.open(database_url) as store:
            for session in ("a", "b"):
                start = datetime.now(UTC) - timedelta(minutes=1)
                await store.record(
                    LLMCall(
                        model="m",
                        start_time=start,
                        duration_ms=1,
                        service_name="gateway",
                        session_id=session,
                    )
                )

    asyncio.run(record())
    return database_url


@pytest.mark.parametrize("verb", VERBS)
def test_what_a_verb_refuses(verb: str, on_database: Command, recorded: str) -> None:
    """A script sees the exit code, and its owner which option was wrong and what may be there."""
    before = _contents(recorded)
    for verbs, said, many in BAD:
        for options in many if verb in verbs else ():
            outcome = on_database(verb, *options)
            assert (outcome.code, outcome.out) == (2, ""), (options[:4], outcome)
            assert outcome.err.startswith("observatory-store: "), (options[:4], outcome)
            assert outcome.err.count("\n") == 1, (options[:4], outcome)
            assert said in outcome.err, (options[:4], outcome)
    assert _contents(recorded) == before


@pytest.mark.parametrize("verb", VERBS)
def test_values_that_match_nothing(verb: str, on_database: Command, recorded: str) -> None:
    """SQL in a filter is a name that nobody has: an empty answer."""
    before = _contents(recorded)
    for name in FILTERS if verb != "sessions" else ("model", "service", "user", "session"):
        for value in (*INJECTIONS, "é" * 1000):
            outcome = on_database(verb, f"--{name}", value, "--json")
            assert (outcome.code, outcome.err) == (0, ""), (name, value, outcome)
            found = outcome.json
            rows = found if isinstance(found, list) else found.get("items", [])
            assert rows == [], (name, value)
    assert _contents(recorded) == before


def test_cursors_of_others(on_database: Command, recorded: str) -> None:
    """A page is never one of something else."""
    assert recorded
    first = on_database("sessions", "--limit", "1")
    times_and_cursor = first.err.removeprefix("next page: ").split()
    traces = on_database("traces", "list", "--limit", "1").err.split()[-1]
    assert on_database("sessions", "--limit", "1", *times_and_cursor).code == 0
    for options in (
        (*times_and_cursor, "--user", "ann"),
        (*times_and_cursor, "--from", "3h"),
        ("--cursor", traces),
        ("--cursor", times_and_cursor[-1][:-2]),
    ):
        outcome = on_database("sessions", *options)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), options
        assert "cursor" in outcome.err
