"""How far a budget has gone, by its calls; and how far it will go, by the forecast."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.recount import recounted, rich
from analytics.test_usage import drop_spans
from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance import Rollups
from observatory_store.repositories import UsageRow
from observatory_store.repositories.analytics.burn import Burn, burnt, parts
from observatory_store.repositories.analytics.period import period_at
from observatory_store.rows.budget import PERIODS, Budget, Period
from storage.samples import now

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"),
    # Clocks that change at midnight, and a day that never was.
    *("America/Havana", "America/Sao_Paulo", "America/Santiago", "Pacific/Apia"),
)
TIMES = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - as hypothesis wants it
    max_value=datetime(2099, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
PERIOD: st.SearchStrategy[Any] = st.sampled_from(PERIODS)


def budget(amount: object = 100, period: Period = "month", **fields: Any) -> Budget:
    """Return a budget."""
    defaults: dict[str, Any] = {
        "budget_id": 1,
        "project_id": 1,
        "name": "all",
        "amount_usd": Decimal(str(amount)),
        "period": period,
        "tz": "UTC",
        "filters": {},
        "warn_at": (Decimal("0.5"), Decimal("0.8"), Decimal(1)),
        "created_at": now(),
        "updated_at": now(),
    }
    return Budget(**{**defaults, **fields})


def at_time(one: Budget, at: datetime, spent: object, history: list[Any]) -> Burn:
    """Return the burn of a budget of which so much is spent."""
    period = period_at(one.period, at, ZoneInfo(one.tz))
    row = UsageRow(cost_usd=Decimal(str(spent)), requests=7, unpriced_requests=2)
    return burnt(one, at, period, [row], [Decimal(str(cost)) for cost in history])


@given(kind=PERIOD, at=TIMES, zone=st.sampled_from(ZONES).map(ZoneInfo))
def test_any_time_lies_in_one_period(kind: Period, at: datetime, zone: ZoneInfo) -> None:
    """Periods follow each other without a gap, and begin as a day of the zone does."""
    days = period_at(kind, at, zone)
    range_ = days.range
    assert range_.start <= at < range_.end
    assert (range_.start - MICROSECOND).astimezone(zone).date() < days.first
    assert range_.start.astimezone(zone).date() >= days.first
    following = period_at(kind, range_.end, zone)
    assert following.range.start == range_.end
    assert period_at(kind, range_.end - MICROSECOND, zone) == days


@pytest.mark.parametrize(
    ("kind", "tz", "at", "start", "end"),
    [
        ("day", "Europe/Berlin", "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z"),
        ("day", "America/New_York", "2026-03-08T12:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z"),
        ("week", "UTC", "2026-11-22T23:59Z", "2026-11-16T00:00Z", "2026-11-23T00:00Z"),
        ("week", "Europe/Berlin", "2026-03-27T00:00Z", "2026-03-22T23:00Z", "2026-03-29T22:00Z"),
        ("month", "Asia/Kathmandu", "2026-01-31T19:00Z", "2026-01-31T18:15Z", "2026-02-28T18:15Z"),
        ("quarter", "UTC", "2026-12-31T00:00Z", "2026-10-01T00:00Z", "2027-01-01T00:00Z"),
        ("quarter", "UTC", "2028-02-29T00:00Z", "2028-01-01T00:00Z", "2028-04-01T00:00Z"),
        ("year", "America/New_York", "2027-01-01T04:00Z", "2026-01-01T05:00Z", "2027-01-01T05:00Z"),
    ],
)
def test_periods(kind: Period, tz: str, at: str, start: str, end: str) -> None:
    """By the clock of the zone, also where it changes within."""
    range_ = period_at(kind, datetime.fromisoformat(at), ZoneInfo(tz)).range
    assert (range_.start, range_.end) == tuple(map(datetime.fromisoformat, (start, end)))


def test_an_even_spending() -> None:
    """Ten dollars each day: what anybody can reckon by hand."""
    at = datetime(2026, 11, 11, 6, tzinfo=UTC)
    found = at_time(budget(200), at, "102.5", [10] * 28)
    assert (found.spent_usd, found.remaining_usd) == (Decimal("102.5"), Decimal("97.5"))
    assert (found.requests, found.unpriced_requests) == (7, 2)
    assert found.share_elapsed == pytest.approx(10.25 / 30)
    assert found.burn_rate == pytest.approx(0.5125 / (10.25 / 30))
    assert {found.expected.cost_usd, found.expected.lower_usd, found.expected.upper_usd} == {300}
    assert found.exhausted_at == datetime(2026, 11, 21, 0, tzinfo=UTC)
    assert (found.crossed, found.is_exceeded) == ((Decimal("0.5"),), False)
    enough = at_time(budget(301), at, "102.5", [10] * 28)
    assert (enough.exhausted_at, enough.crossed) == (None, ())


def test_weekends_are_foreseen() -> None:
    """Friday's pace is not the weekend's: by the mean of all days this budget would not last."""
    week = [10, 10, 10, 10, 10, 0, 0]
    friday = datetime(2026, 11, 20, tzinfo=UTC)
    history = (week * 5)[4 : 4 + 28]
    found = at_time(budget(50, "week"), friday, 40, history)
    assert found.expected.cost_usd == 50
    assert found.exhausted_at == friday + DAY


def test_spent_and_over() -> None:
    """Exactly the amount is not too much; a cent more is."""
    at = datetime(2026, 11, 30, 23, tzinfo=UTC)
    full, over = (at_time(budget(), at, spent, [0] * 28) for spent in (100, "100.01"))
    assert (full.is_exceeded, over.is_exceeded) == (False, True)
    assert full.exhausted_at == over.exhausted_at == at
    assert [len(one.crossed) for one in (full, over)] == [3, 3]
    assert over.remaining_usd == Decimal("-0.01")


def test_at_its_first_instant() -> None:
    """No time is over, so there is no rate, and nothing divides by zero."""
    found = at_time(budget(), datetime(2026, 11, 1, tzinfo=UTC), 0, [1] * 28)
    assert [found.share_elapsed, found.burn_rate, found.expected.cost_usd] == [0, None, 30]


@given(
    kind=PERIOD,
    at=TIMES,
    tz=st.sampled_from(ZONES),
    amount=st.decimals(min_value="0.01", max_value=10**9, places=4),
    spent=st.decimals(min_value=0, max_value=10**9, places=8),
    history=st.lists(st.decimals(min_value=0, max_value=10**6, places=4), min_size=7, max_size=28),
)
def test_any_budget(
    *, kind: Period, at: datetime, tz: str, amount: Decimal, spent: Decimal, history: list[Decimal]
) -> None:
    """The parts of an answer agree with each other."""
    one = budget(amount, kind, tz=tz)
    found = at_time(one, at, spent, history)
    assert found.spent_usd == spent
    assert found.spent_usd <= found.expected.lower_usd <= found.expected.cost_usd
    assert found.expected.cost_usd <= found.expected.upper_usd
    assert 0 <= found.share_elapsed < 1
    assert found.crossed == tuple(share for share in one.warn_at if spent >= share * amount)
    assert (found.exhausted_at is None) == (found.expected.cost_usd < amount)
    if found.exhausted_at is not None:
        assert at <= found.exhausted_at <= found.period_end
        assert (found.exhausted_at == at) >= (spent >= amount)


@given(at=TIMES, earlier=st.integers(min_value=1, max_value=86_400), cost=st.integers(1, 100))
def test_what_is_left_of_a_day(at: datetime, earlier: int, cost: int) -> None:
    """The forecast of a part of today is in proportion to it: time alone changes no expectation."""
    start = datetime(at.year, at.month, at.day, tzinfo=UTC)
    time = start + timedelta(seconds=earlier) - MICROSECOND
    spent = Decimal(cost) * Decimal((time - start) / DAY)
    found = at_time(budget(1000, "day"), time, spent, [cost] * 28)
    assert float(found.expected.cost_usd) == pytest.approx(cost, abs=0.001)


FILTERS: tuple[Mapping[str, Any], ...] = (
    {},
    {"model": ("gpt-4o", "claude-sonnet-4-5"), "service": ("search",)},
    {"user": ("ann",)},
    {"tag": ("a=1",)},
    {"agent": ("planner",), "environment": ("test", "production")},
)


async def test_a_burn_equals_a_recount_of_the_spans(database_url: str) -> None:
    """To the last decimal, of whatever calls and period; and it is said how many have no cost."""
    at = now()
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(300, seed=1, over=timedelta(days=45)))
        await store.write_spans(rich(100, seed=2, over=timedelta(hours=20)))
        await Rollups(pool).refresh()
        for index, filters in enumerate(FILTERS):
            most = 0
            for kind in PERIODS if len(filters) < 2 else PERIODS[:3]:
                tz = ZONES[index]
                one = budget(1, kind, tz=tz, filters=filters)  # type: ignore[arg-type]
                found = await store.analytics.burn(one, at)
                records = recounted(
                    database_url,
                    found.period_start,
                    at,
                    groups=(),
                    interval=None,
                    tz=tz,
                    filters=dict(filters),
                )
                record = records[0] if records else (None,) * 10 + (0,) * 10
                assert found.counted_from == found.period_start
                assert (found.requests, found.unpriced_requests) == (record[10], record[12])
                assert found.spent_usd == record[18], (kind, filters)
                most = max(most, found.requests)
            assert most > 0
        with pytest.raises(InvalidInputError, match="time zone"):
            await store.analytics.burn(budget(), at.replace(tzinfo=None))


async def test_a_burn_of_what_spans_are_no_more(database_url: str, edition: str) -> None:
    """It is never less than what was spent, and says so where it is of a little more."""
    at = now()
    one = budget(1, "year", tz="Asia/Kolkata", filters={"user": ("ann",)})
    start = period_at("year", at, ZoneInfo(one.tz)).range.start
    midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(400, seed=1, over=timedelta(days=80)))
        await Rollups(pool).refresh()
        (ann,) = await store.analytics.usage(midnight, at, user="ann")
        await drop_spans(pool, database_url, edition, days=40)
    async with Store.open(database_url) as store:
        found = await store.analytics.burn(one, at)
        kept = at.replace(hour=0, minute=0, second=0) - timedelta(days=40)
        assert found.counted_from == (midnight if start < kept else start)
        if start < kept:
            assert (found.spent_usd, found.requests) == (ann.cost_usd, ann.requests)


def test_a_month_with_an_hour_more() -> None:
    """What is counted from spans alone is read 31 days at a time; October has more in Berlin."""
    at = datetime(2025, 10, 31, 22, 30, tzinfo=UTC)
    one = budget(1, tz="Europe/Berlin", filters={"user": ("ann",), "service": ("gateway",)})
    start = period_at("month", at, ZoneInfo(one.tz)).range.start
    edge = start + 31 * DAY
    assert list(parts(start, at, one)) == [(start, edge), (edge, at)]
    assert list(parts(start, at, budget(1))) == [(start, at)]
    year = datetime(2025, 1, 1, tzinfo=UTC)
    assert list(parts(year, at, budget(1))) == [(year, at)]
