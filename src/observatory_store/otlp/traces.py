"""Spans of a traces request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from observatory_store.otlp import repair
from observatory_store.otlp.decoded import Decoded, InvalidRecordError, Tally
from observatory_store.otlp.request import check_times, reader_for, senders
from observatory_store.otlp.signal import Signal
from observatory_store.rows import Attributes, Event, Link, Resource, Span

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1 import trace_pb2

    from observatory_store.otlp import wire
    from observatory_store.otlp.media_type import MediaType
    from observatory_store.otlp.reader import Reader
    from observatory_store.rows.span import SpanKind, SpanStatus

SpanColumns: TypeAlias = Callable[
    [Attributes, Resource, datetime, tuple[Event, ...]], dict[str, Any]
]
"""Gets a span's own attributes (and may remove from them what it made into columns), its resource,
its start and its events; returns fields of ``Span``, which take precedence over what OTLP itself
says."""

KINDS: Final[tuple[SpanKind, ...]] = (
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
)
STATUSES: Final[tuple[SpanStatus, ...]] = ("unset", "ok", "error")


def decode_traces(body: bytes, media_type: MediaType, columns: SpanColumns) -> Decoded[Span]:
    """Return the spans of an ``ExportTraceServiceRequest``.

    A start of 0, which means unset, becomes 1970. Raises ``UndecodableError`` if the body is not
    such a request at all.
    """
    tally = Tally()
    reader = reader_for(Signal.TRACES, media_type, tally)
    spans: list[Span] = []
    for resource, records in senders(Signal.TRACES, body, reader, tally):
        for record in records:
            try:
                spans.append(_span(record, resource, reader, columns, tally))
            except InvalidRecordError as error:
                tally.reject(str(error))
    return tally.decoded(spans)


def _span(
    message: trace_pb2.Span | wire.Span,
    resource: Resource,
    reader: Reader,
    columns: SpanColumns,
    tally: Tally,
) -> Span:
    trace_id = reader.identifier(message.trace_id, 16)
    if not trace_id:
        raise InvalidRecordError("a span's trace_id must be 16 bytes that are not all zero")
    span_id = reader.identifier(message.span_id, 8)
    if not span_id:
        raise InvalidRecordError("a span's span_id must be 8 bytes that are not all zero")
    parent_span_id = reader.identifier(message.parent_span_id, 8)
    if parent_span_id is None:
        raise InvalidRecordError("a span's parent_span_id must be 8 bytes or absent")
    start, end = message.start_time_unix_nano, message.end_time_unix_nano
    check_times(start, end)
    start_time, start_nanos = repair.split_time(start)
    duration_us, duration_nanos = repair.duration(start, end, tally)
    status = message.status
    attributes = reader.attributes(message.attributes)
    links = message.links
    events = tuple([_event(event, reader) for event in message.events]) if message.events else ()
    row: dict[str, Any] = {
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": parent_span_id or None,
        "start_time": start_time,
        "start_nanos": start_nanos,
        "duration_us": duration_us,
        "duration_nanos": duration_nanos,
        "name": reader.text(message.name),
        "kind": _kind(message.kind, tally),
        "status": _status(status.code, tally),
        "status_message": reader.text(status.message),
        "service_name": resource.service_name,
        "environment": resource.environment,
        "trace_state": reader.text(message.trace_state),
        "flags": message.flags,
        "dropped_attributes_count": message.dropped_attributes_count,
        "dropped_events_count": message.dropped_events_count,
        "dropped_links_count": message.dropped_links_count,
        "source": "otlp",
        "attributes": attributes,
        "events": events,
        "links": tuple([_link(link, reader, tally) for link in links]) if links else (),
        "resource": resource,
    }
    row.update(columns(attributes, resource, start_time, events))
    return Span(**row)


def _event(message: trace_pb2.Span.Event | wire.Event, reader: Reader) -> Event:
    check_times(message.time_unix_nano)
    return Event(
        time_unix_nano=message.time_unix_nano,
        name=reader.text(message.name),
        attributes=reader.attributes(message.attributes),
        dropped_attributes_count=message.dropped_attributes_count,
    )


def _link(message: trace_pb2.Span.Link | wire.Link, reader: Reader, tally: Tally) -> Link:
    trace_id = reader.identifier(message.trace_id, 16)
    span_id = reader.identifier(message.span_id, 8)
    if trace_id is None or span_id is None:
        tally.note("a link's malformed trace_id or span_id was left empty")
    return Link(
        trace_id=trace_id or "",
        span_id=span_id or "",
        trace_state=reader.text(message.trace_state),
        attributes=reader.attributes(message.attributes),
        dropped_attributes_count=message.dropped_attributes_count,
        flags=message.flags,
    )


def _kind(number: int, tally: Tally) -> SpanKind:
    if 0 <= number < len(KINDS):
        return KINDS[number]
    tally.note(f"the unknown span kind {number} was stored as unspecified")
    return "unspecified"


def _status(number: int, tally: Tally) -> SpanStatus:
    if 0 <= number < len(STATUSES):
        return STATUSES[number]
    tally.note(f"the unknown status code {number} was stored as unset")
    return "unset"
