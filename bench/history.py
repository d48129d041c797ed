"""A store with a history: many spans over 30 days, as it would be after these."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from msgspec.structs import replace

from bench.copying import BATCH
from bench.forms import Load
from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from observatory_store.otlp import Signal
from observatory_store.rows import Span

DAYS = 30
_BASE = 20_000
"""Spans that are made of OTLP; all others are these again, with other times, ids and durations."""
_SPREAD = 0.5
"""Of the logarithm by which durations differ from those of the base."""
_COPIES_A_SESSION = 4
_STREAMED_SHARE = 0.5
"""Of the calls of models: their time to the first token is known."""
_NO_JOBS = """
    SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs
    WHERE hypertable_schema IN ('observatory', 'observatory_private')
"""
_TO_COMPRESS = """
    SELECT format('%I.%I', c.chunk_schema, c.chunk_name)
    FROM timescaledb_information.chunks AS c
    LEFT JOIN timescaledb_information.continuous_aggregates AS a
        ON a.materialization_hypertable_name = c.hypertable_name
    JOIN observatory.policies AS p ON p.relation = coalesce(a.view_name, c.hypertable_name)
    WHERE NOT c.is_compressed AND c.range_end < now() - p.columnstore_after
"""


async def fill(url: str, spans: int, *, seed: int) -> None:
    """Store so many spans, without payloads, over the last 30 days: day after day, by the writers.

    Then the rollups are refreshed, and what the policies would have compressed is compressed: here
    and not by their jobs, which would be at it still while something is measured.
    """
    connection = await asyncpg.connect(url)
    if await connection.fetchval("SELECT observatory.edition()") == "community":
        await connection.execute(_NO_JOBS)
    await connection.close()
    async with Store.open(url) as store:
        for rows in _days(spans, seed):
            await asyncio.gather(
                *(
                    store.write_spans(rows[begin : begin + BATCH])
                    for begin in range(0, len(rows), BATCH)
                )
            )
    await settle(url)


async def settle(url: str) -> None:
    """Refresh the rollups, compress what is old, and have the planner know what is there."""
    async with open_pool(url, max_size=2) as pool:
        await Rollups(pool).refresh()
    connection = await asyncpg.connect(url, statement_cache_size=0)
    if await connection.fetchval("SELECT observatory.edition()") == "community":
        for (chunk,) in await connection.fetch(_TO_COMPRESS):
            await connection.execute(f"SELECT compress_chunk('{chunk}')", timeout=600)
    await connection.execute("VACUUM ANALYZE", timeout=3600)
    await connection.close()


def _days(spans: int, seed: int) -> Iterator[list[Span]]:
    """Yield the copies of the base, the oldest first; each covers an hour."""
    chance = random.Random(seed)
    base: Sequence[Any] = Load(Signal.TRACES, min(spans, _BASE), size=None, seed=seed).rows
    base = [replace(row, payload=None) for row in base]
    copies = -(-spans // len(base))
    began = datetime.now(UTC) - timedelta(days=DAYS)
    latest = max(row.start_time for row in base)
    for number in range(copies):
        later = began + (number + 1) * timedelta(days=DAYS) / copies - latest
        ids = {row.trace_id: f"{chance.getrandbits(128):032x}" for row in base}
        spans_of_hour = []
        for row in base:
            duration_us = int(row.duration_us * chance.lognormvariate(0, _SPREAD))
            is_streamed = row.is_inference and chance.random() < _STREAMED_SHARE
            spans_of_hour.append(
                replace(
                    row,
                    trace_id=ids[row.trace_id],
                    session_id=row.session_id and f"{row.session_id}-{number // _COPIES_A_SESSION}",
                    start_time=row.start_time + later,
                    duration_us=duration_us,
                    time_to_first_token_ms=(
                        duration_us * chance.uniform(0.1, 0.6) / 1000 if is_streamed else None
                    ),
                )
            )
        yield spans_of_hour
