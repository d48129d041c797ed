"""What the layout is compared with: one table, JSONB, and the server's own settings."""

from __future__ import annotations

import asyncpg

from bench.copying import Records
from bench.forms import Load
from observatory_store.rows.span import Payload
from observatory_store.writers import spans

_PAYLOADS = tuple(
    name for name in spans.PAYLOAD_COLUMNS if name.endswith(("messages", "instructions"))
)
_CREATE = f"""
    CREATE SCHEMA plain;
    CREATE TABLE plain.spans (LIKE observatory.spans);
    ALTER TABLE plain.spans {", ".join(f"ADD COLUMN {name} jsonb" for name in _PAYLOADS)};
    ALTER TABLE plain.spans ADD PRIMARY KEY (project_id, trace_id, span_id, start_time);
    CREATE INDEX ON plain.spans (project_id, start_time DESC);
"""


async def create(url: str) -> None:
    """Make the plain table: the columns and indexes of spans, and the payload as JSONB."""
    connection = await asyncpg.connect(url)
    await connection.execute(_CREATE)
    await connection.close()


def finished(load: Load, records: Records) -> list[Records]:
    """Return the records of spans with their payloads in the same row."""
    joined = [
        (*record, *[_jsonb(row.payload, name) for name in _PAYLOADS])
        for record, row in zip(records.records, load.rows, strict=True)
    ]
    return [Records("spans", (*records.columns, *_PAYLOADS), joined, schema="plain")]


def _jsonb(payload: Payload | None, name: str) -> bytes | None:
    text: str | None = getattr(payload, name, None)
    return text.encode() if text else None
