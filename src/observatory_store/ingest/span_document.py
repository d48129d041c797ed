"""A span as the spool keeps it: a MessagePack map of the fields that are not their defaults.

MessagePack tells integers from doubles and texts from bytes, and keeps NaN and -0.0. What it lacks
is written as text: a time as ISO 8601 with its offset, money as decimal digits.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.rows import Event, Link, Payload, Resource, Span

_BLANK = Span(trace_id="", span_id="", start_time=datetime.min.replace(tzinfo=UTC))
_DEFAULTS = tuple(
    (name, getattr(_BLANK, name))
    for name in Span.__struct_fields__
    if name not in {"trace_id", "span_id", "start_time", "attributes"}
)

_COSTS = {"cost_usd", "sent_cost_usd"}

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


def encode_span(span: Span) -> bytes:
    """Return the span as a document.

    Raises:
        InvalidInputError: it holds what no table could: an integer over 64 bits, a lone surrogate.

    """
    document: dict[str, Any] = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "start_time": span.start_time.isoformat(),
    }
    if span.attributes:
        document["attributes"] = span.attributes
    for name, default in _DEFAULTS:
        value = getattr(span, name)
        if value is not default:
            document[name] = value
    for name in _COSTS:
        if (cost := getattr(span, name)) is not None:
            document[name] = str(cost)
    try:
        return _encoder.encode(document)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInputError(f"a span cannot be written to the spool: {error}") from error


def decode_span(document: bytes) -> Span:
    """Return the span that :func:`encode_span` was given.

    Raises:
        InvalidInputError: it is no document of a span.

    """
    try:
        fields = _decoder.decode(document)
        fields["start_time"] = datetime.fromisoformat(fields["start_time"])
        for name in _COSTS & fields.keys():
            fields[name] = Decimal(fields[name])
        for name in fields.keys() & {"finish_reasons", "tags"}:
            fields[name] = tuple(fields[name])
        if "events" in fields:
            fields["events"] = tuple(Event(**event) for event in fields["events"])
        if "links" in fields:
            fields["links"] = tuple(Link(**link) for link in fields["links"])
        if "resource" in fields:
            fields["resource"] = Resource(**fields["resource"])
        if "payload" in fields:
            payload = fields["payload"]
            payload["structured"] = tuple(payload["structured"])
            fields["payload"] = Payload(**payload)
        return Span(**fields)
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise InvalidInputError(f"a record of the spool holds no span: {error!r}") from error
