"""What the calls of a project may cost in a period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args

import msgspec

Period = Literal["day", "week", "month", "quarter", "year"]

PERIODS: tuple[str, ...] = get_args(Period)


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``budgets``."""

    budget_id: int
    project_id: int
    name: str
    amount_usd: Decimal
    """For each period."""
    period: Period
    tz: str
    """IANA time zone by whose clock a period begins."""
    filters: Mapping[str, tuple[str, ...]]
    """Which calls count, as usage is filtered; without any, all of the project."""
    warn_at: tuple[Decimal, ...]
    """Shares of the amount, ascending; 1 is all of it."""
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None = None
    """When it was removed."""
