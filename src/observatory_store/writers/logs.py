"""Storing log records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeAlias

from observatory_store.rows import LogRecord
from observatory_store.rows.attributes import encode
from observatory_store.writers.isolate import isolating
from observatory_store.writers.submission import Accepted, Outcome, Submission, Written, accept
from observatory_store.writers.writer import SQL, Batch, Writer

_PLAIN = (
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
COLUMNS = (
    *_PLAIN,
    *_NULLABLE,
    "ordinal",
    "project_id",
    "ingested_at",
    "resource_id",
    "span_id",
    "body",
    "attributes",
)

_plain = attrgetter(*_PLAIN)
_nullable = attrgetter(*_NULLABLE)


_Numbered: TypeAlias = tuple[LogRecord, int]
"""A record and its ordinal among the records of its submission that are alike in everything."""

_Accepted: TypeAlias = Accepted[_Numbered]

# What a value that no column takes does to the hash: a naive time, a lone surrogate, a huge number.
_UNUSABLE: Final = (TypeError, ValueError, OverflowError, RecursionError)


async def write_logs(writer: Writer, submissions: Sequence[Submission[LogRecord]]) -> list[Written]:
    """Store log records that are not stored yet, in one transaction.

    A record outside the time limits is rejected alone. Records of one submission that are alike in
    everything are all stored; one that another submission has as well is a replay.
    """
    numbered, unusable = zip(*map(_number, submissions), strict=True)
    # Here, because a submission that is halved must not be numbered again.
    written = await isolating(partial(_write, writer), numbered)
    return [one + rejected for one, rejected in zip(written, unusable, strict=True)]


def _number(submission: Submission[LogRecord]) -> tuple[Submission[_Numbered], Written]:
    alike: dict[tuple[datetime, int], int] = {}
    rows: list[_Numbered] = []
    outcome = Outcome()
    for record in submission.rows:
        try:
            key = (record.time, record.content_hash)
        except _UNUSABLE as error:
            outcome.reject(f"a log record has a value that cannot be stored: {error}")
            continue
        ordinal = alike.get(key, 0)
        alike[key] = ordinal + 1
        rows.append((record, ordinal))
    numbered = Submission(
        project_id=submission.project_id, rows=rows, api_key_id=submission.api_key_id
    )
    return numbered, outcome.written()


async def _write(writer: Writer, submissions: Sequence[Submission[_Numbered]]) -> list[Written]:
    return await writer.commit(partial(_insert, submissions), merge_stages=["stage_logs"])


async def _insert(submissions: Sequence[Submission[_Numbered]], batch: Batch) -> list[Written]:
    limits, now = batch.limits, batch.now
    outcomes, accepted = accept(
        submissions, lambda row: limits.refusal("logs", "log time", row[0].time, now)
    )
    if accepted:
        await batch.add_resources((one.project_id, log.resource) for _, one, (log, _) in accepted)
        async with batch.transaction():
            if batch.must_merge:
                await _merge(batch, accepted)
            else:
                await batch.copy("observatory.logs", COLUMNS, _records(batch, accepted))
    return [outcome.written() for outcome in outcomes]


async def _merge(batch: Batch, accepted: Sequence[_Accepted]) -> None:
    first: dict[tuple[int, datetime, int, int], _Accepted] = {}
    for each in accepted:
        outcome, one, (log, ordinal) = each
        # A time in an hour that a zone has twice equals no other.
        time = log.time.astimezone(UTC)
        first.setdefault((one.project_id, time, log.content_hash, ordinal), each)
        outcome.duplicates += 1
    await batch.copy("pg_temp.log_stage", COLUMNS, _records(batch, list(first.values())))
    for row in await batch.connection.fetch(SQL["insert_logs"]):
        first[tuple(row)][0].duplicates -= 1


def _records(batch: Batch, accepted: Sequence[_Accepted]) -> list[tuple[Any, ...]]:
    return [log_record(one.project_id, batch.now, *row) for _, one, row in accepted]


def log_record(project_id: int, now: datetime, record: LogRecord, ordinal: int) -> tuple[Any, ...]:
    """Return a log record as a record of ``COLUMNS``."""
    return (
        *_plain(record),
        *[value or None for value in _nullable(record)],
        ordinal,
        project_id,
        now,
        record.resource.resource_id,
        bytes.fromhex(record.span_id) if record.span_id else None,
        None if record.body is None else encode(record.body),
        encode(record.attributes) if record.attributes else None,
    )
