"""Questions answered from the rollups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.page import TimeRange, check_range
from observatory_store.repositories.session import Session
from observatory_store.repositories.where import Where
from observatory_store.sql import load

Interval = Literal["15m", "1h", "1d"]
UsageGroup = Literal["provider", "model", "service", "environment"]

MOST_ROWS = 10_000
MOST_OF_USAGE = timedelta(days=1100)
"""A little more than usage is kept."""
QUARTER_HOUR = timedelta(minutes=15)

_INTERVALS: dict[Interval, timedelta] = {
    "15m": QUARTER_HOUR,
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
}
_GROUPS = get_args(UsageGroup)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SQL = load("analytics")


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of models in one bucket of time and one group; what is not grouped by is None."""

    bucket: datetime | None
    """Start of the interval, UTC; None if no interval was asked for."""
    provider: str | None
    model: str | None
    service: str | None
    environment: str | None
    requests: int
    errors: int
    unpriced_requests: int
    """Calls whose cost is missing in ``cost_usd``, for want of a price or of token counts."""
    input_tokens: int
    """Includes cached tokens."""
    output_tokens: int
    """Includes reasoning tokens."""
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal
    duration_us: int
    """Sum over the calls, microseconds."""


class AnalyticsRepository(Session):
    """The rollups of one project."""

    async def usage(
        self,
        start: datetime,
        end: datetime,
        *,
        group_by: Sequence[str] = (),
        interval: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        service: str | None = None,
        environment: str | None = None,
    ) -> list[UsageRow]:
        """Return requests, errors, tokens and cost, exact to the quarter-hour.

        The range is widened to whole quarter-hours: see :func:`whole_quarter_hours`.

        Args:
            start: beginning of the range.
            end: end of the range, not included.
            group_by: any of provider, model, service, environment.
            interval: 15m, 1h or 1d; None gives one row a group for the whole range.
            provider: only this provider.
            model: only this model (that answered, or else was asked for).
            service: only this service.
            environment: only this environment.

        Raises:
            InvalidInputError: an argument is not one of these, the range is over 1100 days, or the
                answer has over 10,000 rows.

        """
        if unknown := sorted(set(group_by) - set(_GROUPS)):
            raise InvalidInputError(f"group_by {unknown[0]!r} is none of {', '.join(_GROUPS)}")
        if interval is not None and interval not in _INTERVALS:
            raise InvalidInputError(f"interval {interval!r} is none of {', '.join(_INTERVALS)}")
        width = None if interval is None else _INTERVALS[interval]
        asked = TimeRange(start, end)
        check_range(asked, MOST_OF_USAGE)
        range_ = whole_quarter_hours(asked)
        conditions = Where(
            self.project_id, range_.start, range_.end, width, list(group_by), MOST_ROWS + 1
        )
        conditions.add_if("u.provider = {}", provider)
        conditions.add_if("u.model = {}", model)
        conditions.add_if("u.service_name = {}", service)
        conditions.add_if("u.environment = {}", environment)
        records = await self.fetch(conditions.into(_SQL["usage"]), *conditions.arguments)
        if len(records) > MOST_ROWS:
            raise InvalidInputError(
                f"the answer has over {MOST_ROWS} rows: shorten the range, lengthen the interval, "
                "or group by less"
            )
        return [UsageRow(**dict(record)) for record in records]


def whole_quarter_hours(range_: TimeRange) -> TimeRange:
    """Return the least range of whole quarter-hours that contains this one."""
    before = (range_.start - _EPOCH) % QUARTER_HOUR
    after = (_EPOCH - range_.end) % QUARTER_HOUR
    return TimeRange(range_.start - before, range_.end + after)
