"""What is asked of the rollups: range, intervals, groups and filters, checked."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, TypeAlias
from weakref import WeakKeyDictionary

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.families import DIMENSIONS, GROUPS, Family
from observatory_store.repositories.analytics.intervals import BEGINNING, END, starts, zone_of
from observatory_store.repositories.analytics.plan import Plan, make_plan
from observatory_store.repositories.analytics.query import SQL, Arms
from observatory_store.repositories.page import TimeRange, check_range
from observatory_store.repositories.session import Session
from observatory_store.rows.text import storable

Filter: TypeAlias = str | Sequence[str] | None
"""One value, or some of which any will do; of tags all must be there."""

MOST_ROWS = 10_000
MOST_OF_USAGE = timedelta(days=1100)
"""A little more than the quarter-hours are kept."""
MOST_VALUES = 100
"""Of one filter."""
MOST_CHARACTERS = 1000
"""Of one value."""
NOT_OF_TOOLS = (
    "tool, as a filter or in group_by: executions of tools are no calls of models; "
    "ask for their usage"
)
TOO_MANY_ROWS = (
    f"the answer has over {MOST_ROWS} rows: shorten the range, lengthen the interval, "
    "or group by less"
)

KEPT_SECONDS = 30.0
"""How long what is kept is remembered. It is told an hour before the retention takes anything."""

_kept: WeakKeyDictionary[Any, dict[int, tuple[float, Mapping[str, datetime | None]]]] = (
    WeakKeyDictionary()
)
"""By pool and project: to ask TimescaleDB for its chunks takes longer than most answers."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A checked question."""

    range: TimeRange
    interval: str | None
    starts: tuple[datetime, ...]
    """Of the intervals, in UTC; without an interval the beginning of all."""
    groups: tuple[str, ...]
    filters: Mapping[str, tuple[str, ...]]

    @property
    def dimensions(self) -> Collection[str]:
        """What the answer has to be counted by."""
        return {*self.groups, *self.filters} - {"project"}

    def start_of(self, slot: int) -> datetime | None:
        """Return where the interval of a number begins, if there is an interval."""
        return None if self.interval is None else self.starts[slot - 1]


def ask(
    start: datetime,
    end: datetime,
    *,
    group_by: Sequence[str] = (),
    interval: str | None = None,
    tz: str = "UTC",
    **filters: Filter,
) -> Question:
    """Return the question.

    Raises:
        InvalidInputError: a part of it is not allowed; the message names it, and what is.

    """
    range_ = TimeRange(start, end)
    check_range(range_, MOST_OF_USAGE)
    if range_.start < BEGINNING or range_.end > END:
        raise InvalidInputError("the range must lie between the years 1970 and 2555")
    groups = _texts("group_by", group_by)
    if unknown := [name for name in groups if name not in GROUPS]:
        raise InvalidInputError(f"group_by: {unknown[0][:100]!r} is none of {', '.join(GROUPS)}")
    return Question(
        range=range_,
        interval=interval,
        starts=tuple(starts(range_, interval, zone_of(tz))),
        groups=groups,
        filters={
            name: filter_values(name, one) for name, one in filters.items() if one is not None
        },
    )


def filter_values(name: str, given: str | Sequence[str]) -> tuple[str, ...]:
    """Return the values of a filter.

    Raises:
        InvalidInputError: there is no such filter, or a value of it cannot be.

    """
    check_filters([name])
    values = _texts(name, given)
    if not 1 <= len(values) <= MOST_VALUES:
        raise InvalidInputError(f"{name}: give 1 to {MOST_VALUES} values, not {len(values)}")
    for value in values:
        check_text(name, value)
        if not value:
            raise InvalidInputError(f"{name}: a value has at least 1 character")
    return values


def _texts(name: str, given: object) -> tuple[str, ...]:
    """Return one text, or each of several once."""
    values = (
        tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    )
    if bad := [value for value in values if not isinstance(value, str)]:
        raise InvalidInputError(f"{name}: give a text or a list of texts, not {bad[0]!r:.100}")
    return tuple(dict.fromkeys(values))


def check_filters(names: Iterable[str]) -> None:
    """Check that these are filters, and not other arguments of another question.

    Raises:
        InvalidInputError: one is not.

    """
    if unknown := [name for name in names if name not in DIMENSIONS]:
        raise InvalidInputError(
            f"{unknown[0][:100]!r} is no filter: there are {', '.join(DIMENSIONS)}"
        )


def check_text(name: str, value: str) -> None:
    """Check one value of a filter.

    Raises:
        InvalidInputError: it is no text, too long, or of characters that no stored text has.

    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{name}: give a text, not {value!r:.100}")
    if len(value) > MOST_CHARACTERS:
        raise InvalidInputError(f"{name}: a value has at most {MOST_CHARACTERS} characters")
    if storable(value) != value:
        raise InvalidInputError(f"{name}: U+0000 and lone surrogates are in no stored text")


def of_models_only(question: Question) -> None:
    """Refuse tools, whose executions are no calls of models.

    Raises:
        InvalidInputError: the question names them.

    """
    if "tool" in question.dimensions:
        raise InvalidInputError(NOT_OF_TOOLS)


class Analysis(Session):
    """Asks the rollups of one project."""

    async def plans(self, question: Question, *families: Family) -> list[Plan]:
        """Return how each family answers a question, all for one range, which each can cover.

        Raises:
            InvalidInputError: one of them cannot.

        """
        kept_from = await self._kept_from()
        now = datetime.now(UTC)
        range_ = question.range
        while True:
            plans = [
                make_plan(range_, question.starts, family.rollups, kept_from, now)
                for family in families
            ]
            covered = TimeRange(
                min(plan.covered.start for plan in plans), max(plan.covered.end for plan in plans)
            )
            if covered == range_:
                return plans
            range_ = covered

    async def _kept_from(self) -> Mapping[str, datetime | None]:
        remembered = _kept.setdefault(self._pool, {})
        until, kept_from = remembered.get(self.project_id, (0.0, {}))
        if time.monotonic() >= until:
            kept_from = await self._read_kept_from()
            remembered[self.project_id] = (time.monotonic() + KEPT_SECONDS, kept_from)
        return kept_from

    async def _read_kept_from(self) -> Mapping[str, datetime | None]:
        records = await self.fetch(SQL["kept_from"])
        cuts = {record["relation"]: record["kept_from"] for record in records}
        latest = max((cut for cut in cuts.values() if cut is not None), default=None)
        if latest is None:
            return cuts
        # Of a project that began later, nothing is gone.
        first = await self.fetch_time(SQL["first_known"], self.project_id, latest)
        return {
            relation: cut if first is not None and cut is not None and first < cut else None
            for relation, cut in cuts.items()
        }

    async def answer(
        self,
        query: LiteralString,
        question: Question,
        family: Family,
        plan: Plan,
        *arguments: Any,  # noqa: ANN401 - query parameters
    ) -> list[Any]:
        """Return the records of a query over the parts of a plan; ``arguments`` are $2, $3, …."""
        arms = Arms(
            family,
            plan.segments,
            self.project_id,
            *arguments,
            groups=question.groups,
            filters=question.filters,
        )
        return await self.fetch(arms.into(query, slots=len(plan.starts)), *arms.arguments)
