"""A plan covers its range once, by whole buckets, and reads few spans."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store import TimeRange
from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.families import LATENCY, USAGE
from observatory_store.repositories.analytics.intervals import BEGINNING, INTERVALS, starts
from observatory_store.repositories.analytics.plan import SPANS, make_plan

NOW = datetime(2026, 6, 15, 13, 37, 11, tzinfo=UTC)
WIDTHS = {
    rollup.relation: rollup.width for family in (*USAGE, *LATENCY) for rollup in family.rollups
}
MINUTES = st.integers(min_value=0, max_value=400 * 24 * 60 * 60)
ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana")


@given(
    ends=st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]),
    interval=st.sampled_from([None, "15m", "1h", "1d", "1w", "1mo"]),
    zone=st.sampled_from(ZONES),
)
def test_a_plan_covers_its_range_once(
    ends: tuple[int, int], interval: str | None, zone: str
) -> None:
    """In whole buckets that have ended, none of which reaches over the start of an interval."""
    range_ = TimeRange(*(NOW - timedelta(seconds=n) for n in sorted(ends, reverse=True)))
    if interval in {"15m", "1h"} and range_.end - range_.start > timedelta(days=100):
        interval = "1d"
    edges = starts(range_, interval, ZoneInfo(zone))
    kept = {"llm_usage_1m": NOW - timedelta(days=7, seconds=NOW.timestamp() % 86400)}
    plan = make_plan(range_, edges, USAGE[2].rollups, kept, NOW)
    segments = plan.segments
    assert plan.covered == range_
    assert (segments[0].start, segments[-1].end) == (range_.start, range_.end)
    assert all(one.end == other.start for one, other in pairwise(segments))
    spans = timedelta()
    for segment in segments:
        assert segment.start < segment.end
        width = WIDTHS.get(segment.relation)
        if width is None:
            spans += segment.end - segment.start
            continue
        assert segment.start.timestamp() % width.total_seconds() == 0
        assert segment.end.timestamp() % width.total_seconds() == 0
        assert segment.end <= NOW
        inside = [edge for edge in edges if segment.start < edge < segment.end]
        assert all(edge.timestamp() % width.total_seconds() == 0 for edge in inside)
    assert spans <= timedelta(minutes=30)
    assert len(segments) <= 40


def test_the_coarsest_rollup_may_be_the_one_that_is_kept_least() -> None:
    """Its part of the range comes from finer ones; if nobody has it any more, that is said."""
    range_ = TimeRange(NOW - timedelta(days=60), NOW)
    cut = datetime(2026, 6, 1, tzinfo=UTC)
    finer = make_plan(range_, [BEGINNING], USAGE[2].rollups, {"llm_usage_1d": cut}, NOW).segments
    assert all(s.start >= cut for s in finer if s.relation == "llm_usage_1d")
    assert (finer[0].start, finer[-1].end) == (range_.start, range_.end)
    everything = dict.fromkeys((*WIDTHS, SPANS), cut)
    with pytest.raises(InvalidInputError, match="whole from 2026-06-01 on"):
        make_plan(range_, [BEGINNING], USAGE[2].rollups, everything, NOW)
    later = TimeRange(cut, NOW)
    assert make_plan(later, [BEGINNING], USAGE[2].rollups, everything, NOW).covered == later


def test_long_ranges_are_read_from_days() -> None:
    """A year must not be summed from quarter-hours, nor a month by the clock of Berlin."""
    year = TimeRange(NOW - timedelta(days=365), NOW)
    relations = [
        s.relation for s in make_plan(year, [BEGINNING], USAGE[2].rollups, {}, NOW).segments
    ]
    assert relations == [
        *(SPANS, "llm_usage_1m", "llm_usage_15m", "llm_usage_1h", "llm_usage_1d"),
        *("llm_usage_1h", "llm_usage_15m", "llm_usage_1m", SPANS),
    ]
    edges = starts(year, "1mo", ZoneInfo("Europe/Berlin"))
    plan = make_plan(year, edges, USAGE[2].rollups, {}, NOW)
    days = sum(
        (s.end - s.start for s in plan.segments if s.relation == "llm_usage_1d"), timedelta()
    )
    assert days > timedelta(days=350)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_begin_by_the_clock(interval: str, zone: str) -> None:
    """Also where days have 23, 23½, 24½ or 25 hours: none is missing, none comes twice."""
    for begin in (
        date(2026, 3, 6),
        date(2026, 3, 27),
        date(2026, 4, 3),
        date(2026, 10, 2),
        date(2026, 10, 23),
        date(2026, 10, 30),
    ):
        first = datetime(begin.year, begin.month, begin.day, 5, 17, tzinfo=UTC)
        range_ = TimeRange(first, first + timedelta(days=4 if interval in {"1m", "15m"} else 40))
        edges = starts(range_, interval, ZoneInfo(zone))
        assert edges[0] <= range_.start < edges[1]
        assert edges == sorted(set(edges))
        assert edges[-1] < range_.end
        locals_ = [edge.astimezone(ZoneInfo(zone)) for edge in edges]
        for local in locals_:
            if interval in {"1d", "1w", "1mo"}:
                assert (local.hour, local.minute) in {(0, 0), (1, 0)}
                assert interval != "1w" or local.weekday() == 0
                assert interval != "1mo" or local.day == 1
            if interval == "1h":
                assert local.minute == 0 or (local.hour, local.minute) == (2, 30)
        days = {local.date() for local in locals_}
        if interval == "1d":
            assert len(days) == len(edges)
        longest = {"1m": 1, "15m": 15, "1h": 90, "1d": 1500, "1w": 10140, "1mo": 44700}
        assert max(b - a for a, b in pairwise(edges)) <= timedelta(minutes=longest[interval])


def test_a_day_that_was_skipped() -> None:
    """Samoa went from 29 to 31 December 2011."""
    start = datetime(2011, 12, 29, tzinfo=UTC)
    edges = starts(TimeRange(start, start + timedelta(days=3)), "1d", ZoneInfo("Pacific/Apia"))
    days = [edge.astimezone(ZoneInfo("Pacific/Apia")).day for edge in edges]
    assert days == [28, 29, 31, 1]
