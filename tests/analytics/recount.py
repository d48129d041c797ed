"""What usage should be, counted from spans in plain SQL."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from observatory_store import Span
from storage.samples import query, traffic

EXPRESSIONS = {
    "provider": "provider",
    "model": "coalesce(response_model, request_model)",
    "service": "service_name",
    "environment": "environment",
    "user": "user_id",
    "session": "session_id",
    "agent": "agent_name",
    "tool": "tool_name",
    "tag": "tag",
}
LENGTHS = {"1d": "day", "1w": "week", "1mo": "month", "1h": "hour", "1m": "minute"}


def rich(count: int, *, seed: int, **options: Any) -> list[Span]:
    """Return traffic with all that usage is counted by."""
    chance = random.Random(seed)
    return [
        msgspec.structs.replace(
            one,
            environment=chance.choice([None, "test", "production"]),
            session_id=chance.choice([None, "s1", "s2"]),
            agent_name=chance.choice([None, "planner", "writer"]),
            tool_name=chance.choice([None, None, "search", "calculator"]),
            tags=chance.choice([None, ("a=1",), ("b=2", "a=1"), ("a=1", "a=1")]),
            output_tokens=chance.choice([None, 0, 15]),
            time_to_first_token_ms=chance.choice([None, 0.001, 12.5, chance.expovariate(0.01) + 1]),
            status_message=chance.choice(["", f"retry in {chance.random()} s", "no"]),
            attributes=chance.choice([{}, {"error.type": "timeout"}]),
        )
        for one in traffic(count, seed=seed, **options)
    ]


def where(start: datetime, end: datetime, filters: dict[str, Any], groups: Sequence[str]) -> str:
    """Return the conditions of a recount. Values are of tests, so they need no quoting."""
    named = {*groups, *filters}
    conditions = [
        "is_inference" if "tool" not in named else "tool_name IS NOT NULL",
        f"start_time >= '{start.isoformat()}' AND start_time < '{end.isoformat()}'",
    ]
    for name, value in filters.items():
        values = ", ".join(f"'{one}'" for one in ([value] if isinstance(value, str) else value))
        conditions.append(
            f"tags @> ARRAY[{values}]" if name == "tag" else f"{EXPRESSIONS[name]} IN ({values})"
        )
    conditions += [
        f"{EXPRESSIONS[name]} IS NOT NULL"
        for name in groups
        if name in {"user", "session", "agent", "tool", "tag"}
    ]
    return " AND ".join(conditions)


def source(groups: Sequence[str]) -> str:
    """Return the spans, each as often as it has tags, if it is counted by these."""
    tags = "CROSS JOIN LATERAL (SELECT DISTINCT t FROM unnest(tags) AS t) AS one (tag)"
    return f"observatory.spans {tags if 'tag' in groups else ''}"


def bucket(interval: str | None, tz: str) -> str:
    """Return the start of a span's interval, as PostgreSQL knows it."""
    if interval is None:
        return "NULL::timestamptz"
    if interval == "15m":
        return "date_bin('15 minutes', start_time, '2000-01-01Z')"
    return f"date_trunc('{LENGTHS[interval]}', start_time, '{tz}')"


def recounted(
    url: str,
    start: datetime,
    end: datetime,
    *,
    groups: Sequence[str],
    interval: str | None,
    tz: str,
    filters: dict[str, Any],
) -> list[tuple[Any, ...]]:
    """Return bucket, group and sums."""
    keys = ", ".join(EXPRESSIONS[name] if name in groups else "NULL::text" for name in EXPRESSIONS)
    is_tool = "tool" in {*groups, *filters}
    tokens = [
        "0" if is_tool else f"coalesce(sum({name}), 0)"
        for name in (
            *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
            *("reasoning_tokens", "cost_usd"),
        )
    ]
    unpriced = (
        "0"
        if is_tool
        else "count(*) FILTER (WHERE cost_usd IS NULL AND (status <> 'error' OR input_tokens > 0))"
    )
    return query(
        url,
        f"SELECT {bucket(interval, tz)}, {keys}, count(*),"
        f" count(*) FILTER (WHERE status = 'error'), {unpriced}, {', '.join(tokens)},"
        f" sum(duration_us) FROM {source(groups)} WHERE {where(start, end, filters, groups)}"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
    )


def random_range(chance: random.Random, end: datetime, days: float) -> tuple[datetime, datetime]:
    """Return a range: of any length, with any edges, also round ones and one in the future."""
    first, last = sorted(
        end - timedelta(days=days) * chance.random() + timedelta(minutes=10) for _ in range(2)
    )
    if chance.random() < 0.3:
        first = first.replace(minute=0, second=0, microsecond=0)
    if chance.random() < 0.3:
        last = end + timedelta(minutes=1)
    if chance.random() < 0.2:
        first = first.replace(hour=0, minute=0, second=0, microsecond=0)
    return first, last + timedelta(microseconds=1)
