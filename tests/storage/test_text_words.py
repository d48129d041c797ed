"""A search finds a text by all that is written in it: names, dates, addresses, paths."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from observatory_store import LogFilter, Payload, Store, TimeRange, TraceFilter
from observatory_store.database import open_pool
from observatory_store.maintenance import maintain
from observatory_store.repositories.text_query import phrased
from storage.samples import RECENT, log, query, span
from storage.test_scans import RANGE

WRITTEN = (
    *("gpt-4", "claude-3-5-sonnet", "2026-11-21", "COVID-19", "order-12345", "555-1234"),
    *("https://example.com/docs/a-b?x=1#y", "www.example.org", "ann@mail.example.com"),
    *("foo/bar", "/usr/local/lib", "C:\\new\\refund", "http://localhost:8080/v1", "openai/gpt-4o"),
    *(
        "v1.2.3",
        "3.14",
        "-7",
        "1,000",
        "1.5GB",
        "10ms",
        "1e5",
        "1e5ab",
        "12:30",
        "2026-11-21T12:30Z",
    ),
    *(
        "snake_case",
        "camelCase",
        "a.b()",
        "x=5",
        "C++",
        "#tag",
        "$100",
        "100%",
        "--flag=on",
        "<b>bold",
    ),
    *(
        "naive",
        "na\u00efve",
        "\u65e5\u672c",
        "don't",
        '"quoted"',
        "R&D",
        "~home",
        "5b8efff798e3abc",
        "or",
    ),
)
QUERIES = (
    *(written for written in WRITTEN if written not in ("or", "-7")),
    *(
        '"gpt-4 order"',
        "gpt 4",
        "gpt -4",
        "-gpt-4 refund",
        '"a b"',
        "example.com",
        "docs/a",
        "usr lib",
    ),
    *(
        "bar",
        "refund",
        "new",
        "ew",
        "4",
        "21",
        "case",
        "case or bold",
        "\u00efve",
        "12",
        "ab",
        "flag -on",
    ),
)


def texts() -> list[str]:
    """Return 300 texts of one to six written things."""
    chance = random.Random(4)
    joints = (" ", " ", " ", ", ", "\n", "-", "/", " (", ") ", ": ", "\\")
    return [
        "".join(chance.choice(WRITTEN) + chance.choice(joints) for _ in range(chance.randint(1, 6)))
        for _ in range(300)
    ]


@pytest.mark.parametrize("hours_ago", [0, 26])
async def test_a_search_finds_what_a_plain_scan_does(database_url: str, hours_ago: int) -> None:
    """Neither the pattern that is tried first nor an index may lose a text, or add one."""
    said, time = texts(), RECENT - timedelta(hours=hours_ago)
    async with Store.open(database_url) as store:
        await store.write_logs([log(f"{text}\x1en{n}", time=time) for n, text in enumerate(said)])
        await store.write_spans(
            [
                span(n + 1, start_time=time, payload=Payload(tool_result=text))
                for n, text in enumerate(said)
            ]
        )
        if hours_ago:
            async with open_pool(database_url) as pool:
                assert len((await maintain(pool)).indexed) >= 2
        lost = []
        for q in QUERIES:
            wanted = {
                n - 1
                for (n,) in query(
                    database_url,
                    "SELECT n FROM unnest(%s::text[]) WITH ORDINALITY AS t (content, n)"
                    " WHERE to_tsvector('simple',"
                    r" regexp_replace(content, '[!-/:-@\[-`{-~]', ' ', 'g'))"
                    " @@ websearch_to_tsquery('simple', %s)",
                    said,
                    phrased(q),
                )
            }
            bodies = await store.logs.list(RANGE, LogFilter(q=q), limit=1000)
            traces = await store.traces.list(RANGE, TraceFilter(q=q), limit=1000)
            assert (bodies.next_cursor, traces.next_cursor) == (None, None)
            found = {int(str(one.body).rpartition("\x1en")[2]) for one in bodies.items}
            found_traces = {int(one.trace_id, 16) - 1 for one in traces.items}
            if not found == found_traces == wanted:
                lost.append((q, wanted ^ found, wanted ^ found_traces))
            if q in WRITTEN:
                assert {n for n, text in enumerate(said) if f" {q} " in f" {text} "} <= wanted, q
        assert lost == []


FOUND = (
    ("the gpt-4o-mini answers", "gpt-4o"),
    ("openai/gpt-4o", "gpt-4o"),
    ("see https://example.com/docs/a?page=2.", "https://example.com/docs/a"),
    ("see https://example.com/docs/a?page=2.", "example.com"),
    ("GET /api/v1/traces 200", "/api/v1/traces"),
    ("at /srv/app/main.py:17", "main.py"),
    ("of ann@example.com", "example.com"),
    ("if a<refund and c>d", "refund"),
    ("C:\\new\\refund", "refund"),
    ("C:\\new\\refund", "new"),
    ('"refund": issued', "refund"),
    ("order-12345", "order 12345"),
)


async def test_words_are_letters_and_digits(database_url: str) -> None:
    """Whatever stands between them, so that no one has to know how PostgreSQL reads an address; a
    backslash takes no letter, and what looks like a key in a plain text is a word.
    """
    async with Store.open(database_url) as store:
        for n, (text, q) in enumerate(FOUND):
            time = RECENT - timedelta(minutes=n)
            there = TimeRange(time, time + timedelta(seconds=1))
            await store.write_logs([log(text, time=time)])
            payload = Payload(tool_result=text)
            await store.write_spans([span(n + 1, start_time=time, payload=payload)])
            assert len((await store.logs.list(there, LogFilter(q=q))).items) == 1, (text, q)
            assert len((await store.traces.list(there, TraceFilter(q=q))).items) == 1, (text, q)


async def test_escapes_of_json_are_no_letters(database_url: str) -> None:
    """A path in JSON is written with two backslashes, a line break with one."""
    path = '[{"role": "user", "parts": [{"content": "C:\\\\new\\nRefund\\u001bred"}]}]'
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, payload=Payload(input_messages=path))])
        await store.write_logs([log({"path": "C:\\new\nRefund\x1bred"})])  # type: ignore[arg-type]
        for q, count in {"new": 1, "refund": 1, "red": 1, "ew": 0, "nrefund": 0, "role": 0}.items():
            assert len((await store.traces.list(RANGE, TraceFilter(q=q))).items) == count, q
            assert len((await store.logs.list(RANGE, LogFilter(q=q))).items) == count, q


@pytest.mark.parametrize("hours_ago", [0, 26])
async def test_phrases_of_long_texts_are_found(database_url: str, hours_ago: int) -> None:
    """After more words than PostgreSQL keeps the places of, or the same word hundreds of times."""
    time = RECENT - timedelta(hours=hours_ago)
    many, often = " a b c" * 8000, " to be" * 500
    async with Store.open(database_url) as store:
        said = [f"{many} the gpt-4\nmodel", f"{often} ready to go", "go to gpt 5 model the 4"]
        await store.write_logs([log(text, time=time) for text in said])
        await store.write_spans(
            [
                span(
                    n,
                    start_time=time,
                    payload=Payload(output_messages=f'[{{"content": "{text}"}}]'),
                )
                for n, text in enumerate([text.replace("\n", "\\n") for text in said], 1)
            ]
        )
        if hours_ago:
            async with open_pool(database_url) as pool:
                assert len((await maintain(pool)).indexed) >= 2
        for q, count in {
            "gpt-4": 1,
            '"the gpt-4 model"': 1,
            '"ready to go"': 1,
            '"model the"': 1,
            '"gpt the"': 0,
            '"go to"': 1,
        }.items():
            assert len((await store.logs.list(RANGE, LogFilter(q=q))).items) == count, q
            assert len((await store.traces.list(RANGE, TraceFilter(q=q))).items) == count, q
