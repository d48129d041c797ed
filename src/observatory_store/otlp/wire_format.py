"""The protobuf wire format, as far as it takes to find the parts of a message.

Every function raises ``UndecodableError`` if the bytes are not a message (Protocol Buffers,
"Encoding").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.errors import UndecodableError

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARINT, _I64, _LENGTH_DELIMITED, _I32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def without(raw: bytes, *numbers: int) -> bytes:
    """Return a message without its submessages of some field numbers."""
    tags = [number << 3 | _LENGTH_DELIMITED for number in numbers]
    return b"".join([raw[start:end] for tag, start, _, end in _fields(raw) if tag not in tags])


def field(number: int, content: bytes) -> bytes:
    """Return a submessage with its tag (for the numbers 1 to 15) and its length."""
    length, size = bytearray(), len(content)
    while size >= 0x80:  # noqa: PLR2004 - the continuation bit
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | _LENGTH_DELIMITED, *length, size]) + content


def submessages(raw: bytes, number: int) -> Iterator[bytes]:
    """Yield the submessages of one field number."""
    tag = number << 3 | _LENGTH_DELIMITED
    for each, _, begin, end in _fields(raw):
        if each == tag:
            yield raw[begin:end]


def _fields(raw: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield the tag of each field, where the field begins, where its content, and where it ends."""
    position, size = 0, len(raw)
    while position < size:
        start = position
        tag, begin = _varint(raw, start)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise UndecodableError("the body is not protobuf: it has a field 0")
        if wire_type == _LENGTH_DELIMITED:
            length, begin = _varint(raw, begin)
            position = begin + length
        elif wire_type == _VARINT:
            _, position = _varint(raw, begin)
        elif wire_type == _I64:
            position = begin + 8
        elif wire_type == _I32:
            position = begin + 4
        else:
            raise UndecodableError(f"the body is not protobuf: it has a wire type {wire_type}")
        if position > size:
            raise UndecodableError("the body is not protobuf, or was cut off")
        yield tag, start, begin, position


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(raw[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit
            return value, position + shift + 1
    raise UndecodableError("the body is not protobuf, or was cut off")
