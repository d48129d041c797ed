"""Stored costs by other prices: exact everywhere, whatever goes on, and stopped at any time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from observatory_store import Span, Store
from observatory_store.database import Pool, open_pool
from observatory_store.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from observatory_store.ingest import present_prices
from observatory_store.maintenance import (
    RecostRange,
    RecostReport,
    Recosts,
    Rollups,
    maintain,
    recost,
    recost_run,
)
from observatory_store.pricing import CostSource
from observatory_store.repositories import PriceRepository
from pricing.books import NoPrices, tariff
from storage.samples import RECOUNT_TRACES, TRACES, content, now, query, span
from storage.test_all_rollups import check, recounted, rich, rolled_up

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COSTS = "SELECT cost_usd, price_ref FROM observatory.spans ORDER BY span_id"
TOTAL = "SELECT sum(cost_usd) FROM observatory.spans WHERE is_inference"
RECORD = """
    SELECT calls, changed, old_cost_usd, new_cost_usd, finished_at IS NOT NULL
    FROM observatory.recosts ORDER BY recost_id
"""
EVER = RecostRange(start=now() - 80 * DAY, end=now() + HOUR)


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a transaction change few calls, so that a test need not store many."""
    monkeypatch.setattr(recost_run, "_CALLS_A_SLICE", 20)


def unpriced(spans: Sequence[Span]) -> list[Span]:
    """Return the spans as a sender sends them: without a cost, or with the program's own."""
    return [
        one
        if n % 10 == 0
        else msgspec.structs.replace(one, cost_usd=None, sent_cost_usd=Decimal(n))
        for n, one in enumerate(spans)
    ]


async def set_price(pool: Pool, model: str, rate: str, start: datetime) -> None:
    """Set what a million tokens cost from a time on."""
    provider = "anthropic" if model.startswith("claude") else "openai"
    await PriceRepository(pool).set(
        provider, model, tariff(input=rate, output=rate, reasoning=rate), start=start
    )


async def recosts(pool: Pool, cost: CostSource = CostSource.COMPUTED) -> Recosts:
    """Return what computes costs by the present prices."""
    return Recosts(pool, await present_prices(pool), cost)


def compress(url: str, edition: str) -> None:
    """Make all chunks but the last two days' columnar, as the policy would."""
    if edition == "community":
        query(
            url,
            "SELECT compress_chunk(c) FROM show_chunks('observatory.spans',"
            " older_than => now() - interval '2 days') AS c",
        )


def check_all(url: str) -> None:
    """Compare every rollup, and the days of all traces, with a recount."""
    check(url)
    assert query(url, TRACES) == query(url, RECOUNT_TRACES)


async def test_two_changes_within_a_day_by_hand(database_url: str, edition: str) -> None:
    """1,000 input tokens at $2, $4 and $8 a million and 100 output tokens at $10. What the program
    told, what was sent and what is no call of a model stay; to do it again changes nothing.
    """
    day = (now() - 5 * DAY).replace(hour=3, minute=0, second=0)
    used = {"input_tokens": 1000, "output_tokens": 100, "cost_usd": None, "request_model": "m"}
    calls = [
        *(span(n, start_time=day + 6 * n * HOUR - HOUR, **used) for n in (1, 2, 3)),
        span(4, start_time=day, cost_usd=Decimal(7), sent_cost_usd=Decimal(5)),
        span(5, start_time=day, **used | {"is_inference": False, "sent_cost_usd": Decimal(5)}),
        span(6, start_time=day, **used | {"request_model": "n", "sent_cost_usd": Decimal(5)}),
        span(7, start_time=day, **used | {"status": "error", "input_tokens": None}),
    ]
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        assert (await store.write_spans(calls)).stored == 7
        await Rollups(pool).refresh()
        compress(database_url, edition)
        for hours, rate in ((0, "2"), (6, "4"), (12, "8")):
            await PriceRepository(pool).set(
                "openai", "m", tariff(input=rate, output="10"), start=day + hours * HOUR
            )
        by_start = (
            "SELECT price_id FROM observatory.prices WHERE valid_from < valid_to IS NOT false"
        )
        ids = [row[0] for row in query(database_url, f"{by_start} ORDER BY valid_from")]
        tried = await store.recost(day - DAY, dry_run=True)
        assert (tried.recost_id, tried.calls, tried.changed) == (None, 6, 3)
        assert query(database_url, COSTS)[0] == (None, None)
        done = await store.recost(day - DAY, by="ann", reason="a new contract")
        assert msgspec.structs.replace(tried, recost_id=1, end=done.end) == msgspec.structs.replace(
            done, done_before=tried.done_before
        )
        expected = [
            (Decimal("0.003"), f"price:{ids[0]}"),
            (Decimal("0.005"), f"price:{ids[1]}"),
            (Decimal("0.009"), f"price:{ids[2]}"),
            (Decimal(7), None),
            *[(None, None)] * 3,
        ]
        assert query(database_url, COSTS) == expected
        again = await store.recost(day - DAY)
        assert (again.calls, again.changed) == (6, 0)
        assert again.old_cost_usd == again.new_cost_usd == Decimal("7.017")
    assert query(database_url, COSTS) == expected
    assert query(database_url, RECORD) == [
        (6, 3, Decimal(7), Decimal("7.017"), True),
        (6, 0, Decimal("7.017"), Decimal("7.017"), True),
    ]
    assert query(
        database_url, "SELECT started_by, reason FROM observatory.recosts WHERE recost_id = 1"
    ) == [("ann", "a new contract")]
    usage = "SELECT sum(cost_usd), sum(unpriced_requests) FROM observatory.llm_usage_1d"
    assert query(database_url, usage) == [(Decimal("7.017"), 1)]
    assert query(
        database_url, "SELECT sum(cost_usd), sum(unpriced_count) FROM observatory.trace_days"
    ) == [(Decimal("7.017"), 1)]
    sent = "SELECT count(*) FROM observatory.spans WHERE sent_cost_usd = 5"
    assert query(database_url, sent) == [(3,)]


@pytest.mark.usefixtures("small_slices")
async def test_everything_equals_a_recount(database_url: str, edition: str) -> None:
    """Every rollup and every trace, with old days columnar; of one model only, then of all."""
    spans = unpriced(rich(600, seed=21, over=4 * DAY))
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(spans)
        await Rollups(pool).refresh()
        compress(database_url, edition)
        ((before,),) = query(database_url, TOTAL)
        for hours in (0, 30, 36, 60):
            await set_price(pool, "gpt-4o", str(2 + hours), now() - 4 * DAY + hours * HOUR)
            await set_price(pool, "claude-sonnet-4-5", str(3 + hours), now() - hours * HOUR)
        one = await (await recosts(pool)).run(
            msgspec.structs.replace(EVER, model="gpt-4o", provider="OpenAI")
        )
        assert [(cost.provider, cost.model) for cost in one.models] == [("openai", "gpt-4o")]
        assert one.changed > 20
        check_all(database_url)
        rest = await (await recosts(pool)).run(EVER)
        assert {cost.model for cost in rest.models if cost.changed} == {"claude-sonnet-4-5"}
        check_all(database_url)
        ((after,),) = query(database_url, TOTAL)
        assert rest.new_cost_usd == after
        assert rest.old_cost_usd - before == one.new_cost_usd - one.old_cost_usd
        stored = content(database_url)
        assert (await (await recosts(pool)).run(EVER)).changed == 0
        assert content(database_url) == stored


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        (CostSource.COMPUTED, [None, None]),
        (CostSource.COMPUTED_FIRST, [Decimal(5), None]),
        (CostSource.SENT, [Decimal(5), None]),
    ],
)
@pytest.mark.editions("postgres")
async def test_the_source_of_costs(
    database_url: str, cost: CostSource, expected: list[Decimal | None]
) -> None:
    """Which cost is taken is the setting's to say; where nobody knows it, it is NULL, not 0."""
    async with Store.open(database_url, cost=CostSource.SENT_FIRST) as store:
        used = {"cost_usd": None, "provider": "acme"}
        await store.write_spans([span(1, sent_cost_usd=Decimal(5), **used), span(2, **used)])
    async with open_pool(database_url) as pool:
        await Recosts(pool, NoPrices(), cost).run(EVER)
    assert [row[0] for row in query(database_url, COSTS)] == expected
    check_all_traces(database_url)


def check_all_traces(url: str) -> None:
    """Compare the days of all traces with a recount."""
    assert query(url, TRACES) == query(url, RECOUNT_TRACES)


@pytest.mark.usefixtures("small_slices")
async def test_more_calls_at_one_moment_than_fit_a_slice(database_url: str, edition: str) -> None:
    """A load test's calls all begin at the same microsecond; none is left out or counted twice."""
    moment = now() - 4 * DAY
    times = [moment - HOUR, *[moment] * 70, moment + HOUR]
    calls = [span(n, start_time=time, cost_usd=None) for n, time in enumerate(times, 1)]
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(calls)
        compress(database_url, edition)
        await set_price(pool, "gpt-4o", "1", moment - DAY)
        report = await (await recosts(pool)).run(EVER)
        assert (report.calls, report.changed) == (72, 72)
        assert report.new_cost_usd == 72 * Decimal("0.00011")
    check_all_traces(database_url)


@pytest.mark.usefixtures("small_slices")
async def test_amid_writers(database_url: str, edition: str) -> None:
    """Late and repeated spans come in all the while, also into columnar chunks and traces that are
    being changed; nothing is lost or doubled, and nobody fails.
    """
    spans = unpriced(rich(600, seed=22, over=4 * DAY))
    late = unpriced(rich(300, seed=22, over=4 * DAY, ago=timedelta(minutes=1)))
    late = [msgspec.structs.replace(one, span_id=f"f{one.span_id[1:]}") for one in late]
    async with Store.open(database_url, pool_size=4) as store, open_pool(database_url) as pool:
        await store.write_spans(spans)
        await Rollups(pool).refresh()
        compress(database_url, edition)

        async def write(part: list[Span]) -> None:
            for position in range(0, len(part), 10):
                await store.write_spans(part[position : position + 10])

        writing = asyncio.gather(write(late[::2] + spans[:200]), write(spans[200:] + late[1::2]))
        rate = 0
        while not writing.done() or rate == 0:
            rate += 1
            await set_price(pool, "gpt-4o", str(rate), now() - 10 * DAY)
            assert (await (await recosts(pool)).run(EVER)).changed > 0
        await writing
        assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(900,)]
        await (await recosts(pool)).run(EVER)
        await Rollups(pool).refresh()
    check_all(database_url)


class _StoppedError(Exception):
    """The run is to end here."""


@pytest.mark.usefixtures("small_slices")
async def test_stopped_and_resumed(database_url: str, edition: str) -> None:
    """What was done before it was stopped stays and counts; nothing is done twice or left out."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(unpriced(rich(400, seed=23, over=4 * DAY)))
        await Rollups(pool).refresh()
        compress(database_url, edition)
        ((before,),) = query(database_url, TOTAL)
        await set_price(pool, "gpt-4o", "9", now() - 10 * DAY)
        expected = await (await recosts(pool)).preview(EVER)
        seen: list[RecostReport] = []

        def stop(report: RecostReport) -> None:
            seen.append(report)
            if len(seen) % 2 == 0:
                raise _StoppedError

        with pytest.raises(_StoppedError):
            await (await recosts(pool)).run(EVER, show=stop)
        assert query(database_url, RECORD)[0][4] is False
        with pytest.raises(_StoppedError):
            await (await recosts(pool)).resume(1, show=stop)
        done = await (await recosts(pool)).resume(1)
        assert 0 < seen[1].calls < seen[3].calls < done.calls == expected.calls
        ((after,),) = query(database_url, TOTAL)
        assert (done.old_cost_usd, done.new_cost_usd) == (before, after)
        assert sorted(done.models, key=repr) == sorted(expected.models, key=repr)
        assert query(database_url, RECORD) == [
            (done.calls, done.changed, before, after, True),
        ]
        with pytest.raises(InvalidInputError, match="is finished"):
            await (await recosts(pool)).resume(1)
        with pytest.raises(NotFoundError, match="no recost 2"):
            await (await recosts(pool)).resume(2)
    check_all(database_url)


FAIL = """
    CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a fault of the test' USING ERRCODE = '53000';
    END $$;
    CREATE TRIGGER fail BEFORE UPDATE ON observatory.trace_days
        FOR EACH ROW WHEN (new.project_id > 1 AND new.day > current_date - 20)
        EXECUTE FUNCTION public.fail();
"""


@pytest.mark.usefixtures("small_slices")
async def test_projects_are_apart(database_url: str, edition: str) -> None:
    """A store changes its own project's costs; all projects' are gone on with amid a day, between
    two of them. Late spans that no policy of TimescaleDB looks for are in the rollups too.
    """
    spans = unpriced(rich(200, seed=25, over=2 * DAY, ago=3 * DAY))
    spans += [
        span(n, start_time=now() - 87 * DAY, duration_us=7 * n, cost_usd=None) for n in (1, 2, 3)
    ]
    by_project = "SELECT count(*) FROM observatory.spans WHERE price_ref ~ '^price:' AND project_id"
    wanted = msgspec.structs.replace(EVER, start=now() - 88 * DAY)
    async with Store.open(database_url) as first, open_pool(database_url) as pool:
        await first.projects.create("second")
        async with Store.open(database_url, project="second") as second:
            for store in (first, second):
                await store.write_spans(spans)
            await Rollups(pool).refresh()
            compress(database_url, edition)
            await set_price(pool, "gpt-4o", "9", now() - 89 * DAY)
            own = await second.recost(wanted.start)
        assert own.changed > 10
        assert query(database_url, f"{by_project} <> 1") == [(own.changed,)]
        assert query(database_url, f"{by_project} = 1") == [(0,)]
        await set_price(pool, "gpt-4o", "11", now() - 89 * DAY)
        expected = await (await recosts(pool)).preview(wanted)
        assert (expected.calls, expected.changed) == (2 * own.calls, 2 * own.changed)
        query(database_url, FAIL)
        with pytest.raises(UnavailableError, match="a fault of the test"):
            await (await recosts(pool)).run(wanted)
        ((day, of_project),) = query(
            database_url,
            "SELECT done_day, done_project FROM observatory.recosts WHERE finished_at IS NULL",
        )
        assert (day > now() - 10 * DAY, of_project) == (True, 1)
        query(database_url, "DROP FUNCTION public.fail CASCADE")
        done = await (await recosts(pool)).resume(2)
        assert (done.calls, done.changed) == (expected.calls, expected.changed)
        assert done.new_cost_usd == expected.new_cost_usd
    for name in ("llm_usage_15m", "llm_usage_1d", "llm_user_usage_1d", "llm_tag_usage_1d"):
        fresh, counted = rolled_up(database_url, name), recounted(database_url, name)
        assert sorted(map(_comparable, fresh)) == sorted(map(_comparable, counted))
    check_all_traces(database_url)


@pytest.mark.editions("postgres")
async def test_what_is_refused(database_url: str) -> None:
    """Two at once would count each other's changes; a half by other prices could not be told."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans([span(1, cost_usd=None)])

        def stop(_: RecostReport) -> None:
            raise _StoppedError

        with pytest.raises(_StoppedError):
            await (await recosts(pool)).run(EVER, show=stop)
        await set_price(pool, "gpt-4o", "9", now() - 10 * DAY)
        with pytest.raises(InvalidInputError, match="prices have changed since recost 1 began"):
            await (await recosts(pool)).resume(1)
        with pytest.raises(InvalidInputError, match="begins after its end"):
            await store.recost(now(), now() - DAY)
        for text in ("a\0b", "\ud800"):
            with pytest.raises(InvalidInputError, match="has a character"):
                await store.recost(now() - DAY, reason=text)
            with pytest.raises(InvalidInputError, match="has a character"):
                await store.recost(now() - DAY, model=text, dry_run=True)
        with pytest.raises(InvalidInputError, match="lacks a time zone"):
            await store.recost(now().replace(tzinfo=None))
        async with pool.acquire() as connection:
            await connection.execute("SELECT pg_advisory_lock($1)", recost.LOCK)
            with pytest.raises(ConflictError, match="another recost"):
                await store.recost(now() - DAY)
    async with open_pool(database_url, max_size=1) as pool:
        with pytest.raises(InvalidInputError, match="two connections"):
            await Recosts(pool, NoPrices()).run(EVER)


async def test_dropped_spans_keep_their_costs(database_url: str, edition: str) -> None:
    """What rollups know of spans that are gone stays, also of a day that is gone in part."""
    names = ["llm_usage_15m", "llm_usage_1d", "llm_user_usage_1d"]
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(unpriced(rich(300, seed=24, over=30 * DAY)))
        await Rollups(pool).refresh()
        drop_old(database_url, edition, days=10)
        await maintain(pool)
        ((whole_from,),) = query(database_url, "SELECT observatory_private.whole_from('spans')")
        assert whole_from > now() - 12 * DAY
        before = {name: rows_until(database_url, name, whole_from) for name in names}
        assert all(before.values())
        await set_price(pool, "gpt-4o", "9", now() - 90 * DAY)
        report = await (await recosts(pool)).run(EVER)
        assert report.whole_from is not None
        assert report.whole_from >= whole_from
        assert report.changed > 0
        assert {name: rows_until(database_url, name, whole_from) for name in names} == before
        for name in names:
            fresh = [row for row in rolled_up(database_url, name) if row[0] >= whole_from]
            expected = [row for row in recounted(database_url, name) if row[0] >= whole_from]
            assert sorted(map(_comparable, fresh)) == sorted(map(_comparable, expected))
        gone = msgspec.structs.replace(EVER, end=whole_from - DAY)
        assert (await (await recosts(pool)).run(gone)).calls == 0


def _comparable(row: tuple[Any, ...]) -> str:
    return repr([float(one) if isinstance(one, int | Decimal) else one for one in row])


def rows_until(url: str, name: str, end: datetime) -> list[str]:
    """Return the rollup's rows from before a time."""
    return sorted(_comparable(row) for row in rolled_up(url, name) if row[0] < end)


def drop_old(url: str, edition: str, *, days: int) -> None:
    """Have spans older than that dropped, by the retention or by the next `maintain`."""
    query(
        url,
        f"UPDATE observatory.policies SET retention = '{days} days'"
        " WHERE relation IN ('spans', 'span_payloads')",
    )
    if edition == "community":
        query(url, "SELECT remove_retention_policy('observatory.spans')")
        ((job,),) = query(
            url, f"SELECT add_retention_policy('observatory.spans', interval '{days} days')"
        )
        query(url, f"CALL run_job({job})")
