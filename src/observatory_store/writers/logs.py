"""Storing log records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter
from typing import Any, TypeAlias

from observatory_store.rows import LogRecord
from observatory_store.rows.attributes import encode
from observatory_store.writers.submission import Outcome, Submission, Written
from observatory_store.writers.writer import SQL, Batch, Writer

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


_Accepted: TypeAlias = tuple[Outcome, Submission[LogRecord], LogRecord]


async def write_logs(writer: Writer, submissions: Sequence[Submission[LogRecord]]) -> list[Written]:
    """Store log records that are not stored yet, in one transaction.

    A record outside the time limits is rejected alone.
    """
    return await writer.commit(partial(_insert, submissions), merge_stages=["stage_logs"])


async def _insert(submissions: Sequence[Submission[LogRecord]], batch: Batch) -> list[Written]:
    outcomes = [Outcome() for _ in submissions]
    accepted: list[_Accepted] = []
    for outcome, submission in zip(outcomes, submissions, strict=True):
        for record in submission.rows:
            if refusal := batch.limits.refusal("logs", "log time", record.time, batch.now):
                outcome.reject(refusal)
            else:
                outcome.accepted += 1
                accepted.append((outcome, submission, record))
    if accepted:
        await batch.add_resources((one.project_id, log.resource) for _, one, log in accepted)
        if batch.must_merge:
            await _merge(batch, accepted)
        else:
            await batch.copy("observatory.logs", _COLUMNS, _records(batch, accepted))
    return [outcome.written() for outcome in outcomes]


async def _merge(batch: Batch, accepted: Sequence[_Accepted]) -> None:
    first: dict[tuple[int, datetime, int, int], _Accepted] = {}
    for each in accepted:
        outcome, one, log = each
        first.setdefault((one.project_id, log.time, log.content_hash, log.ordinal), each)
        outcome.duplicates += 1
    await batch.copy("pg_temp.log_stage", _COLUMNS, _records(batch, list(first.values())))
    for row in await batch.connection.fetch(SQL["insert_logs"]):
        first[tuple(row)][0].duplicates -= 1


def _records(batch: Batch, accepted: Sequence[_Accepted]) -> list[tuple[Any, ...]]:
    return [_record(one.project_id, batch.now, log) for _, one, log in accepted]


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
