"""What spans add to the days of their traces."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from observatory_store.rows import Span

COLUMNS = (
    "project_id",
    "trace_id",
    "day",
    "first_start",
    "last_end",
    "root_rank",
    "root_start",
    "root_span_id",
    "root_name",
    "service_name",
    "environment",
    "user_id",
    "session_id",
    "other_users",
    "other_sessions",
    "span_count",
    "error_count",
    "inference_count",
    "unpriced_count",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_usd",
    "providers",
    "models",
)

_MOST_OTHERS = 100
"""Users, or sessions, of a trace beside the least: so many are kept, that a row stays small."""

_PARENT_IS_REMOTE = 0x300
"""Bits 8 and 9 of a span's flags: it is known whether the parent is remote, and it is."""


_Root: TypeAlias = tuple[int, datetime, str, str, str]
_Key: TypeAlias = tuple[int, str, date]


class TraceDay:
    """The sum of some spans of one trace that start on one UTC day."""

    __slots__ = (
        "cache_read_tokens",
        "cache_write_tokens",
        "cost_usd",
        "environment",
        "error_count",
        "first_start",
        "inference_count",
        "input_tokens",
        "last_end",
        "models",
        "output_tokens",
        "providers",
        "reasoning_tokens",
        "root",
        "sessions",
        "span_count",
        "unpriced_count",
        "users",
    )

    def __init__(self, start: datetime, end: datetime, root: _Root) -> None:
        self.first_start = start
        self.last_end = end
        self.root = root
        self.environment: str | None = None
        self.users: set[str] = set()
        self.sessions: set[str] = set()
        self.span_count = 0
        self.error_count = 0
        self.inference_count = 0
        self.unpriced_count = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_tokens = 0
        self.reasoning_tokens = 0
        self.cost_usd = Decimal(0)
        self.providers: set[str] = set()
        self.models: set[str] = set()

    def add_call(self, span: Span) -> None:
        """Add what a call of a model used."""
        self.inference_count += 1
        self.input_tokens += span.input_tokens or 0
        self.output_tokens += span.output_tokens or 0
        self.cache_read_tokens += span.cache_read_tokens or 0
        self.cache_write_tokens += span.cache_write_tokens or 0
        self.reasoning_tokens += span.reasoning_tokens or 0
        if span.cost_usd is not None:
            self.cost_usd += span.cost_usd
        elif span.status != "error" or span.input_tokens:
            self.unpriced_count += 1
        if span.provider is not None:
            self.providers.add(span.provider)
        model = span.request_model if span.response_model is None else span.response_model
        if model is not None:
            self.models.add(model)


class TraceDays:
    """The sums of spans by project, trace and UTC day.

    Sums of sums are sums: it does not matter in which portions spans come.
    """

    def __init__(self) -> None:
        self._days: dict[_Key, TraceDay] = {}

    def add(self, project_id: int, span: Span) -> None:
        """Add a span."""
        start = span.start_time
        if start.tzinfo is not UTC:
            start = start.astimezone(UTC)
        end = start + timedelta(microseconds=span.duration_us)
        if span.parent_span_id is None:
            rank = 0
        else:
            rank = 1 if span.flags & _PARENT_IS_REMOTE == _PARENT_IS_REMOTE else 2
        key = (project_id, span.trace_id, start.date())
        day = self._days.get(key)
        if day is None:
            root = (rank, start, span.span_id, span.name, span.service_name)
            day = self._days[key] = TraceDay(start, end, root)
        else:
            day.first_start = min(day.first_start, start)
            day.last_end = max(day.last_end, end)
            if rank <= day.root[0]:
                root = (rank, start, span.span_id, span.name, span.service_name)
                day.root = min(day.root, root)
        day.span_count += 1
        if span.status == "error":
            day.error_count += 1
        if span.environment is not None:
            day.environment = _least(day.environment, span.environment)
        if span.user_id is not None:
            day.users.add(span.user_id)
        if span.session_id is not None:
            day.sessions.add(span.session_id)
        if span.is_inference:
            day.add_call(span)

    def records(self) -> list[tuple[Any, ...]]:
        """Return the sums as records of ``COLUMNS``."""
        return [_record(key, day) for key, day in self._days.items()]


def _least(one: str | None, other: str) -> str:
    return other if one is None or other < one else one


def _least_and_others(names: set[str]) -> tuple[str | None, list[str] | None]:
    if not names:
        return None, None
    least, *others = sorted(names)
    return least, others[:_MOST_OTHERS] or None


def _record(key: _Key, day: TraceDay) -> tuple[Any, ...]:
    rank, start, span_id, name, service_name = day.root
    user_id, other_users = _least_and_others(day.users)
    session_id, other_sessions = _least_and_others(day.sessions)
    return (
        *key,
        day.first_start,
        day.last_end,
        rank,
        start,
        bytes.fromhex(span_id),
        name,
        service_name,
        day.environment,
        user_id,
        session_id,
        other_users,
        other_sessions,
        day.span_count,
        day.error_count,
        day.inference_count,
        day.unpriced_count,
        day.input_tokens,
        day.output_tokens,
        day.cache_read_tokens,
        day.cache_write_tokens,
        day.reasoning_tokens,
        day.cost_usd,
        sorted(day.providers),
        sorted(day.models),
    )
