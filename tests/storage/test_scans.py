"""A list reads so many rows and no more, whatever its filter, and its cursor goes on from there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from observatory_store import (
    LogFilter,
    Page,
    Payload,
    SpanFilter,
    Store,
    TimeRange,
    TraceFilter,
)
from observatory_store.repositories import logs, scan, spans, trace_search
from observatory_store.repositories.scan import windows
from storage.samples import RECENT, log, span, traffic

RANGE = TimeRange(RECENT - timedelta(days=3), RECENT + timedelta(days=1))
EMPTY, HAY = Payload(input_messages=""), Payload(output_messages="hay")
NEEDLE = Payload(output_messages="a needle")
FEW = 70
"""Rows that one call looks at in these tests."""

Ask = Callable[[str | None], Awaitable[Page[Any]]]


@pytest.fixture
def small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a call look at a few rows only, so that a test need not store many."""
    for module in (spans, logs):
        monkeypatch.setattr(module, "MOST_ROWS", FEW)
    monkeypatch.setattr(logs, "MOST_TEXTS", FEW)
    for search in (
        trace_search.Search,
        trace_search.SearchBySpans,
        trace_search.SearchByPayloads,
    ):
        monkeypatch.setattr(search, "most", FEW)


async def pages(ask: Ask) -> list[Page[Any]]:
    """Return all pages."""
    found = [await ask(None)]
    while found[-1].next_cursor is not None:
        found.append(await ask(found[-1].next_cursor))
    return found


def items(found: list[Page[Any]]) -> list[Any]:
    """Return what all pages have."""
    return [one for page in found for one in page.items]


def test_windows_grow_up_to_the_budget() -> None:
    """What is found often costs little, and what is not costs the budget and no more."""
    assert list(windows(10, 5000)) == [10, 100, 1000, 3890]
    assert list(windows(100, 50)) == [50]


@pytest.mark.usefixtures("small_budget")
async def test_a_filter_that_fits_nothing_is_answered_in_parts(database_url: str) -> None:
    """Otherwise such a query would read the whole range, and end in a timeout."""
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(
                    n, start_time=RECENT - timedelta(minutes=n), payload=Payload(input_messages="")
                )
                for n in range(1, 201)
            ]
        )
        await store.write_logs([log(time=RECENT - timedelta(minutes=n)) for n in range(1, 201)])
        asked: dict[str, Ask] = {
            "spans": lambda c: store.spans.list(RANGE, SpanFilter(user="x"), limit=5, cursor=c),
            "traces": lambda c: store.traces.list(RANGE, TraceFilter(model="x"), limit=5, cursor=c),
            "tag": lambda c: store.traces.list(RANGE, TraceFilter(tags=("a=b",)), cursor=c),
            "attribute": lambda c: store.traces.list(
                RANGE, TraceFilter(attributes=(("a", "b"),)), cursor=c
            ),
            "text": lambda c: store.traces.list(RANGE, TraceFilter(q="nothing"), cursor=c),
            "logs": lambda c: store.logs.list(RANGE, LogFilter(event="x"), limit=5, cursor=c),
            "bodies": lambda c: store.logs.list(RANGE, LogFilter(q="nothing"), cursor=c),
        }
        for name, ask in asked.items():
            found = await pages(ask)
            assert [len(page.items) for page in found] == [0, 0, 0], name


MATCHING: list[TraceFilter] = [
    TraceFilter(user="ann"),
    TraceFilter(user="bob"),
    TraceFilter(user="bob", tags=("team=a",)),
    TraceFilter(user="bob", q="needle"),
    TraceFilter(tags=("team=a",)),
    TraceFilter(attributes=(("kind", "rare"),)),
    TraceFilter(q="needle"),
    TraceFilter(q="needle", tags=("team=a",)),
    TraceFilter(q="needle", min_duration_ms=3600_000),
]


def conversations() -> Iterator[Any]:
    """Yield traces of every length, up to days, that overlap, with what is looked for anywhere."""
    for n, one in enumerate(traffic(600, over=timedelta(days=2), ago=timedelta(minutes=6)), 1):
        changes: dict[str, Any] = {
            "tags": ("team=a",) if n % 7 == 0 else None,
            "attributes": {"kind": "rare" if n % 11 == 0 else "common"},
            "payload": Payload(output_messages="a needle" if n % 5 == 0 else "hay")
            if n % 2
            else None,
        }
        yield span(
            n,
            **{
                **{name: getattr(one, name) for name in ("trace_id", "start_time", "user_id")},
                **changes,
            },
        )


@pytest.mark.usefixtures("small_budget")
@pytest.mark.parametrize("where", MATCHING, ids=repr)
async def test_parts_together_are_the_whole(database_url: str, where: TraceFilter) -> None:
    """No trace is missed, listed twice or out of order where a window ends within it."""
    stored = list(conversations())
    async with Store.open(database_url) as store:
        await store.write_spans(stored)
        everything = items(await pages(partial(_traces, store, None)))
        found = items(await pages(partial(_traces, store, where)))

    def has(trace_id: str, fits: Callable[[Any], bool]) -> bool:
        return any(fits(one) for one in stored if one.trace_id == trace_id)

    expected = [
        one
        for one in everything
        if (where.user is None or has(one.trace_id, lambda s: s.user_id == where.user))
        and (not where.tags or has(one.trace_id, lambda s: s.tags == where.tags))
        and (not where.attributes or has(one.trace_id, lambda s: s.attributes["kind"] == "rare"))
        and (where.q is None or has(one.trace_id, lambda s: s.payload == NEEDLE))
        and one.duration_us >= (where.min_duration_ms or 0) * 1000
    ]
    assert len(expected) > 3
    assert found == expected


async def _traces(store: Store, where: TraceFilter | None, cursor: str | None) -> Page[Any]:
    return await store.traces.list(RANGE, where, limit=4, cursor=cursor)


@pytest.mark.usefixtures("small_budget")
async def test_a_window_goes_on_after_rows_of_one_instant(database_url: str) -> None:
    """More rows of one time than a call looks at are neither skipped nor looked at for ever."""
    async with Store.open(database_url) as store:
        await store.write_spans(
            [span(n, user_id="ann" if n % 50 == 0 else None) for n in range(1, 301)]
        )
        found = await pages(lambda c: store.spans.list(RANGE, SpanFilter(user="ann"), cursor=c))
        by_trace = await pages(
            lambda c: store.traces.list(RANGE, TraceFilter(user="ann"), cursor=c)
        )
    assert len(items(found)) == 6
    assert sum(len(page.items) for page in by_trace) == 6


async def test_long_texts_end_a_window_early(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a page of a megabyte each would take as long as the statement may, and fail."""
    monkeypatch.setattr(trace_search, "TEXT_BYTES", 50_000)
    monkeypatch.setattr(logs, "TEXT_BYTES", 50_000)
    assert scan.TEXT_BYTES > 1_000_000
    times = [RECENT - timedelta(minutes=n) for n in range(1, 31)]
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(n, start_time=time, payload=Payload(input_messages="word " * 2000))
                for n, time in enumerate(times, 1)
            ]
        )
        await store.write_logs(
            [log(f"{n} ".join(map(str, range(9000))), time=t) for n, t in enumerate(times)]
        )
        traces = await pages(lambda c: store.traces.list(RANGE, TraceFilter(q="nothing"), cursor=c))
        bodies = await pages(lambda c: store.logs.list(RANGE, LogFilter(q="nothing"), cursor=c))
    assert 2 <= len(traces) <= 10
    assert 2 <= len(bodies) <= 10
