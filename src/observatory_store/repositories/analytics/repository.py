"""Questions about usage, answered from the rollups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from observatory_store.repositories.analytics.burn import Burn, burn
from observatory_store.repositories.analytics.comparison import (
    Comparison,
    check_covered,
    compared,
    other_period,
)
from observatory_store.repositories.analytics.errors import MOST_ERRORS, ErrorRow, errors
from observatory_store.repositories.analytics.forecast import (
    HISTORY_DAYS,
    Forecast,
    check_forecast,
    check_now,
    extrapolate,
    history_before,
    midnight,
)
from observatory_store.repositories.analytics.intervals import zone_of
from observatory_store.repositories.analytics.latency import (
    QUANTILES,
    LatencyRow,
    check_quantiles,
    latency,
)
from observatory_store.repositories.analytics.query import SQL
from observatory_store.repositories.analytics.question import (
    Analysis,
    Filter,
    ask,
    check_filters,
)
from observatory_store.repositories.analytics.rows import Rows
from observatory_store.repositories.analytics.sessions import SessionFilter, SessionRow, sessions
from observatory_store.repositories.analytics.usage import UsageRow, usage
from observatory_store.repositories.page import Page, TimeRange, check_limit
from observatory_store.rows.budget import Budget


class AnalyticsRepository(Analysis):
    """The rollups of one project.

    All questions take a range of at most 1100 days. Filters are ``provider``, ``model`` (that
    answered, or else was asked for), ``service``, ``environment``, ``user``, ``session``,
    ``agent``, ``tool`` and ``tag``: one value, or up to 100 of which any will do; of tags all must
    be there.
    """

    async def usage(
        self,
        start: datetime,
        end: datetime,
        *,
        group_by: Sequence[str] = (),
        interval: str | None = None,
        tz: str = "UTC",
        fill: bool = False,
        **filters: Filter,
    ) -> Rows[UsageRow]:
        """Return requests, errors, tokens and cost.

        The range is exact. Where spans are kept no more, one that begins or ends within the finest
        bucket that is left covers all of that: see ``covered`` of the answer.

        Args:
            start: beginning of the range.
            end: end of the range, not included.
            group_by: any of provider, model, service, environment, user, session, agent, tool, tag
                and project. Grouped by one of user, session, agent, tool and tag, only calls that
                have one count; a call counts for each of its tags; of a tool its executions count.
            interval: 1m, 15m, 1h, 1d, 1w or 1mo; None gives one row a group for the whole range.
            tz: IANA time zone by whose clock days, weeks and months begin.
            fill: whether a group gets a row of zeros for an interval in which it has none.
            filters: which calls.

        Raises:
            InvalidInputError: an argument is not one of these, the answer has over 10,000 rows, or
                it would need spans that are kept no more, or more than 31 days of spans.

        """
        question = ask(start, end, group_by=group_by, interval=interval, tz=tz, **filters)
        return await usage(self, question, await self._project(question.groups), fill=fill)

    async def latency(
        self,
        start: datetime,
        end: datetime,
        *,
        quantiles: Sequence[float] = QUANTILES,
        histogram: bool = False,
        group_by: Sequence[str] = (),
        interval: str | None = None,
        tz: str = "UTC",
        **filters: Filter,
    ) -> Rows[LatencyRow]:
        """Return how long calls of models took, in all and until their first token.

        Args:
            start: beginning of the range.
            end: end of the range, not included.
            quantiles: at most 20, each from 0 to 1 (0.5 is the median).
            histogram: whether to give the durations as a histogram too.
            group_by: as for :meth:`usage`, without tools.
            interval: as for :meth:`usage`.
            tz: as for :meth:`usage`.
            filters: which calls; not by tool.

        Raises:
            InvalidInputError: as of :meth:`usage`.

        """
        wanted = check_quantiles(quantiles)
        question = ask(start, end, group_by=group_by, interval=interval, tz=tz, **filters)
        project = await self._project(question.groups)
        return await latency(self, question, project, quantiles=wanted, histogram=histogram)

    async def errors(
        self, start: datetime, end: datetime, *, limit: int = 20, **filters: Filter
    ) -> Rows[ErrorRow]:
        """Return the commonest failures of calls of models, the most first.

        How many calls failed of all is in :meth:`usage`.

        Args:
            start: beginning of the range.
            end: end of the range, not included.
            limit: most rows, from 1 to 1000.
            filters: which calls; not by tool.

        Raises:
            InvalidInputError: an argument is not one of these.

        """
        check_limit(limit, MOST_ERRORS)
        check_filters(filters)
        question = ask(start, end, group_by=(), interval=None, tz="UTC", **filters)
        return await errors(self, question, limit)

    async def sessions(
        self,
        range_: TimeRange,
        where: SessionFilter | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[SessionRow]:
        """Return sessions with a trace that began in the range, the latest first.

        The totals are of these traces. A trace whose spans name several sessions is in the least.
        The traces themselves: ``store.traces.list(range_, TraceFilter(session=…))``.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, or the range is over 31 days.
            InvalidCursorError: the cursor is not of this query.

        """
        return await sessions(self, range_, where or SessionFilter(), limit=limit, cursor=cursor)

    async def compare(
        self,
        start: datetime,
        end: datetime,
        *,
        before: datetime | None = None,
        group_by: Sequence[str] = (),
        **filters: Filter,
    ) -> Comparison:
        """Return the usage of a range beside that of an earlier one of the same length.

        Models are compared by ``group_by=["model"], model=["one", "other"]``, also in
        :meth:`usage` and :meth:`latency`.

        Args:
            start: beginning of the range.
            end: end of the range, not included.
            before: beginning of the other range; by default it ends where this one begins.
            group_by: as for :meth:`usage`.
            filters: which calls.

        Raises:
            InvalidInputError: as of :meth:`usage`, or the ranges that can be covered are not alike.

        """
        check_filters(filters)
        other = other_period(TimeRange(start, end), before)
        rows = await self.usage(start, end, group_by=group_by, **filters)  # type: ignore[arg-type]
        earlier = await self.usage(
            other.start,
            other.end,
            group_by=group_by,
            **filters,  # type: ignore[arg-type]
        )
        check_covered(rows.covered, earlier.covered, start - other.start)
        return Comparison(compared(rows, earlier), rows.covered, earlier.covered)

    async def forecast(
        self,
        *,
        days: int = 30,
        history_days: int = HISTORY_DAYS,
        confidence: float = 0.8,
        tz: str = "UTC",
        at: datetime | None = None,
        **filters: Filter,
    ) -> Forecast:
        """Return what the coming days will cost, if they are as the last ones were.

        Args:
            days: how many, from 1 to 366; the first is today.
            history_days: how many whole days before today it is made from, from 7 to 366.
            confidence: with which the intervals hold the cost, between 0 and 1.
            tz: IANA time zone by whose clock days begin.
            at: the time that is taken for now.
            filters: which calls; not by tool.

        Raises:
            InvalidInputError: an argument is not one of these.

        """
        check_forecast(history_days, days, confidence)
        check_filters(filters)
        now = at or datetime.now(UTC)
        check_now(now)
        zone = zone_of(tz)
        today = now.astimezone(zone).date()
        history = await history_before(self, today, history_days, tz, filters)
        forecast, total = extrapolate(
            [float(day.cost_usd) for day in history], today, days, confidence
        )
        start, end = (midnight(day, zone).astimezone(UTC) for day in (history[0].day, today))
        return Forecast(
            history_start=start,
            history_end=end,
            history_cost_usd=sum((day.cost_usd for day in history), Decimal(0)),
            unpriced_requests=sum(day.unpriced_requests for day in history),
            history=history,
            confidence=confidence,
            days=tuple(forecast),
            total=total,
        )

    async def burn(self, budget: Budget, at: datetime | None = None) -> Burn:
        """Return how far a budget has gone in its period, and whether it will last.

        Args:
            budget: of this project, as ``store.budgets`` gives it.
            at: the time that is taken for now.

        Raises:
            InvalidInputError: what it counts can be told from spans only, which are kept no more.

        """
        return await burn(self, budget, at or datetime.now(UTC))

    async def _project(self, groups: Sequence[str]) -> str | None:
        if "project" not in groups:
            return None
        ((name,),) = await self.fetch(SQL["project_name"], self.project_id)
        return str(name)
