"""A search by words finds what was said, and nothing that was not."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from observatory_store import LogFilter, Payload, Store, TraceFilter
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance import maintain
from observatory_store.repositories import logs, scan, text_index
from observatory_store.repositories.trace_search import SearchByPayloads
from storage.samples import RECENT, log, query, span
from storage.test_scans import RANGE, items, pages

REFUND = "Please tell me the Refund policy.\nIt is O'Brien's \"order\" no. 4711-AB, naïve as I am."
MESSAGES = json.dumps(
    [{"role": "user", "parts": [{"type": "text", "content": REFUND}]}],
    separators=(",", ":"),
    ensure_ascii=False,
)


async def traces_with(store: Store, q: str) -> list[int]:
    """Return the numbers of the traces that a search finds."""
    page = await store.traces.list(RANGE, TraceFilter(q=q))
    return sorted(int(one.trace_id, 16) for one in page.items)


async def test_words_of_payloads_find_their_traces(database_url: str) -> None:
    """Words in any case, phrases, alternatives, exclusions; JSON's keys and roles are no words."""
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(1, payload=Payload(input_messages=MESSAGES, output_messages="No refunds.")),
                span(
                    2, payload=Payload(tool_arguments='{"city":"Rome"}', tool_result="12 degrees")
                ),
                span(3, payload=Payload(system_instructions="Be kind; know the policy of Rome.")),
                span(4, payload=Payload(tool_definitions="policy")),
                span(5),
            ]
        )
        found = {
            "refund policy": [1],
            "REFUND": [1],
            "It": [1],
            "refunds": [1],
            "fund": [],
            '"refund policy"': [1],
            '"policy refund"': [],
            "policy": [1, 3],
            "policy -refund": [3],
            "refund or degrees": [1, 2],
            "policy rome": [3],
            "o'brien": [1],
            "4711-ab": [1],
            "naïve": [1],
            "NAÏVE": [1],
            "role": [],
            "user": [],
            "parts": [],
            "city": [],
            "text or content": [],
            "rome": [2, 3],
            "'; DROP TABLE observatory.spans --": [],
            "refund) | (.*": [1],
            "refund \\ % _ $1 {}": [],
        }
        for q, numbers in found.items():
            assert await traces_with(store, q) == numbers, q
        both = await store.traces.list(RANGE, TraceFilter(q="policy", min_duration_ms=2))
        assert [int(one.trace_id, 16) for one in both.items] == [3]


async def test_words_of_bodies_find_their_logs(database_url: str) -> None:
    """Of a message that is a text, and of the values of a structured one."""
    async with Store.open(database_url) as store:
        await store.write_logs(
            [
                log("connection refused\nby peer"),
                log({"message": "Refused", "user": "ann"}),  # type: ignore[arg-type]
                log(None),  # type: ignore[arg-type]
            ]
        )

        async def found(q: str) -> int:
            return len((await store.logs.list(RANGE, LogFilter(q=q))).items)

        assert await found("refused") == 2
        assert await found("refused -ann") == 1
        assert await found("by peer") == 1
        assert await found("user") == 0
        assert await found("fused") == 0


@pytest.mark.editions("postgres")
async def test_a_search_that_cannot_be_is_refused(database_url: str) -> None:
    """Otherwise it would look at everything and find nothing, or fail with the database's words."""
    async with Store.open(database_url) as store:
        refused: dict[str, str] = {
            "": "no word",
            "!! ... ::": "no word",
            "-refund": "name a word to find",
            "a or -b": "name a word to find",
            "x" * 257: "longer than 256",
            "nul\0": "cannot be used",
        }
        for q, message in refused.items():
            with pytest.raises(InvalidInputError, match=message):
                await store.traces.list(RANGE, TraceFilter(q=q))
            with pytest.raises(InvalidInputError, match=message):
                await store.logs.list(RANGE, LogFilter(q=q))
        for q in (
            "\U00010400" * 256,
            "ж" * 256,
            "a " * 128,
            "'" * 255 + "a",
            "(" * 128 + "a",
            "a-" * 128,
        ):
            await store.traces.list(RANGE, TraceFilter(q=q))


HUGE = {
    "distinct words": " ".join(f"{n:x}" for n in range(400_000)),
    "hyphenated": " ".join(f"{n:x}-{n * 7:x}-{n * 13:x}" for n in range(150_000)),
    "addresses": " ".join(f"{n:x}.{n * 7:x}.example/{n:x}/{n * 3:x}?q={n}" for n in range(80_000)),
    "mails": " ".join(f"{n:x}@{n * 7:x}.example" for n in range(80_000)),
    "wide": " ".join(chr(0x4E00 + n % 20_000) + chr(0x4E00 + n // 20_000) for n in range(300_000)),
    # Letters of four bytes, and each word three times: itself and its halves.
    "wide, hyphenated": " ".join(
        f"{chr(0x10400 + n % 80)}{chr(0x10400 + n // 80 % 80)}-{chr(0x10400 + n // 6400)}"
        for n in range(120_000)
    ),
    "wide at its end": "a" * 2_000_000
    + " ".join(f"{chr(0x10400 + n % 80)}{chr(0x10400 + n // 80)}" for n in range(6400)) * 5,
    "one word": "x" * 2_000_000,
    "one line": "a" + "-b" * 500_000,
}


@pytest.mark.parametrize("kind", HUGE)
async def test_texts_beyond_a_tsvector_are_found_by_their_near_part(
    database_url: str, kind: str
) -> None:
    """The end of a long prompt and the beginning of the rest; never an error, here or there."""
    text = HUGE[kind]
    long = f"beginning {text} end"
    everywhere = Payload(
        input_messages=long,
        output_messages=long,
        system_instructions=long,
        tool_definitions=long,
        tool_arguments=long,
        tool_result=long,
    )
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, payload=everywhere), span(2)])
        await store.write_spans([span(3, payload=Payload(input_messages=long))])
        await store.write_logs([log(long)])
        assert await traces_with(store, "end") == [1, 3]
        assert await traces_with(store, "beginning") == [1]
        assert len((await store.logs.list(RANGE, LogFilter(q="beginning"))).items) == 1
        assert (await store.logs.list(RANGE, LogFilter(q="end"))).items == []


async def test_one_project_finds_nothing_of_another(database_url: str) -> None:
    """Not by words, and not by a cursor of the other's search."""
    async with Store.open(database_url) as mine:
        await mine.projects.create("theirs")
        async with Store.open(database_url, project="theirs") as theirs:
            secret = Payload(input_messages="secret")
            await mine.write_spans([span(n, payload=secret) for n in range(1, 9)])
            await mine.write_logs([log(f"secret {n}") for n in range(9)])
            # The same ids, with other texts.
            await theirs.write_spans([span(1, payload=Payload(input_messages="public"))])
            traces = await mine.traces.list(RANGE, TraceFilter(q="secret"), limit=2)
            logs = await mine.logs.list(RANGE, LogFilter(q="secret"), limit=2)
            assert (len(traces.items), len(logs.items)) == (2, 2)
            for cursor in (None, traces.next_cursor):
                page = await theirs.traces.list(RANGE, TraceFilter(q="secret"), cursor=cursor)
                assert page.items == []
            for cursor in (None, logs.next_cursor):
                found = await theirs.logs.list(RANGE, LogFilter(q="secret"), cursor=cursor)
                assert found.items == []
            assert await traces_with(theirs, "public") == [1]


@pytest.mark.editions("community")
async def test_columnar_texts_are_found(database_url: str) -> None:
    """A day that has become columnar is searched as any other."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, payload=Payload(input_messages=MESSAGES))])
        await store.write_logs([log(REFUND)])
        for relation in ("spans", "span_payloads", "logs"):
            compressed: list[Any] = query(
                database_url,
                f"SELECT compress_chunk(c) FROM show_chunks('observatory.{relation}') AS c",
            )
            assert compressed
        assert await traces_with(store, "refund policy") == [1]
        assert len((await store.logs.list(RANGE, LogFilter(q="refund policy"))).items) == 1


# Two finished days and the present one, of which only those can have an index.
DAYS = (RECENT - timedelta(hours=50), RECENT - timedelta(hours=26), RECENT)


async def index(url: str) -> tuple[str, ...]:
    """Do what `maintain` does, and say which days it indexed or left."""
    async with open_pool(url) as pool:
        return (await maintain(pool)).indexed


async def test_finished_days_are_indexed_and_found(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seldom word of the day before yesterday is found at once, however much was said since; and
    what comes late is found too.
    """
    monkeypatch.setattr(SearchByPayloads, "most", 40)
    monkeypatch.setattr(logs, "MOST_TEXTS", 40)
    hay, names = Payload(input_messages="hay"), ("span_payloads", "logs")
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(n, start_time=DAYS[n % 3] + timedelta(milliseconds=n), payload=hay)
                for n in range(1, 300)
                if n % 3 != 2 or n < 30
            ]
        )
        await store.write_logs(
            [log(f"hay {n}", time=DAYS[n % 3]) for n in range(300) if n % 3 != 2 or n < 30]
        )
        needle = Payload(output_messages="A rare needle.")
        await store.write_spans([span(1000, start_time=DAYS[0], payload=needle)])
        await store.write_logs([log("A rare needle.", time=DAYS[0])])
        wanted = {
            f"{name}: indexed the words of {day:%Y-%m-%d}" for day in DAYS[:2] for name in names
        }
        assert wanted <= set(await index(database_url))
        assert await index(database_url) == ()
        await store.write_spans([span(1001, start_time=DAYS[0], payload=needle)])
        await store.write_logs([log("A late needle.", time=DAYS[0])])

        async def found(q: str) -> tuple[set[int], int]:
            traces = await store.traces.list(RANGE, TraceFilter(q=q), limit=3)
            bodies = await store.logs.list(RANGE, LogFilter(q=q), limit=3)
            return {int(one.trace_id, 16) for one in traces.items}, len(bodies.items)

        assert await found("needle") == ({1000, 1001}, 2)
        assert await found('"rare needle" -hay') == ({1000, 1001}, 1)
        assert await found("nothing") == (set(), 0)
        # What is found often is not looked for in an index, but is found as well.
        monkeypatch.setattr(text_index, "MOST_FOUND", 5)
        often = await pages(
            lambda c: store.traces.list(RANGE, TraceFilter(q="hay"), limit=2, cursor=c)
        )
        assert len({one.trace_id for one in items(often)}) == len(items(often)) == 209


async def test_a_search_that_takes_long_goes_on_with_its_cursor(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a request has no time for is found by the next ones, each once."""
    monkeypatch.setattr(scan, "TEXTS_AT_ONCE", 10)
    monkeypatch.setattr(scan, "TEXT_SECONDS", -1)
    hay, needle = Payload(input_messages="hay"), Payload(input_messages="needle")
    times = [RECENT - timedelta(seconds=n) for n in range(60)]
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(n + 1, start_time=time, payload=needle if n % 20 == 15 else hay)
                for n, time in enumerate(times)
            ]
        )
        await store.write_logs(
            [log("needle" if n % 20 == 15 else "hay", time=t) for n, t in enumerate(times)]
        )
        traces = await pages(lambda c: store.traces.list(RANGE, TraceFilter(q="needle"), cursor=c))
        bodies = await pages(lambda c: store.logs.list(RANGE, LogFilter(q="needle"), cursor=c))
        assert sorted(int(one.trace_id, 16) for one in items(traces)) == [16, 36, 56]
        assert sorted(one.time for one in items(bodies)) == [times[n] for n in (55, 35, 15)]
        assert min(len(traces), len(bodies)) >= 4
