"""What one request may hold.

Two bytes of a body can become an object of hundreds. So a large body is decoded slice by slice
(see ``slicing``): what is not kept of a slice is gone before the next. Only a record that is larger
than a slice has to be counted before anything is built of it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from google.protobuf.descriptor import FieldDescriptor

from observatory_store.errors import TooManyRecordsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_Item = TypeVar("_Item")

SLICE: Final = 256 * 1024
"""Bytes of a large body that are decoded at once. The worst take about 35 MiB meanwhile."""

UNCOUNTED: Final = 2 * SLICE
"""Bytes that are decoded at once, as they are, of a body that has no more or of one record."""

MOST_RECORDS: Final = 50_000
"""Spans, data points or log records of a request; also pairs of a resource and a scope."""

MOST_HEADER_BYTES: Final = SLICE // 4
"""Bytes of a resource or a scope whose records take more than one slice: each slice repeats it."""

MOST_RECORD_BYTES: Final = 16 * 1024 * 1024
"""Bytes of one record: it is decoded at once, and one emoji has each letter of a text take four."""

MOST_OBJECTS: Final = 1_000_000
"""Objects in a JSON request."""

MOST_MESSAGES: Final = 200_000
"""Messages in protobuf (objects in JSON) of a record that is larger than ``UNCOUNTED``."""

MOST_FIELDS: Final = 4 * MOST_MESSAGES
"""Fields and array elements of a record that is larger than ``UNCOUNTED``."""


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


def check_size(record: int) -> None:
    """Refuse a record of so many bytes, if that is too many.

    Raises:
        TooManyRecordsError: it is.

    """
    if record > MOST_RECORD_BYTES:
        raise TooManyRecordsError(f"a record is larger than {MOST_RECORD_BYTES} bytes")


def check_header(size: int) -> None:
    """Refuse a resource or scope that every slice would repeat, if it is large.

    Raises:
        TooManyRecordsError: it is.

    """
    if size > MOST_HEADER_BYTES:
        raise TooManyRecordsError(
            f"a resource or scope of more than {MOST_HEADER_BYTES} bytes has more than {SLICE} "
            "bytes of records: send smaller batches"
        )


def _too_many_messages(what: str, most: int) -> TooManyRecordsError:
    return TooManyRecordsError(
        f"the request has more than {most} {what}, all together or in one record: "
        "send smaller batches"
    )


# A token is a brace, a bracket or a comma outside of strings. It always matches, up to the end of
# a text that ends in the middle of a string, so that no search begins twice at one place.
_TOKEN = re.compile(rb"""(?:[^"{\[,]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))*+([{\[,]|\Z)""", re.DOTALL)


def check_json_request(body: bytes) -> None:
    """Refuse a JSON request that has too many objects.

    Raises:
        TooManyRecordsError: it has.

    """
    if body.count(b"{") > MOST_OBJECTS:
        _count_tokens(body, MOST_OBJECTS, len(body))


def check_json(record: bytes) -> None:
    """Refuse a record over ``UNCOUNTED`` with too many objects, or members and elements.

    Raises:
        TooManyRecordsError: it has.

    """
    if len(record) > UNCOUNTED and (
        record.count(b"{") > MOST_MESSAGES or record.count(b",") + record.count(b"[") > MOST_FIELDS
    ):
        _count_tokens(record, MOST_MESSAGES, MOST_FIELDS)


def _count_tokens(text: bytes, most_objects: int, most_others: int) -> None:
    # Some of the bytes that were counted may be in texts.
    objects = others = 0
    for token in _TOKEN.finditer(text):
        if token[1] == b"{":
            objects += 1
            if objects > most_objects:
                raise _too_many_messages("JSON objects", most_objects)
        else:
            others += 1
            if others > most_others:
                raise _too_many_messages("JSON members and elements", most_others)


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
    """Refuse a record over ``UNCOUNTED`` with too many messages or fields within.

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
