"""Usage and cost."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Money, micro_time, money
from observatory_store.repositories import TimeRange
from observatory_store.repositories.analytics.intervals import Interval


class Covered(Answer):
    """An answer for a range."""

    from_: Annotated[MicroTime, Field(alias="from")]
    """Beginning of the range that the answer covers: what was asked for, or a little before it
    where spans are kept no more and only whole buckets are left."""
    to: MicroTime
    """End of the range that the answer covers, not included."""


class Intervals(Covered):
    """An answer with a row for each interval and group."""

    interval: Interval | None
    tz: str
    """The time zone by whose clock the intervals begin."""


class Slot(Answer):
    """One interval."""

    bucket: MicroTime | None
    """Start of the interval; null if no interval was asked for."""


class Group(Answer):
    """One group; what is not grouped by is null."""

    provider: str | None
    model: str | None
    service: str | None
    environment: str | None
    user: str | None
    session: str | None
    agent: str | None
    tool: str | None
    tag: str | None
    project: str | None


class GroupedRow(Group, Slot):
    """One interval and one group; what is not grouped by is null."""


class Totals(Answer):
    """Sums over calls of models; of a tool, over its executions."""

    requests: int
    errors: int
    unpriced_requests: int
    """Calls whose price is unknown: ``cost_usd`` lacks them."""
    input_tokens: int
    """Includes the cached tokens."""
    output_tokens: int
    """Includes the reasoning tokens."""
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Money
    duration_us: int
    """Sum over the calls."""


class UsageRow(Totals, GroupedRow):
    """Calls of models in one interval and one group; of a tool, its executions."""


class Usage(Intervals):
    """Usage in a range."""

    rows: list[UsageRow]


_SUMS: Final = tuple(name for name in Totals.model_fields if name != "cost_usd")
_GROUP: Final = tuple(Group.model_fields)


def covered(range_: TimeRange) -> dict[str, Any]:
    """Return the fields that say what an answer covers."""
    return {"from": micro_time(range_.start), "to": micro_time(range_.end)}


def group(row: repositories.GroupedRow) -> dict[str, Any]:
    """Return the fields of a row's group."""
    return {name: getattr(row, name) for name in _GROUP}


def grouped(row: repositories.GroupedRow) -> dict[str, Any]:
    """Return the fields that say what a row is about."""
    return {"bucket": None if row.bucket is None else micro_time(row.bucket), **group(row)}


def totals(row: repositories.UsageRow) -> dict[str, Any]:
    """Return the fields that are sums."""
    return {
        **{name: getattr(row, name) for name in _SUMS},
        "cost_usd": money(row.cost_usd),
    }


def usage_row(row: repositories.UsageRow) -> UsageRow:
    """Return a row."""
    return UsageRow(**grouped(row), **totals(row))
