"""What is written is there once, whatever the order, the repetition and the neighbours."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal

import msgspec
import psycopg
import pytest

from observatory_store import LLMCall, LogRecord, Payload, Store
from observatory_store.errors import NotFoundError, UnavailableError
from observatory_store.repositories import TimeRange
from patience import PATIENCE_SECONDS, until
from storage.samples import (
    GATEWAY,
    RECOUNT_TRACES,
    SEARCH,
    TRACES,
    content,
    log,
    now,
    point,
    query,
    span,
    traffic,
)

WAITING = """
    SELECT pid, xact_start FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def test_a_replay_changes_nothing(database_url: str) -> None:
    """A retry after a lost answer must not count anything twice, in any table or rollup."""
    spans, logs, points = traffic(200), [log(), log("other")], [point(), point(series="b")]
    async with Store.open(database_url) as store:
        first = [
            await store.write_spans(spans),
            await store.write_logs(logs),
            await store.write_points(points),
        ]
        assert [one.stored for one in first] == [200, 2, 2]
        before = content(database_url)
        again = [
            await store.write_spans(reversed(spans)),
            await store.write_logs(reversed(logs)),
            await store.write_points(reversed(points)),
        ]
    assert [(one.stored, one.duplicates) for one in again] == [(0, 200), (0, 2), (0, 2)]
    assert content(database_url) == before


async def test_log_records_are_told_apart_by_all_that_they_say(database_url: str) -> None:
    """Of the lines that a program writes at one instant none may be lost; a line written twice is
    two lines; and to send all of them again, in other portions and projects, doubles none.
    """
    at = now() - timedelta(minutes=1)
    records = [
        LogRecord(time=at, body="a"),
        LogRecord(time=at, body="b"),
        LogRecord(time=at, body="a", time_nanos=1),
        LogRecord(time=at, body=float("nan")),
        LogRecord(time=at, body=b"a"),
        LogRecord(time=at, body="a", attributes={"n": 1}),
        LogRecord(time=at, body="a", attributes={"n": 1.0}),
        LogRecord(time=at, body="a", resource=GATEWAY),
        LogRecord(time=at, body="a"),
        LogRecord(time=at.astimezone(timezone(timedelta(hours=5))), body="a"),
    ]
    async with Store.open(database_url) as store:
        await store.projects.create("other")
        first = await store.write_logs(records)
        assert (first.stored, first.duplicates, first.rejected) == (10, 0, 0)
        async with Store.open(database_url, project="other") as other:
            assert (await other.write_logs(records[:3])).stored == 3
        before = content(database_url)
        again = await store.write_logs([*records[::-1], LogRecord(time=at, body="c")])
        assert (again.stored, again.duplicates) == (1, 10)
        assert (await store.write_logs(records[:1])).duplicates == 1
        found = (await store.logs.list(TimeRange(at, now()))).items
    assert len(found) == 11
    assert sorted(record.body for record in found if isinstance(record.body, str)) == [
        *"aaaaaaa",
        "b",
        "c",
    ]
    assert {record.content_hash for record in found} == {
        record.content_hash for record in [*records, LogRecord(time=at, body="c")]
    }
    assert [row for row in before["logs"] if row not in content(database_url)["logs"]] == []


async def test_submissions_that_are_committed_together_replay_each_other(
    database_url: str,
) -> None:
    """Two senders of the same records at once are a retry, though one transaction takes both."""
    at = now() - timedelta(minutes=1)
    twice = [LogRecord(time=at, body="twice"), LogRecord(time=at, body="twice")]
    async with Store.open(database_url) as store:
        await asyncio.gather(*(store.write_logs(twice) for _ in range(20)))
    assert query(database_url, "SELECT ordinal FROM observatory.logs ORDER BY 1") == [(0,), (1,)]


async def test_a_log_record_that_cannot_be_stored_is_rejected_alone(database_url: str) -> None:
    """A value that no column takes costs its own line, and repeats around it stay repeats."""
    at = now() - timedelta(minutes=1)
    good = [LogRecord(time=at, body="good")] * 3
    bad = [
        LogRecord(time=at.replace(tzinfo=None)),
        LogRecord(time=at, body="\ud800"),
        LogRecord(time=at, event_name="\ud800"),
        LogRecord(time=at, service_name="a\0b"),
    ]
    async with Store.open(database_url) as store:
        written = await store.write_logs([good[0], *bad[:3], good[1], *bad[3:], good[2]])
    assert (written.stored, written.rejected) == (3, 4)
    assert query(database_url, "SELECT ordinal FROM observatory.logs ORDER BY 1") == [
        (0,),
        (1,),
        (2,),
    ]


async def test_traces_are_the_same_in_any_order_of_arrival(database_url: str) -> None:
    """A trace's root, totals and range must not depend on which of its spans came first."""
    spans = traffic(300)
    chance = random.Random(7)
    async with Store.open(database_url) as store:
        for project in ("one", "two"):
            await store.projects.create(project)
    for project in ("default", "one", "two"):
        chance.shuffle(spans)
        async with Store.open(database_url, project=project) as store:
            position = 0
            while position < len(spans):
                size = chance.randrange(1, 60)
                # Parts overlap, as retries of partly stored batches do.
                await store.write_spans(spans[max(0, position - 5) : position + size])
                position += size
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    projects = query(
        database_url,
        "SELECT count(DISTINCT d) FROM (SELECT project_id, md5(string_agg("
        "(to_jsonb(t) - 'project_id')::text, ' ' ORDER BY trace_id)) AS d"
        " FROM observatory.traces AS t GROUP BY 1) AS digests",
    )
    assert projects == [(1,)]


async def test_a_trace_over_midnight_is_one_trace(database_url: str) -> None:
    """The view merges the days of a trace: one start, one end, one root, sums over both."""
    midnight = now().replace(hour=0, minute=0, second=0) - timedelta(days=1)
    early = span(
        1, start_time=midnight - timedelta(minutes=2), name="root", duration_us=240_000_000
    )
    late = span(
        2,
        trace_id=early.trace_id,
        parent_span_id=early.span_id,
        start_time=midnight + timedelta(minutes=1),
        cost_usd=Decimal("0.01"),
        request_model="gpt-4o-mini",
    )
    async with Store.open(database_url) as store:
        await store.write_spans([late])
        await store.write_spans([early])
        trace = await store.traces.get(early.trace_id)
    assert query(database_url, "SELECT count(*) FROM observatory.trace_days") == [(2,)]
    assert trace is not None
    summary = trace.summary
    assert (summary.start_time, summary.end_time) == (
        early.start_time,
        early.start_time + timedelta(minutes=4),
    )
    assert (summary.root_name, summary.span_count, summary.cost_usd) == (
        "root",
        2,
        Decimal("0.011"),
    )
    assert summary.models == ("gpt-4o", "gpt-4o-mini")
    assert [one.span_id for one in trace.spans] == [early.span_id, late.span_id]


async def test_concurrent_writers_of_the_same_spans_neither_lose_nor_double(
    database_url: str,
) -> None:
    """Several senders that retry the same batches at once: no deadlock, no double count."""
    spans = traffic(400)
    parts = [spans[n : n + 100] for n in range(0, 400, 50)]
    async with Store.open(database_url, pool_size=6) as store:
        chance = random.Random(3)

        async def send() -> int:
            order = [list(part) for part in parts]
            chance.shuffle(order)
            stored = 0
            for part in order:
                chance.shuffle(part)
                stored += (await store.write_spans(part)).stored
            return stored

        assert sum(await asyncio.gather(*(send() for _ in range(6)))) == 400
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(400,)]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


async def test_times_outside_the_limits_are_rejected_alone(database_url: str) -> None:
    """A clock gone wrong must not move a rollup's watermark, nor revive a dropped range."""
    times = [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        now() - timedelta(days=91),
        now() + timedelta(days=1, hours=1),
    ]
    async with Store.open(database_url) as store:
        spans = await store.write_spans(
            [span(), *(span(n, start_time=time) for n, time in enumerate(times, 2))]
        )
        logs = await store.write_logs([log(), *(log(str(time), time=time) for time in times)])
        points = await store.write_points(
            [point(), *(point(series=str(time), time=time) for time in times)]
        )
    for written in (spans, logs, points):
        assert (written.stored, written.rejected) == (1, 4)
        assert any("older than what" in problem for problem in written.problems)
        assert any("more than a day ahead" in problem for problem in written.problems)


async def test_a_span_that_ends_in_the_far_future_is_rejected(database_url: str) -> None:
    """An end in the year 9999 would make its trace last for ever."""
    far = span(1, duration_us=int(timedelta(days=365 * 7000).total_seconds() * 10**6))
    beyond = span(2, duration_us=2**63 - 1)
    async with Store.open(database_url) as store:
        written = await store.write_spans([far, beyond, span(3)])
    assert (written.stored, written.rejected) == (1, 2)


async def test_what_the_database_refuses_is_rejected_alone(database_url: str) -> None:
    """A value that slipped past all checks costs its own row, not the batch."""
    spans = [span(number) for number in range(1, 40)]
    spans[17] = msgspec.structs.replace(spans[17], name="a\0b")
    spans[30] = msgspec.structs.replace(spans[30], input_tokens=2**40)
    async with Store.open(database_url) as store:
        written = await store.write_spans(spans)
    assert (written.stored, written.rejected) == (37, 2)
    assert all("refuses" in problem for problem in written.problems)
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(37,)]
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


async def test_what_a_program_built_wrongly_is_rejected_alone(database_url: str) -> None:
    """A gateway's bug in one span costs that span, and says what is wrong with it."""
    wrong = [
        span(2, trace_id="zz" * 16),
        span(3, trace_id="0" * 32),
        span(4, trace_id="AB" * 16),
        span(5, span_id="ab"),
        span(6, kind="bogus"),
        span(7, cost_usd=Decimal("NaN")),
        span(8, start_time=datetime(2026, 1, 1)),  # noqa: DTZ001
        span(9, duration_us=-1),
        span(10, name="lone \ud800"),
        span(11, attributes={"key \ud800": 1}),
        span(12, attributes={"a": object()}),
        span(13, tags=("a\0b",)),
    ]
    async with Store.open(database_url) as store:
        written = await store.write_spans([span(1), *wrong, span(14)])
        assert (written.stored, written.rejected) == (2, len(wrong))
        elsewhere = timezone(timedelta(hours=-11))
        at = now().astimezone(elsewhere) - timedelta(days=2)
        await store.write_spans([span(15, start_time=at.replace(hour=20))])
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)
    assert query(
        database_url,
        "SELECT count(*) FROM observatory.trace_days AS d JOIN observatory.spans AS s"
        " USING (project_id, trace_id) WHERE d.day <> (s.start_time AT TIME ZONE 'UTC')::date",
    ) == [(0,)]


async def test_resources_come_back_after_the_connection_was_lost(database_url: str) -> None:
    """After a failover to a server that lacks them, what is remembered must not be believed."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(1)])
        query(database_url, "DELETE FROM observatory.resources")
        query(
            database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        await store.write_spans([span(2)])
    assert query(database_url, "SELECT count(*) FROM observatory.resources") == [(1,)]


async def test_another_point_at_the_same_time_is_reported_and_the_first_stays(
    database_url: str,
) -> None:
    """Two different values of one series at one time are a sender's error that it hears of; to
    send the same value again is none.
    """
    async with Store.open(database_url) as store:
        await store.write_points([point(1.0), point(float("nan"), series="nan")])
        written = await store.write_points(
            [point(1.0), point(2.0), point(float("nan"), series="nan"), point(3.0, series="c")]
        )
        again = await store.write_points([point(2.0), point(1.0), point(3.0, series="c")])
    assert (written.stored, written.duplicates, written.rejected) == (1, 2, 1)
    assert (again.stored, again.duplicates, again.rejected) == (0, 2, 1)
    assert "the first one stays" in written.problems[0]
    assert query(
        database_url, "SELECT value_double FROM observatory.metric_points WHERE value_double < 3"
    ) == [(1.0,)]


async def test_an_old_span_is_stored_without_its_expired_payload(database_url: str) -> None:
    """Private text must not come back into a range from which it was dropped."""
    old = span(1, start_time=now() - timedelta(days=40), payload=Payload(input_messages="secret"))
    async with Store.open(database_url) as store:
        written = await store.write_spans([old])
    assert (written.stored, written.rejected) == (1, 0)
    assert "left out" in written.problems[0]
    assert query(database_url, "SELECT count(*) FROM observatory.span_payloads") == [(0,)]


async def test_record_stores_a_priced_call(database_url: str) -> None:
    """A gateway's call is one line, and its cost is right to the last digit."""
    async with Store.open(database_url) as store:
        await store.record(
            LLMCall(
                provider="openai",
                model="gpt-4o",
                input_tokens=812,
                output_tokens=64,
                tags={"team": "search"},
                input_messages=[{"role": "user", "content": "hi \0"}],
            )
        )
        # Its mistake is not the request's trouble.
        await store.record(LLMCall(provider="openai", model="gpt-4o", input_tokens=-1))
        assert store.health().invalid == 1
    # 812 tokens at $2.50 and 64 at $10 for a million.
    assert query(
        database_url,
        "SELECT cost_usd, tags, input_messages FROM observatory.spans"
        " JOIN observatory.span_payloads USING (project_id, trace_id, span_id, start_time)",
    ) == [
        (
            Decimal("0.00267"),
            ["team=search"],
            '[{"role":"user","parts":[{"type":"text","content":"hi \ufffd"}]}]',
        )
    ]


@pytest.mark.editions("postgres")
async def test_open_says_what_is_wrong(empty_database_url: str, database_url: str) -> None:
    """No schema, no project, no server: each is one clear error."""
    with pytest.raises(UnavailableError, match="schema apply"):
        async with Store.open(empty_database_url):
            pass
    with pytest.raises(NotFoundError, match="nowhere"):
        async with Store.open(database_url, project="nowhere"):
            pass
    with pytest.raises(UnavailableError):
        async with Store.open("postgresql://postgres@127.0.0.1:1/x?connect_timeout=2"):
            pass


async def test_a_large_submission_is_divided_and_every_span_counted_once(
    database_url: str,
) -> None:
    """Its parts are committed apart, so that what spans of one trace share must not be split."""
    spans = traffic(3000)
    async with Store.open(database_url) as store:
        first = await store.write_spans([*spans, *spans[:10]])
        again = await store.write_spans(spans)
    assert (first.stored, first.duplicates, first.rejected) == (3000, 10, 0)
    assert (again.stored, again.duplicates, again.rejected) == (0, 3000, 0)
    assert query(database_url, TRACES) == query(database_url, RECOUNT_TRACES)


async def test_an_id_that_is_no_text_does_not_take_a_large_submission_along(
    database_url: str,
) -> None:
    """What cannot be divided is committed whole."""
    spans = [*traffic(2500), span(1, trace_id=[])]
    async with Store.open(database_url) as store:
        written = await store.write_spans(spans)
    assert (written.stored, written.rejected) == (2500, 1)


async def test_writers_that_bring_the_same_new_resource_do_not_wait_for_each_other(
    database_url: str,
) -> None:
    """Otherwise writers take turns whenever a sender is new, however many there are."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        Store.open(
            database_url,
            lock_timeout_seconds=2 * PATIENCE_SECONDS,
            statement_timeout_seconds=2 * PATIENCE_SECONDS,
        ) as store,
    ):
        # A new chunk does have to be waited for.
        await store.write_spans([span(3, resource=SEARCH)])
        with psycopg.connect(database_url) as other:
            other.execute("LOCK TABLE observatory.span_payloads IN SHARE MODE")
            held = asyncio.create_task(
                store.write_spans([span(1, payload=Payload(input_messages="hello"))])
            )
            await until(lambda: bool(query(database_url, WAITING)))
            waiting = query(database_url, WAITING)
            assert (await store.write_spans([span(2)])).stored == 1
            assert query(database_url, WAITING) == waiting
            other.rollback()
            assert (await held).stored == 1


class _TwiceTheHour(tzinfo):
    """A zone where the clocks go back at every hour."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        return timedelta(hours=1 if at and at.fold else 2)

    def dst(self, at: datetime | None) -> timedelta:
        return self.utcoffset(at) - timedelta(hours=1)

    def tzname(self, at: datetime | None) -> str:
        return str(self.utcoffset(at))


async def test_the_hour_that_a_zone_has_twice(database_url: str) -> None:
    """Where the clocks go back, a time equals none of another zone, not even itself in UTC."""
    at = now().replace(tzinfo=_TwiceTheHour(), fold=1)
    spans = [span(number, start_time=at) for number in (1, 2)]
    logs = [log(str(number), time=at) for number in (1, 2)]
    points = [point(number, time=at, series=str(number)) for number in (1, 2)]
    async with Store.open(database_url) as store:
        for first, both in (
            (store.write_spans(spans[:1]), store.write_spans(spans)),
            (store.write_logs(logs[:1]), store.write_logs(logs)),
            (store.write_points(points[:1]), store.write_points(points)),
        ):
            assert (await first).stored == 1
            written = await both
            assert (written.stored, written.duplicates, written.rejected) == (1, 1, 0)
