"""What one request may hold, counted before anything is built of it.

Two bytes of a body can become an object of hundreds. Bodies under ``UNCOUNTED`` bytes are too short
to pass a limit; nearly all are, and pay nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from observatory_store.errors import TooManyRecordsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Item = TypeVar("_Item")

MOST_RECORDS: Final = 50_000
"""Spans, data points or log records of a request; also pairs of a resource and a scope."""

MOST_MESSAGES: Final = 1_000_000
"""Messages in protobuf (objects in JSON) of a request: an attribute is two."""

MOST_FIELDS: Final = 4 * MOST_MESSAGES
"""Fields and array elements of a request."""

UNCOUNTED: Final = 2 * MOST_MESSAGES
"""Bytes that cannot have more messages than allowed, since none takes less than two."""


def too_many_records() -> TooManyRecordsError:
    """Return the error for a request with more than ``MOST_RECORDS``."""
    return TooManyRecordsError(
        f"the request has more than {MOST_RECORDS} spans, data points or log records (or resources "
        "and scopes): send smaller batches"
    )


def at_most(most: int, items: Iterable[_Item]) -> Iterator[_Item]:
    """Yield the items; raise ``TooManyRecordsError`` if there are more than allowed."""
    for number, item in enumerate(items):
        if number == most:
            raise too_many_records()
        yield item


def _too_many_messages(what: str, most: int) -> TooManyRecordsError:
    return TooManyRecordsError(
        f"the request has more than {most} {what} in all of its records together: "
        "send smaller batches"
    )


# A token is a brace, a bracket or a comma outside of strings. It always matches, up to the end of
# a text that ends in the middle of a string, so that no search begins twice at one place.
_TOKEN = re.compile(rb"""(?:[^"{\[,]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))*+([{\[,]|\Z)""", re.DOTALL)


def check_json(body: bytes) -> None:
    """Refuse a JSON text that has too many objects, or members and elements.

    Raises:
        TooManyRecordsError: it has.

    """
    if len(body) <= UNCOUNTED or (
        body.count(b"{") <= MOST_MESSAGES and body.count(b",") + body.count(b"[") <= MOST_FIELDS
    ):
        return
    # Some of these are in texts: count again without them.
    objects = others = 0
    for token in _TOKEN.finditer(body):
        if token[1] == b"{":
            objects += 1
            if objects > MOST_MESSAGES:
                raise _too_many_messages("JSON objects", MOST_MESSAGES)
        else:
            others += 1
            if others > MOST_FIELDS:
                raise _too_many_messages("JSON members and elements", MOST_FIELDS)


class _Shape:
    """Of a type of message: what its length-delimited fields hold, by tag."""

    __slots__ = ("messages", "packed")

    def __init__(self) -> None:
        self.messages: dict[int, _Shape] = {}
        self.packed: dict[int, int] = {}
        """Least bytes of an element of a packed field."""


_Shapes: TypeAlias = dict[str, _Shape]
_VARINT, _I64, _LENGTH_DELIMITED, _I32 = 0, 1, 2, 5
_CONTINUED: Final = 0x80
_LONGEST_VARINT: Final = 10
_NOT_PACKED: Final = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
_EIGHT_BYTES: Final = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FIXED64)


def shape(
    message: Any,  # noqa: ANN401 - a Descriptor; the stubs have two classes of that name
    known: _Shapes | None = None,
) -> _Shape:
    """Return the shape of the type of message that a descriptor describes."""
    known = {} if known is None else known
    found = known.get(message.full_name)
    if found is None:
        found = known[message.full_name] = _Shape()
        for field in message.fields:
            tag = field.number << 3 | _LENGTH_DELIMITED
            if field.message_type is not None:
                found.messages[tag] = shape(field.message_type, known)
            elif field.is_repeated and field.type not in _NOT_PACKED:
                found.packed[tag] = 8 if field.type in _EIGHT_BYTES else 1
    return found


def check_protobuf(  # noqa: C901, PLR0912 - one loop: calls would double its time
    body: bytes, root: _Shape
) -> None:
    """Refuse a message that has too many messages or fields within.

    It need not be sound: where it is damaged, no parser reads on either.

    Raises:
        TooManyRecordsError: it has.

    """
    if len(body) <= UNCOUNTED:
        return
    messages = fields = 0
    todo = [(0, len(body), root)]
    while todo:  # A group (3 to 4) is read as if its fields were of the message around it.
        position, end, form = todo.pop()
        inner, packed = form.messages, form.packed
        while position < end:
            fields += 1
            tag = body[position]
            position += 1
            if tag >= _CONTINUED:
                tag, position = _varint(body, position - 1)
            kind = tag & 7
            if kind == _LENGTH_DELIMITED:
                if position >= end:
                    break
                length = body[position]
                position += 1
                if length >= _CONTINUED:
                    length, position = _varint(body, position - 1)
                begin, position = position, position + length
                if position > end:
                    break
                if tag in inner:
                    messages += 1
                    if length:
                        todo.append((begin, position, inner[tag]))
                elif tag in packed:
                    fields += length // packed[tag]
            elif kind == _VARINT:
                while position < end and body[position] >= _CONTINUED:
                    position += 1
                position += 1
            elif kind == _I64:
                position += 8
            elif kind == _I32:
                position += 4
            elif kind > _I32:
                break
            if messages > MOST_MESSAGES:
                raise _too_many_messages("protobuf messages", MOST_MESSAGES)
            if fields > MOST_FIELDS:
                raise _too_many_messages("protobuf fields", MOST_FIELDS)


def _varint(body: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    for byte in body[position : position + _LONGEST_VARINT]:
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUED:
            break
        shift += 7
    return value, position
