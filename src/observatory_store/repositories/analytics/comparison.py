"""Two periods side by side."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from observatory_store.repositories.analytics.families import DIMENSIONS
from observatory_store.repositories.analytics.usage import UsageRow

_GROUP = (*DIMENSIONS, "project")


class ComparisonRow(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of one group in two periods; of zeros in one in which it had no calls."""

    now: UsageRow
    before: UsageRow

    @property
    def cost_change(self) -> float | None:
        """By what part of the cost before it changed: 0.5 is half as much again; None from 0."""
        return _change(float(self.now.cost_usd), float(self.before.cost_usd))

    @property
    def requests_change(self) -> float | None:
        """By what part the requests changed; None from 0."""
        return _change(self.now.requests, self.before.requests)


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
