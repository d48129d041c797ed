"""Requests, errors, tokens and cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.families import DIMENSIONS, usage_family
from observatory_store.repositories.analytics.query import SQL
from observatory_store.repositories.analytics.question import (
    MOST_ROWS,
    TOO_MANY_ROWS,
    Analysis,
    Question,
)
from observatory_store.repositories.analytics.rows import Rows


class GroupedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One interval and one group; what is not grouped by is None."""

    bucket: datetime | None = None
    """Start of the interval, UTC; None if no interval was asked for."""
    provider: str | None = None
    model: str | None = None
    service: str | None = None
    environment: str | None = None
    user: str | None = None
    session: str | None = None
    agent: str | None = None
    tool: str | None = None
    tag: str | None = None
    project: str | None = None


class UsageRow(GroupedRow, frozen=True, kw_only=True):
    """Calls of models in one interval and one group; of a tool, its executions."""

    requests: int = 0
    errors: int = 0
    unpriced_requests: int = 0
    """Calls whose cost is missing in ``cost_usd``, for want of a price or of token counts."""
    input_tokens: int = 0
    """Includes cached tokens."""
    output_tokens: int = 0
    """Includes reasoning tokens."""
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    duration_us: int = 0
    """Sum over the calls, microseconds."""


def group_of(record: Any, question: Question, project: str | None) -> dict[str, Any]:  # noqa: ANN401
    """Return the columns of a row that say what it is about."""
    return {
        "bucket": question.start_of(record["slot"]),
        **{name: record[name] for name in question.groups if name != "project"},
        "project": project,
    }


async def usage(
    analysis: Analysis, question: Question, project: str | None, *, fill: bool
) -> Rows[UsageRow]:
    """Return the usage that a question asks for.

    Raises:
        InvalidInputError: it cannot be answered, or the answer is too long.

    """
    family = usage_family(question.dimensions)
    (plan,) = await analysis.plans(question, family)
    records = await analysis.answer(
        SQL["usage"], question, family, plan, list(plan.starts), MOST_ROWS + 1
    )
    if len(records) > MOST_ROWS:
        raise InvalidInputError(TOO_MANY_ROWS)
    sums = UsageRow.__struct_fields__[len(GroupedRow.__struct_fields__) :]
    rows = [
        UsageRow(
            **group_of(record, question, project),
            **{name: record[name] for name in sums},
        )
        for record in records
    ]
    if fill and question.interval is not None:
        rows = list(filled(rows, question, project))
    return Rows(rows, plan.covered, UsageRow)


def filled(rows: Sequence[UsageRow], question: Question, project: str | None) -> Iterator[UsageRow]:
    """Yield the rows, and one of zeros for each interval in which a group has none.

    Raises:
        InvalidInputError: that makes too many.

    """
    names = (*DIMENSIONS, "project")
    by_key: dict[tuple[Any, ...], UsageRow] = {}
    groups: dict[tuple[str | None, ...], None] = {}
    for row in rows:
        group = tuple(getattr(row, name) for name in names)
        groups[group] = None
        by_key[(row.bucket, *group)] = row
    if not {*question.groups} - {"project"}:
        groups[(*(None for _ in DIMENSIONS), project)] = None
    if len(groups) * len(question.starts) > MOST_ROWS:
        raise InvalidInputError(TOO_MANY_ROWS)
    for start in question.starts:
        for group in sorted(groups, key=_sortable):
            named: dict[str, Any] = dict(zip(names, group, strict=True))
            yield by_key.get((start, *group)) or UsageRow(bucket=start, **named)


def _sortable(group: Sequence[str | None]) -> list[tuple[bool, str]]:
    return [(value is None, value or "") for value in group]
