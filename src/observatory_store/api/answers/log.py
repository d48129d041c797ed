"""Log records."""

from __future__ import annotations

from typing import Any, Final

from observatory_store import rows
from observatory_store.api.answers.base import (
    Answer,
    NanoTime,
    RangePage,
    SpanId,
    TaggedMap,
    TraceId,
    nano_time,
)
from observatory_store.api.answers.resource import Resource, Resources
from observatory_store.rows.attributes import to_json


class LogRecord(Answer):
    """One log record."""

    time: NanoTime
    """When it happened, or, where ``time_is_observed``, when it was observed."""
    time_is_observed: bool
    observed_time: NanoTime | None
    severity_number: int
    """1 to 24; 9 is info, 13 warn, 17 error; 0 is unspecified."""
    severity_text: str
    body: Any
    """Tagged JSON."""
    event_name: str
    trace_id: TraceId | None
    span_id: SpanId | None
    flags: int
    attributes: TaggedMap
    dropped_attributes_count: int
    service_name: str
    resource: Resource


class LogPage(RangePage):
    """Log records, newest first."""

    logs: list[LogRecord]


_DERIVED: Final = frozenset({"time", "observed_time", "body", "attributes", "resource"})
_SAME: Final = tuple(name for name in LogRecord.model_fields if name not in _DERIVED)


def log_record(row: rows.LogRecord, resources: Resources) -> LogRecord:
    """Return a log record."""
    observed = row.observed_time
    return LogRecord(
        **{name: getattr(row, name) for name in _SAME},
        time=nano_time(row.time, row.time_nanos),
        observed_time=None if observed is None else nano_time(observed, row.observed_nanos),
        body=to_json(row.body),
        attributes=to_json(row.attributes),
        resource=resources.of(row.resource),
    )
