"""The measure of all ways: binary COPY of finished records, over one connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from bench.forms import Load
from observatory_store.database.pool import set_codecs
from observatory_store.otlp import Signal
from observatory_store.writers import logs, metrics, spans, trace_days

BATCH = 5000
"""Rows a transaction."""
PROJECT_ID = 1


@dataclass(frozen=True)
class Records:
    """What goes into one table."""

    table: str
    columns: Sequence[str]
    records: Sequence[tuple[Any, ...]]
    schema: str = "observatory"


def finished(load: Load) -> list[Records]:
    """Return the records that the store writes for a load, into all tables of facts."""
    now = datetime.now(UTC)
    match load.signal:
        case Signal.LOGS:
            made = [logs.log_record(PROJECT_ID, now, row, 0) for row in load.rows]
            return [Records("logs", logs.COLUMNS, made)]
        case Signal.METRICS:
            made = [metrics.point_record(PROJECT_ID, now, row) for row in load.rows]
            return [Records("metric_points", metrics.COLUMNS, made)]
        case Signal.TRACES:
            days = trace_days.TraceDays()
            for row in load.rows:
                days.add(PROJECT_ID, row)
            return [
                Records(
                    "spans",
                    spans.COLUMNS,
                    [spans.span_record(PROJECT_ID, None, now, row) for row in load.rows],
                ),
                Records(
                    "span_payloads",
                    spans.PAYLOAD_COLUMNS,
                    [spans.payload_record(PROJECT_ID, row) for row in load.rows if row.payload],
                ),
                Records("trace_days", trace_days.COLUMNS, days.records()),
            ]


async def copy(url: str, tables: Sequence[Records]) -> None:
    """COPY the records, in as many transactions as there are batches of the first table."""
    connection = await asyncpg.connect(url)
    await set_codecs(connection)
    batches = -(-len(tables[0].records) // BATCH)
    for number in range(batches):
        async with connection.transaction():
            for one in tables:
                begin, end = (len(one.records) * n // batches for n in (number, number + 1))
                await connection.copy_records_to_table(
                    one.table,
                    schema_name=one.schema,
                    columns=one.columns,
                    records=one.records[begin:end],
                )
    await connection.close()
