"""The messages of OTLP's JSON encoding, under the attribute names that protobuf gives them.

Presence, where it matters, is ``None`` (proto3 ``optional``, oneofs and ``AnyValue``). Ids stay the
text that was sent: hex, unlike the base64 of the protobuf JSON mapping (OTLP specification, "JSON
Protobuf Encoding"). Bounds are those of the protobuf types; uint64 is bounded by the mapping,
because msgspec has no bounds over int64.
"""

# ruff: noqa: D101 - each message is documented in opentelemetry-proto

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct, field

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
UInt32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
UInt64 = Annotated[int, Meta(ge=0)]


class Message(Struct, rename="camel", gc=False):
    pass


class ArrayValue(Message):
    values: list[AnyValue] = []


class KeyValueList(Message):
    values: list[KeyValue] = []


class AnyValue(Message):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Int64 | None = None
    double_value: float | None = None
    array_value: ArrayValue | None = None
    kvlist_value: KeyValueList | None = None
    bytes_value: bytes | None = None


class KeyValue(Message):
    key: str = ""
    value: AnyValue | None = None


class EntityRef(Message):
    schema_url: str = ""
    type: str = ""
    id_keys: list[str] = []
    description_keys: list[str] = []


class Resource(Message):
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0
    entity_refs: list[EntityRef] = []


class InstrumentationScope(Message):
    name: str = ""
    version: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0


class Entry(Message):
    resource: Resource = field(default_factory=Resource)
    schema_url: str = ""


class ScopeEntry(Message):
    scope: InstrumentationScope = field(default_factory=InstrumentationScope)
    schema_url: str = ""


class Event(Message):
    time_unix_nano: UInt64 = 0
    name: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0


class Link(Message):
    trace_id: str = ""
    span_id: str = ""
    trace_state: str = ""
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0
    flags: UInt32 = 0


class Status(Message):
    message: str = ""
    code: Int32 = 0


class Span(Message):
    trace_id: str = ""
    span_id: str = ""
    trace_state: str = ""
    parent_span_id: str = ""
    flags: UInt32 = 0
    name: str = ""
    kind: Int32 = 0
    start_time_unix_nano: UInt64 = 0
    end_time_unix_nano: UInt64 = 0
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0
    events: list[Event] = []
    dropped_events_count: UInt32 = 0
    links: list[Link] = []
    dropped_links_count: UInt32 = 0
    status: Status = field(default_factory=Status)


class ScopeSpans(ScopeEntry):
    spans: list[Span] = []


class ResourceSpans(Entry):
    scope_spans: list[ScopeSpans] = []


class TracesData(Message):
    resource_spans: list[ResourceSpans] = []


class LogRecord(Message):
    time_unix_nano: UInt64 = 0
    observed_time_unix_nano: UInt64 = 0
    severity_number: Int32 = 0
    severity_text: str = ""
    body: AnyValue = field(default_factory=AnyValue)
    attributes: list[KeyValue] = []
    dropped_attributes_count: UInt32 = 0
    flags: UInt32 = 0
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""


class ScopeLogs(ScopeEntry):
    log_records: list[LogRecord] = []


class ResourceLogs(Entry):
    scope_logs: list[ScopeLogs] = []


class LogsData(Message):
    resource_logs: list[ResourceLogs] = []
