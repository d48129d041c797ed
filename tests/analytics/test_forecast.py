"""Forecasts are what their method says, and periods stand side by side."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store import Store
from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.forecast import extrapolate
from storage.samples import now, span

DAY = timedelta(days=1)
MONDAY = date(2026, 11, 2)


def test_weekends_stay_cheap() -> None:
    """Of four equal weeks the next is the same, to the cent, and certain."""
    costs = [10.0, 11.0, 12.0, 13.0, 14.0, 1.0, 2.0] * 4
    days, total = extrapolate(costs, MONDAY, 9, 0.8)
    assert [float(one.cost_usd) for one in days] == [*costs[:7], 10.0, 11.0]
    assert [one.day for one in days][::8] == [MONDAY, MONDAY + 8 * DAY]
    assert {total.cost_usd, total.lower_usd, total.upper_usd} == {Decimal(84)}


def test_a_short_history_has_no_weekdays() -> None:
    """The mean of eight days, with a normal interval that also doubts the mean."""
    days, total = extrapolate([1.0, 3.0] * 4, MONDAY, 4, 0.95)
    assert [one.cost_usd for one in days] == [2] * 4
    variance = 8 / 7
    assert float(days[0].upper_usd) == pytest.approx(2 + 1.96 * (variance * 9 / 8) ** 0.5, abs=1e-3)
    margin = 1.96 * (variance * (4 + 16 / 8)) ** 0.5
    assert float(total.upper_usd) == pytest.approx(8 + margin, abs=1e-3)
    assert float(total.lower_usd) == pytest.approx(8 - margin, abs=1e-3)


@given(
    costs=st.lists(st.floats(min_value=0, max_value=1e6), min_size=7, max_size=60),
    days=st.integers(min_value=1, max_value=60),
)
def test_any_history(costs: list[float], days: int) -> None:
    """Intervals hold the forecast, and nothing costs less than nothing."""
    forecast, total = extrapolate(costs, MONDAY, days, 0.8)
    assert len(forecast) == days
    for one in (*forecast, total):
        assert 0 <= one.lower_usd <= one.cost_usd <= one.upper_usd
    assert float(total.cost_usd) == pytest.approx(
        sum(float(one.cost_usd) for one in forecast), abs=0.01
    )


@pytest.mark.editions("postgres")
async def test_a_forecast_is_made_from_whole_days(database_url: str) -> None:
    """Today is not over, so it is forecast and not taken for a cheap day."""
    noon = now().replace(hour=12, minute=0, second=0)
    spans = [span(n, start_time=noon - n * DAY, cost_usd=Decimal(2)) for n in range(1, 29)]
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                *spans,
                span(50, start_time=noon - DAY, cost_usd=None, request_model="?", input_tokens=1),
            ]
        )
        found = await store.analytics.forecast(
            days=10, model="gpt-4o", tz="Asia/Kathmandu", at=noon
        )
        assert [day.cost_usd for day in found.days] == [2] * 10
        assert [found.total.cost_usd, found.history_cost_usd] == [20, 56]
        assert [day.cost_usd for day in found.history] == [2] * 28
        assert [day.day for day in found.history[::27]] == [
            noon.date() - 28 * DAY,
            noon.date() - DAY,
        ]
        assert found.days[0].day == noon.date()
        assert (await store.analytics.forecast(at=noon)).unpriced_requests == 1
        bad: tuple[dict[str, Any], ...] = (
            {"days": 0},
            {"days": 367},
            {"history_days": 6},
            {"confidence": 1.0},
            {"confidence": float("nan")},
            {"tz": "Mars/Olympus"},
        )
        for parameters in bad:
            with pytest.raises(InvalidInputError, match=next(iter(parameters))):
                await store.analytics.forecast(**parameters)


@pytest.mark.editions("postgres")
async def test_two_periods(database_url: str) -> None:
    """Each group once, also if it was in one of them only; what costs most now is first."""
    end = datetime(now().year, now().month, now().day, tzinfo=UTC)
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(1, start_time=end - 3 * DAY, request_model="old", cost_usd=Decimal(4)),
                span(2, start_time=end - 3 * DAY, cost_usd=Decimal(1)),
                span(3, start_time=end - DAY, cost_usd=Decimal(3)),
                span(4, start_time=end - DAY, request_model="new", cost_usd=Decimal(5)),
            ]
        )
        rows = await store.analytics.compare(end - 2 * DAY, end, group_by=["model"])
        assert [row.now.model for row in rows] == ["new", "gpt-4o", "old"]
        assert [row.now.cost_usd for row in rows] == [5, 3, 0]
        assert [row.before.cost_usd for row in rows] == [0, 1, 4]
        assert [row.cost_change for row in rows] == [None, 2.0, -1.0]
        assert [row.requests_change for row in rows] == [None, 0.0, -1.0]
        (same,) = await store.analytics.compare(
            end - 2 * DAY, end, before=end - 2 * DAY, model="new"
        )
        assert same.now == same.before
        for before, said in (
            (end.replace(tzinfo=None), "time zone"),
            (datetime.max.replace(tzinfo=UTC), "between"),
        ):
            with pytest.raises(InvalidInputError, match=f"before.*{said}"):
                await store.analytics.compare(end - DAY, end, before=before)
        assert (rows.covered.start, rows.before_covered.end) == (end - 2 * DAY, end - 2 * DAY)
