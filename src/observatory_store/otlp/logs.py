"""Log records of a logs request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.otlp import repair
from observatory_store.otlp.decoded import Decoded, InvalidRecordError, Tally
from observatory_store.otlp.request import check_times, reader_for, senders
from observatory_store.otlp.signal import Signal
from observatory_store.rows import LogRecord, Resource

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1 import logs_pb2

    from observatory_store.otlp import wire
    from observatory_store.otlp.media_type import MediaType
    from observatory_store.otlp.reader import Reader

_MAX_SEVERITY = 24


def decode_logs(body: bytes, media_type: MediaType) -> Decoded[LogRecord]:
    """Return the log records of an ``ExportLogsServiceRequest``.

    Raises ``UndecodableError`` if the body is not such a request at all.
    """
    tally = Tally()
    reader = reader_for(Signal.LOGS, media_type, tally)
    rows: list[LogRecord] = []
    for resource, records in senders(Signal.LOGS, body, reader, tally):
        for record in records:
            try:
                rows.append(_record(record, resource, reader, tally))
            except InvalidRecordError as error:
                tally.reject(str(error))
    return tally.decoded(rows)


def _record(
    message: logs_pb2.LogRecord | wire.LogRecord,
    resource: Resource,
    reader: Reader,
    tally: Tally,
) -> LogRecord:
    happened, observed = message.time_unix_nano, message.observed_time_unix_nano
    check_times(happened, observed)
    if not (happened or observed):
        # A time of ours would differ at each replay and double the record.
        raise InvalidRecordError(
            "a log record has no time: set timeUnixNano or observedTimeUnixNano"
        )
    time, time_nanos = repair.split_time(happened or observed)
    observed_time, observed_nanos = repair.split_time(observed) if observed else (None, 0)
    # Invalid ids are to be read as absent (logs.proto, LogRecord.trace_id).
    trace_id = reader.identifier(message.trace_id, 16) or None
    span_id = reader.identifier(message.span_id, 8) or None
    return LogRecord(
        time=time,
        time_nanos=time_nanos,
        time_is_observed=not happened,
        observed_time=observed_time,
        observed_nanos=observed_nanos,
        severity_number=_severity(message.severity_number, tally),
        severity_text=reader.text(message.severity_text),
        body=reader.value(message.body),
        event_name=reader.text(message.event_name),
        trace_id=trace_id,
        span_id=span_id,
        flags=message.flags,
        attributes=reader.attributes(message.attributes),
        dropped_attributes_count=message.dropped_attributes_count,
        service_name=resource.service_name,
        resource=resource,
    )


def _severity(number: int, tally: Tally) -> int:
    if 0 <= number <= _MAX_SEVERITY:
        return number
    tally.note(f"the unknown severity number {number} was stored as 0, unspecified")
    return 0
