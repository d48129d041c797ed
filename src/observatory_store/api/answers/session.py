"""Conversations."""

from __future__ import annotations

from typing import Any

from observatory_store import repositories
from observatory_store.api.answers.base import (
    Answer,
    MicroTime,
    Money,
    RangePage,
    micro_time,
    money,
)


class Session(Answer):
    """The traces of one session that began in the range."""

    session: str
    user: str | None
    """The least of its users."""
    start_time: MicroTime
    end_time: MicroTime
    last_start: MicroTime
    """When its last trace began."""
    traces: int
    spans: int
    requests: int
    """Calls of models."""
    errors: int
    """Spans with status error."""
    unpriced_requests: int
    """Calls whose price is unknown: ``cost_usd`` lacks them."""
    input_tokens: int
    output_tokens: int
    cost_usd: Money
    models: list[str]


class SessionPage(RangePage):
    """Sessions, the latest first."""

    sessions: list[Session]


_TIMES = ("start_time", "end_time", "last_start")


def session(row: repositories.SessionRow) -> Session:
    """Return a session."""
    plain: dict[str, Any] = {
        name: getattr(row, name)
        for name in Session.model_fields
        if name not in {*_TIMES, "cost_usd", "models"}
    }
    return Session(
        **plain,
        start_time=micro_time(row.start_time),
        end_time=micro_time(row.end_time),
        last_start=micro_time(row.last_start),
        cost_usd=money(row.cost_usd),
        models=list(row.models),
    )
