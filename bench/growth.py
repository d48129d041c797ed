"""Whether a store that holds much takes more as fast as one that holds little."""

from __future__ import annotations

from dataclasses import replace

import asyncpg

from bench.copying import copy, finished
from bench.forms import Load
from observatory_store.otlp import Signal

LITTLE, MUCH = 200_000, 20_000_000
DAYS = 30

_BASE = 20_000
_KEEP = f"""
    UPDATE observatory.policies SET retention = '{DAYS + 2} days'
    WHERE relation = 'spans' AND retention < '{DAYS + 2} days';
    CREATE SCHEMA base;
    CREATE TABLE base.spans (LIKE observatory.spans);
    CREATE TABLE base.trace_days (LIKE observatory.trace_days);
"""
# Of each table, what of a row is another in each of its copies. Days change only with whole days.
_MOVED = {
    "spans": {
        "trace_id": "md5(trace_id::text || copy)::uuid",
        "start_time": "start_time - back",
    },
    "trace_days": {
        "trace_id": "md5(trace_id::text || copy)::uuid",
        "day": "(day - back)::date",
        "first_start": "first_start - back",
        "last_end": "last_end - back",
        "root_start": "root_start - back",
    },
}
_COLUMNS = """
    SELECT column_name::text FROM information_schema.columns
    WHERE table_schema = 'base' AND table_name = $1 ORDER BY ordinal_position
"""
_COPY = """
    INSERT INTO observatory.{table} ({columns})
    SELECT {values} FROM base.{table},
        (SELECT $1::int AS copy, make_interval(days => $2) AS back) AS one
"""


async def fill(url: str, spans: int, *, seed: int) -> None:
    """Store so many spans, without payloads, over 30 days before this one."""
    base = Load(Signal.TRACES, _BASE, size=None, seed=seed)
    connection = await asyncpg.connect(url)
    await connection.execute(_KEEP)
    await copy(url, [replace(one, schema="base") for one in finished(base) if one.table in _MOVED])
    copies = spans // _BASE
    for table, moved in _MOVED.items():
        columns = [record[0] for record in await connection.fetch(_COLUMNS, table)]
        statement = _COPY.format(
            table=table,
            columns=", ".join(columns),
            values=", ".join(moved.get(column, column) for column in columns),
        )
        # Day after day, as they would have come.
        for number in range(copies):
            await connection.execute(statement, number, DAYS - number * DAYS // copies, timeout=600)
    await connection.execute("ANALYZE")
    await connection.close()
