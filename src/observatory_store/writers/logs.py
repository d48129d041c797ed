"""Storing log records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from observatory_store.rows import LogRecord
from observatory_store.rows.attributes import encode
from observatory_store.writers.problems import Problems
from observatory_store.writers.writer import SQL, Writer, Written

_PLAIN = (
    "ordinal",
    "time",
    "content_hash",
    "observed_time",
    "time_nanos",
    "observed_nanos",
    "severity_number",
    "time_is_observed",
    "trace_id",
    "service_name",
)
_NULLABLE = ("severity_text", "event_name", "flags", "dropped_attributes_count")
_COLUMNS = (
    *_PLAIN,
    *_NULLABLE,
    "project_id",
    "ingested_at",
    "resource_id",
    "span_id",
    "body",
    "attributes",
)

_plain = attrgetter(*_PLAIN)
_nullable = attrgetter(*_NULLABLE)


async def write_logs(writer: Writer, project_id: int, records: Sequence[LogRecord]) -> Written:
    """Store log records that are not stored yet, in one transaction.

    A record outside the time limits is rejected alone.
    """
    problems = Problems()
    async with writer.batch("stage_logs") as batch:
        accepted = []
        for record in records:
            if refusal := batch.limits.refusal("logs", "log time", record.time, batch.now):
                problems.reject(refusal)
            else:
                accepted.append(record)
        if not accepted:
            return Written(rejected=problems.rejected, problems=problems.messages)
        await batch.add_resources(project_id, (record.resource for record in accepted))
        await batch.copy(
            "log_stage", _COLUMNS, [_record(project_id, batch.now, record) for record in accepted]
        )
        stored = await batch.connection.fetchval(SQL["insert_logs"])
    return Written(
        stored=stored,
        duplicates=len(accepted) - stored,
        rejected=problems.rejected,
        problems=problems.messages,
    )


def _record(project_id: int, now: datetime, record: LogRecord) -> tuple[Any, ...]:
    return (
        *_plain(record),
        *[value or None for value in _nullable(record)],
        project_id,
        now,
        record.resource.resource_id,
        bytes.fromhex(record.span_id) if record.span_id else None,
        None if record.body is None else encode(record.body),
        encode(record.attributes) if record.attributes else None,
    )
