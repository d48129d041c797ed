"""OTLP in JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec
from msgspec import Raw

from observatory_store.errors import UndecodableError
from observatory_store.otlp import json_points, limits, repair, wire, wire_metrics
from observatory_store.otlp.decoded import InvalidRecordError, Tally
from observatory_store.otlp.reader import MAX_DEPTH, Batch, Message, too_deep
from observatory_store.otlp.salvage import salvage
from observatory_store.otlp.signal import FIELDS, JSON_NAMES, Signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from observatory_store.rows import Attributes, AttributeValue

_TYPES: dict[Signal, tuple[type[msgspec.Struct], ...]] = {
    Signal.TRACES: (wire.TracesData, wire.ResourceSpans, wire.ScopeSpans, wire.Span),
    Signal.METRICS: (
        wire_metrics.MetricsData,
        wire_metrics.ResourceMetrics,
        wire_metrics.ScopeMetrics,
        wire_metrics.Metric,
    ),
    Signal.LOGS: (wire.LogsData, wire.ResourceLogs, wire.ScopeLogs, wire.LogRecord),
}

# strict=False is what lets an int64 be a string or a number, as the JSON mapping has it.
_decoders = {
    signal: msgspec.json.Decoder(types[0], strict=False) for signal, types in _TYPES.items()
}
_object = msgspec.json.Decoder(dict[str, Raw])
_array = msgspec.json.Decoder(list[Raw] | None)

_UNPARSED = (msgspec.MsgspecError, ValueError, RecursionError)

_ONEOFS = {
    "data": ("gauge", "sum", "histogram", "exponential_histogram", "summary"),
    "value": ("as_int", "as_double"),
}


class JsonReader:
    """Reads requests of one signal; a ``Reader`` and a ``Dissector``."""

    __slots__ = ("_signal", "_tally")

    def __init__(self, signal: Signal, tally: Tally) -> None:
        self._signal = signal
        self._tally = tally

    def batches(self, body: bytes) -> Iterator[Batch]:
        """Parse a body. Without U+0000 from the start, so that no text needs a check later."""
        limits.check_json(body)
        body = repair.json_nul(body, self._tally)
        try:
            request = _decoders[self._signal].decode(body)
        except _UNPARSED:
            yield from salvage(self, repair.json_text(body, self._tally), self._tally)
            return
        entries, scopes, records = FIELDS[self._signal]
        for entry in getattr(request, entries):
            for scope in getattr(entry, scopes):
                yield Batch(entry, scope, getattr(scope, records))

    def split(self, raw: bytes, level: int) -> tuple[bytes, Iterator[bytes]]:
        """Take an object apart, without a look into the children."""
        name = JSON_NAMES[self._signal][level]
        try:
            members = _object.decode(raw)
            children = _array.decode(members.pop(name, b"[]")) or []
        except RecursionError as error:
            raise UndecodableError(
                "the body is not JSON that can be read: nested too deeply"
            ) from error
        except _UNPARSED as error:
            place = (
                "the body" if level == 0 else f"an element of {JSON_NAMES[self._signal][level - 1]}"
            )
            raise UndecodableError(
                f"{place} is not a JSON object with an array {name!r}: {error}"
            ) from error
        # Views, since a copy at each level would hold a large text several times.
        return msgspec.json.encode(members), cast("Iterator[bytes]", iter(children))

    def parse(self, raw: bytes, level: int) -> Message:
        """Parse one part; a null is read as absent."""
        message = _TYPES[self._signal][level]
        try:
            try:
                return msgspec.json.decode(raw, type=message, strict=False)
            except msgspec.ValidationError:
                return msgspec.convert(_lenient(msgspec.json.decode(raw)), message, strict=False)
        except _UNPARSED as error:
            raise InvalidRecordError(f"a {message.__name__} is invalid: {error}") from error

    def points(self, raw: bytes) -> Iterator[bytes]:
        """Yield the points of a metric; nothing for the other signals."""
        return json_points.points(raw) if self._signal is Signal.METRICS else iter(())

    def keep(self, raw: bytes, points: Iterable[bytes]) -> bytes:
        """Return a metric with no other points than these."""
        return json_points.keep(raw, points)

    def text(self, value: str) -> str:
        """Return the text; its repair was done in the body."""
        return value

    def attributes(self, pairs: Iterable[Message], depth: int = 0) -> Attributes:
        """Return a ``KeyValue`` list as a dict; of equal keys the last wins."""
        result: Attributes = {}
        for pair in pairs:
            value = pair.value
            if value is None:
                result[pair.key] = None
            elif (text := value.string_value) is not None:
                result[pair.key] = text
            else:
                result[pair.key] = self.value(value, depth)
        return result

    def value(self, value: Message, depth: int = 0) -> AttributeValue:  # noqa: PLR0911 - one for each type
        """Return an ``AnyValue`` as a Python value; None if it is empty."""
        if value.string_value is not None:
            return cast("str", value.string_value)
        if value.int_value is not None:
            return cast("int", value.int_value)
        if value.double_value is not None:
            return cast("float", value.double_value)
        if value.bool_value is not None:
            return cast("bool", value.bool_value)
        if value.array_value is not None:
            if depth >= MAX_DEPTH:
                raise too_deep()
            return [self.value(item, depth + 1) for item in value.array_value.values]
        if value.kvlist_value is not None:
            if depth >= MAX_DEPTH:
                raise too_deep()
            return self.attributes(value.kvlist_value.values, depth + 1)
        return cast("bytes | None", value.bytes_value)

    def identifier(self, raw: str, size: int) -> str | None:
        """Return an id in lower-case hex; "" if absent or all zero; None if it is not an id."""
        try:
            identifier = bytes.fromhex(raw)
        except ValueError:
            return None
        if len(identifier) != size or len(raw) != 2 * size:
            return None if any(identifier) else ""
        return identifier.hex() if any(identifier) else ""

    def optional(self, message: Message, field: str) -> Message | None:
        """Return a field that is None when absent."""
        return getattr(message, field)

    def choice(self, message: Message, oneof: str) -> str | None:
        """Return which field of a oneof is set; the first, if a sender set several."""
        for field in _ONEOFS[oneof]:
            if getattr(message, field) is not None:
                return field
        return None


def _lenient(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Change a document: no nulls, and all else in the form that msgspec reads. Return it.

    The protobuf JSON mapping takes base64 also in its URL alphabet and without padding, and an
    integer also with an exponent.
    """
    if isinstance(value, dict):
        for name in [name for name, item in value.items() if item is None]:
            del value[name]
        for name, item in value.items():
            value[name] = _lenient(item)
        encoded = value.get("bytesValue")
        if isinstance(encoded, str):
            encoded = encoded.translate(_URL_ALPHABET).rstrip("=")
            value["bytesValue"] = encoded + "=" * (-len(encoded) % 4)
        return value
    if isinstance(value, list):
        for index, item in enumerate(value):
            value[index] = {} if item is None else _lenient(item)
        return value
    if isinstance(value, float) and _EXACT_INTEGERS <= abs(value) < _UINT64_END:
        return int(value)
    return value


_EXACT_INTEGERS, _UINT64_END = 2**53, 2**64
_URL_ALPHABET = str.maketrans("-_", "+/")
