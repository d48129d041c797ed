"""Traces of a session or a user, and sessions with their totals: found by index, and exactly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from observatory_store import Page, SessionFilter, Span, Store, TimeRange, TraceFilter
from observatory_store.repositories import trace_search
from storage.samples import now, query, span

MIDNIGHT = now().replace(hour=0, minute=0, second=0) - timedelta(days=3)
"""Of the first of three days on which spans begin."""
NAMES = [None, "ann", "bob", "cyd", "x" * 5000]
"""One of them longer than a btree takes."""

spans_of_a_few_traces = st.lists(
    st.builds(
        lambda trace, hour, session, user, status: {
            "trace_id": f"{trace:032x}",
            "start_time": MIDNIGHT + timedelta(hours=hour),
            "session_id": session,
            "user_id": user,
            "status": status,
        },
        st.integers(1, 4),
        st.integers(0, 71) | st.sampled_from([23, 24, 25]),
        st.sampled_from(NAMES),
        st.sampled_from(NAMES),
        st.sampled_from(["ok", "error"]),
    ),
    min_size=8,
    max_size=30,
).map(lambda all_fields: [span(n, **fields) for n, fields in enumerate(all_fields, 1)])
ranges = st.just(TimeRange(MIDNIGHT, MIDNIGHT + timedelta(days=4))) | st.tuples(
    st.integers(0, 71), st.integers(1, 96)
).map(
    lambda hours: TimeRange(
        MIDNIGHT + timedelta(hours=hours[0]), MIDNIGHT + timedelta(hours=sum(hours))
    )
)
FILTERS = [
    where
    for name in (*NAMES[1:], "nobody")
    for where in (
        TraceFilter(session=name),
        TraceFilter(user=name),
        TraceFilter(session=name, user="ann"),
        TraceFilter(user=name, status="error"),
    )
]
Ask: TypeAlias = Callable[[str | None], Awaitable[Page[Any]]]


async def items(ask: Ask) -> list[Any]:
    """Return what all pages have."""
    page = await ask(None)
    found = page.items
    while page.next_cursor is not None:
        page = await ask(page.next_cursor)
        found += page.items
    return found


def traces_of(spans: list[Span], range_: TimeRange, where: TraceFilter) -> list[str]:
    """Return the ids of the traces that a list ought to have, in its order."""
    found = []
    for trace_id in {one.trace_id for one in spans}:
        of_trace = [one for one in spans if one.trace_id == trace_id]
        start = min(one.start_time for one in of_trace)
        if (
            range_.start <= start < range_.end
            and (where.session is None or where.session in {one.session_id for one in of_trace})
            and (where.user is None or where.user in {one.user_id for one in of_trace})
            and (where.status is None or "error" in {one.status for one in of_trace})
        ):
            found.append((start, trace_id))
    return [trace_id for _, trace_id in sorted(found, reverse=True)]


def sessions_of(spans: list[Span], range_: TimeRange, user: str | None) -> list[tuple[Any, ...]]:
    """Return what a list of sessions ought to have, in its order: sums of the days of traces."""

    def day_of(one: Span) -> tuple[Any, ...]:
        return one.trace_id, one.start_time.date()

    sums: dict[str, list[Any]] = {}
    for (trace_id, _), group in groupby(sorted(spans, key=day_of), day_of):
        day = list(group)
        start = min(one.start_time for one in day)
        session = min((one.session_id for one in day if one.session_id), default=None)
        least_user = min((one.user_id for one in day if one.user_id), default=None)
        fits = range_.start <= start < range_.end and user in {None, least_user}
        if session is not None and fits:
            end = max(one.start_time + timedelta(microseconds=one.duration_us) for one in day)
            one = sums.setdefault(session, [start, end, start, set(), 0])
            one[0], one[1], one[2] = min(one[0], start), max(one[1], end), max(one[2], start)
            one[3].add(trace_id)
            one[4] += len(day)
    found = [
        (last, name, start, end, len(ids), count)
        for name, (start, end, last, ids, count) in sums.items()
    ]
    return sorted(found, reverse=True)


@pytest.mark.editions("postgres", "community")
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    parts=st.tuples(spans_of_a_few_traces, st.integers(1, 20)),
    range_=ranges,
    limit=st.sampled_from([1, 2, 50]),
    budget=st.tuples(st.sampled_from([2, 20_000]), st.sampled_from([1, 10_000])),
)
def test_lists_are_those_of_a_brute_force(
    database_url: str,
    parts: tuple[list[Span], int],
    range_: TimeRange,
    limit: int,
    budget: tuple[int, int],
) -> None:
    """Also where a trace has several sessions, or names one on a later day only; stored in two
    parts; a page, and a window of the search, at a time.
    """
    spans, first = parts
    query(database_url, "TRUNCATE observatory.spans, observatory.span_payloads")
    query(database_url, "TRUNCATE observatory.trace_days")

    async def check() -> None:
        async with Store.open(database_url) as store:
            await store.write_spans(spans[:first])
            await store.write_spans(spans[first:])
            for where in FILTERS:
                found = await items(partial(_traces, store, range_, where, limit))
                assert [one.trace_id for one in found] == traces_of(spans, range_, where), where
            for user in (None, "bob"):
                sessions = await items(partial(_sessions, store, range_, user, limit))
                assert [
                    (s.last_start, s.session, s.start_time, s.end_time, s.traces, s.spans)
                    for s in sessions
                ] == sessions_of(spans, range_, user)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_search.Search, "most", budget[0])
        patch.setattr(trace_search, "_MOST_LATER", budget[1])
        asyncio.run(check())


async def _traces(
    store: Store, range_: TimeRange, where: TraceFilter, limit: int, cursor: str | None
) -> Page[Any]:
    return await store.traces.list(range_, where, limit=limit, cursor=cursor)


async def _sessions(
    store: Store, range_: TimeRange, user: str | None, limit: int, cursor: str | None
) -> Page[Any]:
    where = SessionFilter(user=user)
    return await store.analytics.sessions(range_, where, limit=limit, cursor=cursor)


@pytest.mark.editions("postgres")
async def test_a_row_of_a_trace_stays_small(database_url: str) -> None:
    """A sender that gives all its users one trace id must not make each write slower than the one
    before: the least hundred and one are kept, in whatever order they come.
    """
    names = [f"user-{n:03}" for n in range(150)]
    async with Store.open(database_url) as store:
        for part in (names[100:], names[50:100], names[:50]):
            await store.write_spans(
                [
                    span(int(name[-3:]) + 1, trace_id="a" * 32, user_id=name, session_id=name)
                    for name in part
                ]
            )
    kept = (names[0], names[1:101])
    assert query(
        database_url,
        "SELECT user_id, other_users, session_id, other_sessions FROM observatory.trace_days",
    ) == [(*kept, *kept)]


@pytest.mark.editions("postgres")
async def test_sessions_that_come_one_by_one_are_all_kept(database_url: str) -> None:
    """A trace is found by what its later batches name, not only by what they add to the least."""
    range_ = TimeRange(MIDNIGHT, MIDNIGHT + timedelta(hours=2))
    async with Store.open(database_url) as store:
        for n, name in enumerate(("bob", "ann", "cyd", "bob"), 1):
            await store.write_spans(
                [
                    span(
                        n,
                        trace_id="a" * 32,
                        start_time=MIDNIGHT + timedelta(hours=1),
                        session_id=name,
                        user_id=name,
                    )
                ]
            )
        for name in ("ann", "bob", "cyd"):
            for where in (TraceFilter(session=name), TraceFilter(user=name)):
                assert len((await store.traces.list(range_, where)).items) == 1, where
