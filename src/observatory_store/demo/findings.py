"""Reading back what was sent, as any program would: through the Store, and by SQL."""

from __future__ import annotations

from importlib import resources

import msgspec

from observatory_store.database import open_pool, translate_failures
from observatory_store.demo.stage import Stage
from observatory_store.errors import NotFoundError
from observatory_store.maintenance import Rollups
from observatory_store.repositories import (
    LogFilter,
    TimeRange,
    Trace,
    TraceFilter,
    TraceRepository,
    UsageRow,
)
from observatory_store.rows import LogRecord, Metric
from observatory_store.store import Store

EASY_TO_READ = range(6, 14)
"""Number of spans of a trace that is worth showing."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long the calls of one model took."""

    model: str | None
    p50_us: float
    p95_us: float
    p95_first_token_ms: float | None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What the store says of the traffic."""

    edition: str
    by_model: list[UsageRow]
    by_quarter_hour: list[UsageRow]
    latency: dict[str | None, Latency]
    trace: Trace
    logs: list[LogRecord]
    """Those of the trace, in order of time."""
    metrics: list[Metric]
    span_count: int
    log_count: int


async def read_findings(stage: Stage, range_: TimeRange) -> Findings:
    """Ask the store for everything that the demonstration shows."""
    edition, latency = await _by_sql(stage, range_)
    async with Store.open(stage.database_url) as store:
        start, end = range_.start, range_.end
        trace = await _instructive(store.traces, range_)
        trace_id = trace.summary.trace_id
        logs = (await store.logs.list(range_, LogFilter(trace_id=trace_id))).items
        return Findings(
            edition=edition,
            by_model=await store.analytics.usage(start, end, group_by=["provider", "model"]),
            by_quarter_hour=await store.analytics.usage(start, end, interval="15m"),
            latency=latency,
            trace=trace,
            logs=logs[::-1],
            metrics=(await store.metrics.list()).items,
            span_count=await _count_spans(store.traces, range_),
            log_count=await _count_logs(store, range_),
        )


async def _by_sql(stage: Stage, range_: TimeRange) -> tuple[str, dict[str | None, Latency]]:
    query = resources.files(__package__).joinpath("latency.sql").read_text("utf-8")
    async with Store.open(stage.database_url) as store, open_pool(stage.database_url) as pool:
        with translate_failures():
            records = await pool.fetch(query, store.project_id, range_.start, range_.end)
        found = [Latency(**dict(record)) for record in records]
        statuses = await Rollups(pool).status()
    return statuses[0].edition, {latency.model: latency for latency in found}


async def _instructive(traces: TraceRepository, range_: TimeRange) -> Trace:
    failed = (await traces.list(range_, TraceFilter(status="error"), limit=100)).items
    readable = [trace for trace in failed if trace.span_count in EASY_TO_READ] or failed
    readable.sort(key=lambda trace: (-trace.inference_count, trace.unpriced_count, trace.trace_id))
    found = await traces.get(readable[0].trace_id) if readable else None
    if found is None:
        raise NotFoundError("the demonstration's traces are not in the store")
    return found


async def _count_spans(traces: TraceRepository, range_: TimeRange) -> int:
    count, cursor = 0, None
    while True:
        page = await traces.list(range_, limit=1000, cursor=cursor)
        count += sum(trace.span_count for trace in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return count


async def _count_logs(store: Store, range_: TimeRange) -> int:
    count, cursor = 0, None
    while True:
        page = await store.logs.list(range_, limit=1000, cursor=cursor)
        count += len(page.items)
        cursor = page.next_cursor
        if cursor is None:
            return count
