"""OTLP in protobuf."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from observatory_store.otlp import limits, protobuf_points, repair, wire_format
from observatory_store.otlp.decoded import InvalidRecordError, Tally
from observatory_store.otlp.reader import MAX_DEPTH, Batch, Message, too_deep
from observatory_store.otlp.salvage import salvage
from observatory_store.otlp.signal import FIELDS, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from google.protobuf.message import Message as ProtobufMessage

    from observatory_store.rows import Attributes, AttributeValue

_TYPES: dict[Signal, tuple[type[ProtobufMessage], ...]] = {
    Signal.TRACES: (
        ExportTraceServiceRequest,
        trace_pb2.ResourceSpans,
        trace_pb2.ScopeSpans,
        trace_pb2.Span,
    ),
    Signal.METRICS: (
        ExportMetricsServiceRequest,
        metrics_pb2.ResourceMetrics,
        metrics_pb2.ScopeMetrics,
        metrics_pb2.Metric,
    ),
    Signal.LOGS: (
        ExportLogsServiceRequest,
        logs_pb2.ResourceLogs,
        logs_pb2.ScopeLogs,
        logs_pb2.LogRecord,
    ),
}

_SHAPES = {signal: limits.shape(types[0].DESCRIPTOR) for signal, types in _TYPES.items()}

_CHILDREN = (1, 2, 2)
"""The field number of the children at each level, the same for every signal."""


class ProtobufReader:
    """Reads requests of one signal; a ``Reader`` and a ``Dissector``."""

    __slots__ = ("_signal", "_tally")

    def __init__(self, signal: Signal, tally: Tally) -> None:
        self._signal = signal
        self._tally = tally

    def batches(self, body: bytes) -> Iterator[Batch]:
        """Parse a body; an empty one is an empty request."""
        limits.check_protobuf(body, _SHAPES[self._signal])
        try:
            request: Message = _TYPES[self._signal][0].FromString(body)
        except DecodeError:
            yield from salvage(self, body, self._tally)
            return
        entries, scopes, records = FIELDS[self._signal]
        for entry in getattr(request, entries):
            for scope in getattr(entry, scopes):
                yield Batch(entry, scope, getattr(scope, records))

    def split(self, raw: bytes, level: int) -> tuple[bytes, Iterator[bytes]]:
        """Take a message apart by the wire format alone."""
        number = _CHILDREN[level]
        return wire_format.without(raw, number), wire_format.submessages(raw, number)

    def parse(self, raw: bytes, level: int) -> Message:
        """Parse one part."""
        message = _TYPES[self._signal][level]
        try:
            return message.FromString(raw)
        except DecodeError as error:
            raise InvalidRecordError(
                f"a {message.DESCRIPTOR.name} is damaged, has a string that is not UTF-8, or is "
                f"nested too deeply ({error})"
            ) from error

    def points(self, raw: bytes) -> Iterator[bytes]:
        """Yield the points of a metric; nothing for the other signals."""
        return protobuf_points.points(raw) if self._signal is Signal.METRICS else iter(())

    def keep(self, raw: bytes, points: Iterable[bytes]) -> bytes:
        """Return a metric with no other points than these."""
        return protobuf_points.keep(raw, points)

    def text(self, value: str) -> str:
        """Return a text that PostgreSQL can store."""
        return repair.text(value, self._tally) if "\0" in value else value

    def attributes(self, pairs: Iterable[Message], depth: int = 0) -> Attributes:
        """Return a ``KeyValue`` list as a dict; of equal keys the last wins."""
        result: Attributes = {}
        for pair in pairs:
            key, value = pair.key, pair.value
            if "\0" in key:
                key = self.text(key)
            # Most values are texts, and to ask for the text costs less than to ask what there is.
            text = value.string_value
            if text:
                result[key] = self.text(text) if "\0" in text else text
                continue
            match value.WhichOneof("value"):
                case "int_value":
                    result[key] = value.int_value
                case "double_value":
                    result[key] = value.double_value
                case _:
                    result[key] = self.value(value, depth)
        return result

    def value(self, value: Message, depth: int = 0) -> AttributeValue:
        """Return an ``AnyValue`` as a Python value; None if it is empty."""
        match value.WhichOneof("value"):
            case "string_value":
                return self.text(value.string_value)
            case "bool_value" | "int_value" | "double_value" | "bytes_value" as scalar:
                return cast("AttributeValue", getattr(value, scalar))
            case "array_value":
                if depth >= MAX_DEPTH:
                    raise too_deep()
                return [self.value(item, depth + 1) for item in value.array_value.values]
            case "kvlist_value":
                if depth >= MAX_DEPTH:
                    raise too_deep()
                return self.attributes(value.kvlist_value.values, depth + 1)
            case _:
                return None

    def identifier(self, raw: bytes, size: int) -> str | None:
        """Return an id in hex; "" if absent or all zero; None if it has the wrong length."""
        if len(raw) == size:
            return raw.hex() if any(raw) else ""
        return None if any(raw) else ""

    def optional(self, message: Message, field: str) -> Message | None:
        """Return a field with presence, or None."""
        return getattr(message, field) if message.HasField(field) else None

    def choice(self, message: Message, oneof: str) -> str | None:
        """Return which field of a oneof is set."""
        return cast("str | None", message.WhichOneof(oneof))
