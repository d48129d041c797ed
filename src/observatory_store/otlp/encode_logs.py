"""Log records as an OTLP JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.otlp import repair
from observatory_store.otlp.document import Document, any_value, group, key_values, set_fields
from observatory_store.otlp.signal import Signal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from observatory_store.rows import LogRecord


def encode_logs(records: Iterable[LogRecord]) -> Document:
    """Return a ``LogsData`` document."""
    return group(
        Signal.LOGS,
        records,
        lambda record: record.resource,
        lambda members: [_record(record) for record in members],
    )


def _record(record: LogRecord) -> Document:
    happened = observed = None
    if not record.time_is_observed:
        happened = str(repair.join_time(record.time, record.time_nanos))
    if record.observed_time is not None:
        observed = str(repair.join_time(record.observed_time, record.observed_nanos))
    return set_fields(
        {
            "timeUnixNano": happened,
            "observedTimeUnixNano": observed,
            "severityNumber": record.severity_number,
            "severityText": record.severity_text,
            "body": any_value(record.body),
            "attributes": key_values(record.attributes),
            "droppedAttributesCount": record.dropped_attributes_count,
            "flags": record.flags,
            "traceId": record.trace_id,
            "spanId": record.span_id,
            "eventName": record.event_name,
        }
    )
