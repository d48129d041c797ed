"""Two periods side by side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.columnar import to_arrow
from observatory_store.repositories.analytics.families import DIMENSIONS
from observatory_store.repositories.analytics.intervals import BEGINNING, END
from observatory_store.repositories.analytics.question import MOST_OF_USAGE
from observatory_store.repositories.analytics.rows import Rows
from observatory_store.repositories.analytics.usage import GroupedRow, UsageRow
from observatory_store.repositories.page import TimeRange, check_range, check_time

_GROUP = (*DIMENSIONS, "project")
_SUMS = tuple(
    field
    for field in msgspec.structs.fields(UsageRow)
    if field.name not in GroupedRow.__struct_fields__
)


class ComparisonRow(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one group in two periods; of zeros in one in which it had no calls."""

    now: UsageRow
    before: UsageRow

    @property
    def cost_change(self) -> float | None:
        """By what part of the cost before it changed: 0.5 is half as much again; None from 0."""
        return _change(float(self.now.cost_usd), float(self.before.cost_usd))

    @property
    def cost_change_usd(self) -> Decimal:
        """By how much the cost changed."""
        return self.now.cost_usd - self.before.cost_usd

    @property
    def requests_change(self) -> float | None:
        """By what part the requests changed; None from 0."""
        return _change(self.now.requests, self.before.requests)

    def flat(self) -> dict[str, Any]:
        """Return the group, each sum now and, with ``_before``, before, and the changes."""
        return {
            **{name: getattr(self.now, name) for name in _GROUP},
            **{field.name: getattr(self.now, field.name) for field in _SUMS},
            **{f"{field.name}_before": getattr(self.before, field.name) for field in _SUMS},
            "requests_change": self.requests_change,
            "cost_change": self.cost_change,
            "cost_change_usd": self.cost_change_usd,
        }


_Flat = msgspec.defstruct(
    "_Flat",
    [
        *((name, str | None) for name in _GROUP),
        *((field.name, field.type) for field in _SUMS),
        *((f"{field.name}_before", field.type) for field in _SUMS),
        ("requests_change", float | None),
        ("cost_change", float | None),
        ("cost_change_usd", Decimal),
    ],
)


class Comparison(Rows[ComparisonRow]):
    """Groups, with the ranges of both periods that they answer for."""

    def __init__(self, rows: Sequence[ComparisonRow], now: TimeRange, before: TimeRange) -> None:
        super().__init__(rows, now, ComparisonRow)
        self.before_covered = before

    def to_arrow(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        """Return a ``pyarrow.Table`` with the columns of :meth:`ComparisonRow.flat`.

        Raises:
            InvalidInputError: the extra ``analytics`` is not installed.

        """
        return to_arrow([_Flat(**row.flat()) for row in self], _Flat)


def check_covered(now: TimeRange, before: TimeRange, shift: timedelta) -> None:
    """Check that two periods are covered alike, the other ``shift`` earlier.

    Raises:
        InvalidInputError: where spans are gone, one had to be taken longer than the other, or both
            so long that they share more than was asked for.

    """
    same = now.end - now.start == before.end - before.start
    if not same or now.start - before.start < min(shift, now.end - now.start):
        raise InvalidInputError(
            "spans of one of the periods are kept no more, and the buckets that are left do not "
            f"make two of one length: {now.start:%Y-%m-%dT%H:%MZ} to {now.end:%Y-%m-%dT%H:%MZ} and "
            f"{before.start:%Y-%m-%dT%H:%MZ} to {before.end:%Y-%m-%dT%H:%MZ}; take whole UTC days"
        )


def other_period(range_: TimeRange, start: datetime | None) -> TimeRange:
    """Return the range of the same length that begins then; by default the one just before.

    Raises:
        InvalidInputError: the range is too long, the other is not between 1970 and 2555, or its
            beginning is no time with a zone.

    """
    check_range(range_, MOST_OF_USAGE)
    length = range_.end - range_.start
    if start is not None:
        check_time("before", start)
        if start.tzinfo is None:
            raise InvalidInputError("before lacks a time zone: write 2026-01-31T12:00:00Z")
    try:
        start = range_.start - length if start is None else start
        other = TimeRange(start, start + length)
    except OverflowError:
        other = None
    if other is None or other.start < BEGINNING or other.end > END:
        raise InvalidInputError("before: the other range must lie between the years 1970 and 2555")
    return other


def compared(now: Sequence[UsageRow], before: Sequence[UsageRow]) -> list[ComparisonRow]:
    """Return the groups of two periods, those first that cost most now."""
    by_group = [{_group(row): row for row in rows} for rows in (now, before)]
    rows = []
    for group in dict.fromkeys((*by_group[0], *by_group[1])):
        nothing = UsageRow(**dict(zip(_GROUP, group, strict=True)))  # type: ignore[arg-type]  # texts only
        pair = [rows_of.get(group, nothing) for rows_of in by_group]
        rows.append(ComparisonRow(now=pair[0], before=pair[1]))
    rows.sort(key=lambda row: (-row.now.cost_usd, -row.before.cost_usd))
    return rows


def _group(row: UsageRow) -> tuple[str | None, ...]:
    return tuple(getattr(row, name) for name in _GROUP)


def _change(now: float, before: float) -> float | None:
    return now / before - 1 if before else None
