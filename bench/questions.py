"""How long questions take, in a store with a history."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import asyncpg
import httpx

from bench.history import DAYS
from bench.service import service

FEW, MANY = 2_000_000, 20_000_000
"""Stored spans."""
_OF_DAY = """
    SELECT observatory.trace_hex(trace_id) AS trace, session_id AS session
    FROM observatory.trace_days
    WHERE project_id = 1 AND session_id IS NOT NULL
    ORDER BY abs(day - ((now() AT TIME ZONE 'UTC')::date - $1::int)) LIMIT 1
"""
"""Of the day that is nearest to so many days ago."""


@dataclass(frozen=True)
class Question:
    """A request, and the milliseconds that its median, or its p95, may take."""

    path: str
    budget_ms: float | None = None
    of_p95: bool = False


@dataclass(frozen=True)
class Answered:
    """A question, and the milliseconds from its request to the end of its answer."""

    question: Question
    milliseconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of the milliseconds."""
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        """Of the milliseconds."""
        return statistics.quantiles(self.milliseconds, n=20, method="inclusive")[-1]

    @property
    def is_met(self) -> bool | None:
        """Whether the budget is met; None if there is none."""
        budget = self.question.budget_ms
        judged = self.p95 if self.question.of_p95 else self.median
        return None if budget is None else judged <= budget


async def questions(url: str) -> dict[str, Question]:
    """Return what is asked. Only the range of "whole days" begins and ends at a bucket's edge."""
    connection = await asyncpg.connect(url)
    young, old = [await connection.fetchrow(_OF_DAY, days) for days in (1, 20)]
    await connection.close()
    now = datetime.now(UTC)
    month = {"from": now - timedelta(days=DAYS) + timedelta(minutes=67, seconds=11), "to": now}
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"from": today - timedelta(days=DAYS - 1), "to": today}
    week = {"from": now - timedelta(days=7), "to": now}
    model, service_name = {"model": "gpt-4o"}, {"service": "service-3"}
    user = {"user": "user-7"}

    def usage(**parameters: object) -> Question:
        return Question(_path("usage", month, parameters), 30)

    def latency(budget: float, **parameters: object) -> Question:
        return Question(_path("latency", month, parameters), budget)

    def listed(what: str, *parameters: Mapping[str, object]) -> Question:
        return Question(_path(what, *parameters), 100, of_p95=True)

    def scanned(*parameters: Mapping[str, object]) -> Question:
        return Question(_path("spans", *parameters), 1000)

    return {
        "usage": usage(),
        "usage by model": usage(group_by="model"),
        "usage by model and day": usage(group_by="model", interval="1d"),
        "usage by day in Kolkata": usage(interval="1d", tz="Asia/Kolkata"),
        "usage by service and model": usage(group_by="service,model"),
        "usage of one user, whole days": Question(_path("usage", days, user), 30),
        "the same, and spans of two days": Question(_path("usage", month, user)),
        "usage by user (2,000), whole days": Question(_path("usage", days, {"group_by": "user"})),
        "latency of one model": latency(30, **model),
        "latency of one service": latency(30, **service_name),
        "latency by model (20)": latency(150, group_by="model"),
        "the same, whole days": Question(_path("latency", days, {"group_by": "model"}), 150),
        "latency of one model by day": Question(_path("latency", month, model, {"interval": "1d"})),
        "latency of a model in a service": Question(_path("latency", month, model, service_name)),
        "errors": Question(_path("errors", month)),
        "forecast of costs": Question(_path("costs/forecast")),
        "a trace of yesterday": Question(_path(f"traces/{young['trace']}"), 10),
        "a trace of 20 days ago": Question(_path(f"traces/{old['trace']}"), 10),
        "traces": listed("traces", month),
        "traces of a user": listed("traces", month, user),
        "traces of a session": listed("traces", month, {"session": old["session"]}),
        "traces of a service": listed("traces", month, service_name),
        "failed traces of a model": listed("traces", month, model, {"status": "error"}),
        "sessions": listed("sessions", week),
        "spans of a model": listed("spans", month, model),
        "spans of a user": listed("spans", month, user),
        "spans by an attribute": scanned(month, {"attribute": "url.path=/v1/tenants/7/chat"}),
        "spans by one that none has": scanned(month, {"attribute": "no.such=thing"}),
    }


async def ask(url: str, *, rounds: int) -> dict[str, Answered]:
    """Return what each question takes, in each round after two that warm up."""
    asked = {name: Answered(question) for name, question in (await questions(url)).items()}
    async with (
        service(url) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", timeout=60) as client,
    ):
        for number in range(rounds + 2):
            for one in asked.values():
                start = time.perf_counter()
                (await client.get(one.question.path)).raise_for_status()
                if number > 1:
                    one.milliseconds.append((time.perf_counter() - start) * 1000)
    return asked


def _path(what: str, *parameters: Mapping[str, object]) -> str:
    pairs: Sequence[tuple[str, object]] = [
        (name, value.isoformat() if isinstance(value, datetime) else value)
        for one in parameters
        for name, value in one.items()
    ]
    return f"/api/v1/{what}?{urlencode(pairs)}"
