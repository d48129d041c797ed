"""Usage and cost."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

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


class GroupedRow(Answer):
    """One interval and one group; what is not grouped by is null."""

    bucket: MicroTime | None
    """Start of the interval; null if no interval was asked for."""
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


class UsageRow(GroupedRow):
    """Calls of models in one interval and one group; of a tool, its executions."""

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


class Usage(Intervals):
    """Usage in a range."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "2026-01-31T00:00:00.000000Z",
                    "to": "2026-02-01T00:00:00.000000Z",
                    "interval": None,
                    "tz": "UTC",
                    "rows": [
                        {
                            "bucket": None,
                            "provider": None,
                            "model": "gpt-4o",
                            "service": None,
                            "environment": None,
                            "user": None,
                            "session": None,
                            "agent": None,
                            "tool": None,
                            "tag": None,
                            "project": None,
                            "requests": 120,
                            "errors": 2,
                            "unpriced_requests": 0,
                            "input_tokens": 97440,
                            "output_tokens": 7680,
                            "cache_read_tokens": 0,
                            "cache_write_tokens": 0,
                            "reasoning_tokens": 0,
                            "cost_usd": "0.3204",
                            "duration_us": 98000000,
                        }
                    ],
                }
            ]
        }
    )

    rows: list[UsageRow]


_DERIVED: Final = frozenset({"bucket", "cost_usd"})
_SAME: Final = tuple(name for name in UsageRow.model_fields if name not in _DERIVED)
_GROUP: Final = tuple(name for name in GroupedRow.model_fields if name not in _DERIVED)


def covered(range_: TimeRange) -> dict[str, Any]:
    """Return the fields that say what an answer covers."""
    return {"from": micro_time(range_.start), "to": micro_time(range_.end)}


def grouped(row: repositories.GroupedRow) -> dict[str, Any]:
    """Return the fields that say what a row is about."""
    return {
        "bucket": None if row.bucket is None else micro_time(row.bucket),
        **{name: getattr(row, name) for name in _GROUP},
    }


def usage_row(row: repositories.UsageRow) -> UsageRow:
    """Return a row."""
    return UsageRow(
        **{name: getattr(row, name) for name in _SAME},
        bucket=None if row.bucket is None else micro_time(row.bucket),
        cost_usd=money(row.cost_usd),
    )
