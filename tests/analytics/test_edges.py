"""What a caller may give that is right, but seldom thought of; and what is not."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from observatory_store import Store, TimeRange
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance import Rollups
from observatory_store.repositories.analytics.comparison import check_covered
from observatory_store.repositories.analytics.families import USAGE, serving
from observatory_store.repositories.analytics.forecast import extrapolate
from observatory_store.repositories.analytics.intervals import starts
from observatory_store.repositories.analytics.latency import together
from observatory_store.repositories.analytics.plan import make_plan
from observatory_store.repositories.analytics.sessions import SessionFilter
from storage.samples import now, query, span

DAY = timedelta(days=1)
MONDAY = date(2026, 11, 2)
ZONES = [
    ("America/New_York", datetime(2026, 11, 1), datetime(2026, 11, 15)),  # noqa: DTZ001
    ("America/New_York", datetime(2026, 3, 7, 5), datetime(2026, 3, 20)),  # noqa: DTZ001
    ("Europe/Berlin", datetime(2026, 10, 21), datetime(2026, 10, 25, 12)),  # noqa: DTZ001
]


@pytest.mark.parametrize(("zone", "start", "end"), ZONES)
def test_a_range_is_the_same_in_any_zone(zone: str, start: datetime, end: datetime) -> None:
    """Clocks are changed within it, and Python computes with local times by the clock."""
    there = ZoneInfo(zone)
    range_ = TimeRange(start.replace(tzinfo=there), end.replace(tzinfo=there))
    assert range_.start.tzinfo is UTC
    rollups = serving(USAGE, ()).rollups
    plans = [
        make_plan(one, starts(one, None, there), rollups, {}, datetime(2026, 12, 1, tzinfo=UTC))
        for one in (range_, TimeRange(range_.start.astimezone(UTC), range_.end.astimezone(UTC)))
    ]
    assert plans[0] == plans[1]
    for segment in plans[0].segments:
        if segment.relation == "llm_usage_1d":
            assert segment.start.hour == segment.end.hour == 0


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("name", ["interval", "fill", "group_by", "tz", "modell"])
async def test_arguments_of_other_questions_are_no_filters(database_url: str, name: str) -> None:
    """One that was passed on gave the sums of the last day for those of the week."""
    start, end = now() - 7 * DAY, now()
    given: dict[str, Any] = {name: "1d"}
    async with Store.open(database_url) as store:
        asked: dict[str, tuple[Any, ...]] = {
            "errors": (start, end),
            **({} if name == "group_by" else {"compare": (start, end)}),
            **({} if name == "tz" else {"forecast": ()}),
        }
        for question, range_ in asked.items():
            with pytest.raises(InvalidInputError, match=f"'{name}' is no filter"):
                await getattr(store.analytics, question)(*range_, **given)


WRONG_TYPES: tuple[tuple[str, str, str, tuple[object, ...]], ...] = (
    ("usage", "model", "model: give a text", (5, [None], [["m"]], b"m")),
    ("usage", "group_by", "group_by: give a text", (None, 1, [1], [[]])),
    ("usage", "tz", "tz: .* is no IANA time zone", (None, 1, [])),
    ("usage", "interval", "interval: .* is none of 1m", (1, [])),
    ("usage", "start", "start: give a datetime", (None, "7d", MONDAY)),
    ("latency", "end", "end: give a datetime", (0, MONDAY)),
    ("latency", "quantiles", "quantile: ", (0.5, "0.5", ["0.5"], None)),
    ("errors", "limit", "limit must be a whole number", (None, 1.5, "5")),
    ("compare", "before", "before: give a datetime", ("7d", MONDAY)),
    ("forecast", "days", "days: give a whole number", (1.5, "7", None)),
    ("forecast", "history_days", "history_days: give a whole number", (7.0,)),
    ("forecast", "confidence", "confidence: give a number", ("1", None)),
    ("forecast", "at", "at: give a datetime", (MONDAY,)),
    ("forecast", "tz", "tz: .* is no IANA time zone", (None,)),
)


@pytest.mark.editions("postgres")
async def test_arguments_of_other_types(database_url: str) -> None:
    """The message names the argument and what it may be, as for any other that is refused."""
    async with Store.open(database_url) as store:
        for question, name, said, many in WRONG_TYPES:
            range_ = {} if question == "forecast" else {"start": now() - DAY, "end": now()}
            for bad in many:
                with pytest.raises(InvalidInputError, match=f"^{said}"):
                    await getattr(store.analytics, question)(**{**range_, name: bad})
        where = SessionFilter(user=5)  # type: ignore[arg-type]  # what is refused
        with pytest.raises(InvalidInputError, match=r"^user: give a text"):
            await store.analytics.sessions(TimeRange(now() - DAY, now()), where)


async def test_a_failure_ends_the_other_statements() -> None:
    """Left to run, they would hold connections for an answer that nobody waits for."""
    ended = asyncio.Event()

    async def goes_on() -> list[Any]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return []

    async def fails() -> list[Any]:
        raise InvalidInputError("one") from KeyError("cause")

    with pytest.raises(InvalidInputError, match="one") as raised:
        await together(goes_on(), fails())
    assert ended.is_set()
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.editions("postgres")
async def test_a_young_project_is_forecast_by_its_days(database_url: str) -> None:
    """Three weeks of nothing before its first call are no history; an absurd cost is no crash."""
    noon = now().replace(hour=12, minute=0, second=0)
    async with Store.open(database_url) as store:
        await store.write_spans(
            [span(n, start_time=noon - n * DAY, cost_usd=Decimal(10)) for n in range(1, 6)]
        )
        found = await store.analytics.forecast(days=7, at=noon)
        assert found.total.cost_usd == 70
        assert found.history_start == (noon - 5 * DAY).replace(hour=0)
        for at in (noon.replace(tzinfo=None), datetime.min.replace(tzinfo=UTC)):
            with pytest.raises(InvalidInputError, match="at: the time"):
                await store.analytics.forecast(at=at)


def test_a_forecast_from_one_day_or_of_any_amount() -> None:
    """Its own cost is how far the next may be off."""
    _, total = extrapolate([10.0], noon_of_today().date(), 1, 0.8)
    assert total.cost_usd == 10
    assert total.lower_usd == 0 < total.upper_usd
    _, total = extrapolate([1e40] * 8, noon_of_today().date(), 2, 0.8)
    assert float(total.cost_usd) == 2e40


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("cost", [Decimal("1e40"), Decimal(-5), Decimal("NaN")])
async def test_a_cost_that_is_none_is_refused(database_url: str, cost: Decimal) -> None:
    """It would spoil all sums; the span beside it is stored."""
    async with Store.open(database_url) as store:
        written = await store.write_spans([span(1, cost_usd=cost), span(2)])
        assert (written.stored, written.rejected) == (1, 1)
    assert query(database_url, "SELECT count(*) FROM observatory.spans") == [(1,)]


def test_periods_that_cannot_be_covered_alike() -> None:
    """Where spans are gone a period becomes longer, and then it is compared with no shorter one."""
    today = noon_of_today().replace(hour=0)
    alike = TimeRange(today - DAY, today), TimeRange(today - 2 * DAY, today - DAY)
    check_covered(*alike, DAY)
    check_covered(alike[0], alike[0], 0 * DAY)
    for before in (
        TimeRange(today - 3 * DAY, today - DAY),
        TimeRange(today - 1.5 * DAY, today - 0.5 * DAY),
    ):
        with pytest.raises(InvalidInputError, match="whole UTC days"):
            check_covered(alike[0], before, DAY)


@pytest.mark.editions("postgres")
async def test_all_of_a_latency_is_of_one_range(database_url: str) -> None:
    """Its first tokens are kept less long by hours, so that of them only whole days are left."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        late = noon_of_today() - 20 * DAY
        await store.write_spans(
            [
                span(n, start_time=late + n * timedelta(hours=1), time_to_first_token_ms=5.0)
                for n in range(1, 11)
            ]
        )
        await Rollups(pool).refresh()
        query(
            database_url,
            "UPDATE observatory.policies SET complete_from = CASE relation"
            " WHEN 'spans' THEN now() - interval '5 days' ELSE now() - interval '12 days' END"
            " WHERE relation IN ('spans', 'llm_service_first_token_1h')",
        )
        query(database_url, "DELETE FROM observatory.spans")
    async with Store.open(database_url) as store:
        (row,) = await store.analytics.latency(late + timedelta(minutes=150), now())
        assert row.requests == row.first_token_requests == 10


def noon_of_today() -> datetime:
    """Return the middle of this UTC day."""
    return now().replace(hour=12, minute=0, second=0, microsecond=0)
