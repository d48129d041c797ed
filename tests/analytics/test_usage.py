"""Usage of any range, grouped by anything, is what a recount of the spans says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from analytics.recount import random_range, recounted, rich
from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance import Rollups, maintain
from observatory_store.repositories.analytics import DIMENSIONS, UsageRow
from storage.samples import now, query, span

HOUR = timedelta(hours=1)
ZONES = (
    *("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"),
    *("America/Santiago", "Pacific/Chatham"),
)
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"model": "gpt-4o"},
    {"provider": ["openai", "anthropic"], "service": "search"},
    {"environment": "test"},
    {"user": "ann"},
    {"session": "s1"},
    {"agent": ["planner"]},
    {"tool": "search"},
    {"tag": ["a=1", "b=2"]},
)


def plain(rows: Sequence[UsageRow]) -> list[str]:
    """Return rows that can be compared with a recount."""
    return sorted(
        repr(
            [
                row.bucket,
                *(getattr(row, name) for name in DIMENSIONS),
                *(float(getattr(row, name)) for name in UsageRow.__struct_fields__[11:]),
            ]
        )
        for row in rows
    )


def plain_records(records: list[tuple[Any, ...]]) -> list[str]:
    """Return records of a recount, as :func:`plain` does."""
    return sorted(
        repr(
            [
                None if record[0] is None else record[0].astimezone(UTC),
                *record[1:10],
                *(float(value) for value in record[10:]),
            ]
        )
        for record in records
    )


async def check(store: Store, url: str, seed: int, *, days: float) -> None:
    """Compare an arbitrary question with a recount."""
    chance = random.Random(seed)
    start, end = random_range(chance, now(), days)
    groups = chance.sample(DIMENSIONS, chance.choice([0, 1, 1, 2, 3]))
    filters = chance.choice(FILTERS)
    interval = chance.choice([None, "15m", "1h", "1d", "1d", "1w", "1mo"])
    tz = chance.choice(ZONES)
    if (end - start) > timedelta(days=30):
        groups = [name for name in groups if name in {"provider", "model"}]
        filters = chance.choice(FILTERS[:4])
    if interval == "15m" and end - start > timedelta(days=2):
        interval = None
    rows = await store.analytics.usage(
        start, end, group_by=groups, interval=interval, tz=tz, **filters
    )
    expected = recounted(url, start, end, groups=groups, interval=interval, tz=tz, filters=filters)
    assert plain(rows) == plain_records(expected), (start, end, groups, filters, interval, tz)
    assert (rows.covered.start, rows.covered.end) == (start, end)


async def test_usage_equals_a_recount_of_the_spans(database_url: str) -> None:
    """Of whatever range, however ragged, by whatever dimensions and clock: to the last token."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(500, seed=1, over=timedelta(days=12)))
        await store.write_spans(rich(400, seed=2, over=timedelta(days=80)))
        await Rollups(pool).refresh()
        for seed in range(100):
            await check(store, database_url, seed, days=12 if seed % 3 else 80)
        await store.write_spans(rich(100, seed=3, over=timedelta(hours=5)))
        await Rollups(pool).refresh()
        for seed in range(100, 140):
            await check(store, database_url, seed, days=1)


async def test_usage_of_what_spans_are_no_more(database_url: str, edition: str) -> None:
    """Whole buckets of a rollup answer as before; a ragged range says that it covers them whole;
    what only spans could tell is an error, and no wrong sum.
    """
    midnight = now().replace(hour=0, minute=0, second=0) - timedelta(days=20)
    old, new = midnight + timedelta(hours=3, minutes=7), midnight + timedelta(days=19, hours=5)
    ranges = ((midnight, now()), (midnight - timedelta(days=3), midnight + timedelta(days=4)))
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(400, seed=5, over=timedelta(days=25)))
        await Rollups(pool).refresh()
        usage = store.analytics.usage
        groups: tuple[list[str], ...] = ([], ["model", "service"], ["user"], ["tag"], ["tool"])
        before = [
            await usage(*range_, group_by=by, interval=interval)
            for range_ in ranges
            for by in groups
            for interval in (None, "1d")
        ]
        quarter_hours = (
            midnight + timedelta(hours=3),
            midnight + timedelta(days=4, hours=2, minutes=15),
        )
        ragged = await usage(*quarter_hours, group_by=["model"], interval="1h")
        await drop_spans(pool, database_url, edition, days=10)
    async with Store.open(database_url) as store:
        usage = store.analytics.usage
        after = [
            await usage(*range_, group_by=by, interval=interval)
            for range_ in ranges
            for by in groups
            for interval in (None, "1d")
        ]
        assert after == before
        asked = (old, quarter_hours[1] - timedelta(minutes=1))
        again = await usage(*asked, group_by=["model"], interval="1h")
        assert again == ragged
        assert (again.covered.start, again.covered.end) == quarter_hours
        by_user = await usage(old, new, group_by=["user"])
        assert (by_user.covered.start, by_user.covered.end) == (midnight, new)
        impossibles: tuple[dict[str, Any], ...] = (
            {"group_by": ["user", "service"]},
            {"group_by": ["user"], "interval": "1d", "tz": "Europe/Berlin"},
            {"group_by": ["user"], "interval": "1h"},
            {"interval": "1m"},
        )
        for impossible in impossibles:
            with pytest.raises(InvalidInputError, match=r"spans from before .* are kept no more"):
                await usage(old, old + timedelta(days=4), **impossible)


async def test_rollups_that_are_kept_briefly_never_make_a_sum_short(
    database_url: str, edition: str
) -> None:
    """What the coarsest rollup has lost comes from finer ones or from spans, or is refused."""
    midnight = now().replace(hour=0, minute=0, second=0)
    range_ = (midnight - timedelta(days=20), midnight - timedelta(days=1))
    asked: tuple[dict[str, Any], ...] = ({}, {"group_by": ["session"]}, {"group_by": ["tool"]})
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(400, seed=5, over=timedelta(days=25)))
        await Rollups(pool).refresh()
        before = [await store.analytics.usage(*range_, **one) for one in asked]
        query(
            database_url,
            "UPDATE observatory.policies SET retention = '5 days' WHERE relation IN"
            " ('llm_usage_1d', 'llm_session_usage_1d', 'tool_usage_1d', 'service_spans_1h')",
        )
        await maintain(pool)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        assert [await store.analytics.usage(*range_, **one) for one in asked] == before
        await drop_spans(pool, database_url, edition, days=10)
    async with Store.open(database_url) as store:
        assert await store.analytics.usage(*range_) == before[0]
        for one in asked[1:]:
            with pytest.raises(InvalidInputError, match=r"are kept no more, .* whole from "):
                await store.analytics.usage(*range_, **one)
        recent = (midnight - timedelta(days=4), midnight)
        assert await store.analytics.usage(*recent, group_by=["session"])


async def test_a_young_project_lacks_nothing(database_url: str) -> None:
    """What began after all that was dropped is whole, however far back the question goes."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(1)])
        (row,) = await store.analytics.usage(
            now() - timedelta(days=900), now() + HOUR, group_by=["user"]
        ) or (None,)
        (all_of_it,) = await store.analytics.usage(now() - timedelta(days=900), now() + HOUR)
    assert row is None
    assert all_of_it.requests == 1


async def drop_spans(pool: Any, url: str, edition: str, *, days: int) -> None:
    """Have spans that are older kept no more."""
    query(
        url,
        f"UPDATE observatory.policies SET retention = '{days} days'"
        " WHERE relation IN ('spans', 'span_payloads')",
    )
    if edition == "community":
        query(url, "SELECT remove_retention_policy('observatory.spans')")
        query(url, f"SELECT add_retention_policy('observatory.spans', '{days} days'::interval)")
        query(
            url,
            "SELECT drop_chunks('observatory.spans',"
            f" date_bin('1 day', now() - interval '{days} days', '2000-01-01Z'))",
        )
    await maintain(pool)


async def test_gaps_are_filled_on_request(database_url: str) -> None:
    """A chart of requests shows a night without calls as zeros, not as a line across it."""
    noon = now().replace(hour=12, minute=0, second=0) - timedelta(days=2)
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, start_time=noon), span(2, start_time=noon + HOUR * 3)])
        asked: dict[str, Any] = {
            "start": noon,
            "end": noon + HOUR * 4,
            "interval": "1h",
            "fill": True,
        }
        rows = await store.analytics.usage(**asked)
        assert [row.requests for row in rows] == [1, 0, 0, 1]
        assert [row.bucket for row in rows] == [noon + HOUR * n for n in range(4)]
        rows = await store.analytics.usage(**asked, group_by=["model", "project"])
        assert {(row.model, row.project) for row in rows} == {("gpt-4o", "default")}
        assert [row.cost_usd for row in rows] == [Decimal(n) / 1000 for n in (1, 0, 0, 1)]
        nothing = await store.analytics.usage(**asked, service="none")
        assert [row.requests for row in nothing] == [0, 0, 0, 0]
        with pytest.raises(InvalidInputError, match="over 10000 rows"):
            await store.analytics.usage(
                now() - timedelta(days=1099), now(), interval="1h", fill=True
            )


async def test_days_are_those_of_the_zone(database_url: str) -> None:
    """A day on which clocks change has 23 or 25 hours, and each call is on one day."""
    start = datetime(2026, 10, 24, 20, tzinfo=UTC)
    url = database_url
    query(url, "UPDATE observatory.policies SET retention = '10 years'")
    async with Store.open(url) as store:
        await store.write_spans([span(n + 1, start_time=start + HOUR * n) for n in range(30)])
        rows = await store.analytics.usage(
            start, start + HOUR * 30, interval="1d", tz="Europe/Berlin"
        )
        assert [row.requests for row in rows] == [2, 25, 3]
        assert [row.bucket for row in rows] == [
            datetime(2026, 10, day, hour, tzinfo=UTC)
            for day, hour in ((23, 22), (24, 22), (25, 23))
        ]


async def test_impossible_questions_are_refused(database_url: str) -> None:
    """Each by the name of what is wrong, and with what is allowed."""
    day = timedelta(days=1)
    cases: tuple[tuple[str, dict[str, Any]], ...] = (
        ("the range is empty", {"end": now() - 2 * day}),
        ("longer than 1100 days", {"start": now() - 3650 * day}),
        (
            "between the years",
            {"start": datetime(1, 1, 1, tzinfo=UTC), "end": datetime(1, 2, 1, tzinfo=UTC)},
        ),
        ("group_by: 'x; DROP TABLE' is none of provider", {"group_by": ["x; DROP TABLE"]}),
        ("interval: '7m' is none of 1m", {"interval": "7m"}),
        ("interval: 1m makes over 10000 rows", {"interval": "1m", "start": now() - 30 * day}),
        ("tz: '/etc/passwd' is no IANA", {"tz": "/etc/passwd"}),
        ("colour' is no filter: there are provider", {"colour": "red"}),
        ("model: give 1 to 100 values, not 10000", {"model": [str(n) for n in range(10_000)]}),
        ("model: give 1 to 100 values, not 0", {"model": []}),
        ("user: a value has at most 1000", {"user": "x" * 1001}),
        ("tag: U\\+0000", {"tag": ["\0"]}),
        ("at most 31 days", {"group_by": ["user", "service"], "start": now() - 60 * day}),
    )
    async with Store.open(database_url) as store:
        for message, parameters in cases:
            asked = {"start": now() - day, "end": now(), **parameters}
            with pytest.raises(InvalidInputError, match=message):
                await store.analytics.usage(**asked)
        for name in DIMENSIONS:
            hostile: dict[str, Any] = {name: "'; DROP TABLE observatory.spans; --"}
            rows = await store.analytics.usage(now() - day, now(), **hostile)
            assert rows == []
