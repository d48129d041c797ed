"""Usage and cost."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Money, micro_time, money
from observatory_store.repositories.analytics import Interval


class UsageRow(Answer):
    """Calls of models in one interval and one group; what is not grouped by is null."""

    bucket: MicroTime | None
    """Start of the interval; null if no interval was asked for."""
    provider: str | None
    model: str | None
    service: str | None
    environment: str | None
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


class Usage(Answer):
    """Usage in a range of whole quarter-hours."""

    from_: Annotated[MicroTime, Field(alias="from")]
    """Beginning of the range that the rows cover."""
    to: MicroTime
    """End of the range that the rows cover, not included."""
    interval: Interval | None
    rows: list[UsageRow]


_DERIVED: Final = frozenset({"bucket", "cost_usd"})
_SAME: Final = tuple(name for name in UsageRow.model_fields if name not in _DERIVED)


def usage_row(row: repositories.UsageRow) -> UsageRow:
    """Return a row."""
    return UsageRow(
        **{name: getattr(row, name) for name in _SAME},
        bucket=None if row.bucket is None else micro_time(row.bucket),
        cost_usd=money(row.cost_usd),
    )
