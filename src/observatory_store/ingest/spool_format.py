"""The bytes of a segment of the spool: a header, then records.

::

    header  the line "observatory-spool 1"
    record  mark (4 bytes) | length (4, little endian) | checksum (4) | document

The checksum is the CRC-32 of the document, begun with its length instead of 0.

The mark begins with 0xC1, which MessagePack never uses. After bytes that are no record, reading
goes on at the next mark that begins one, so that damage costs the records it lies in and no more.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

import msgspec

MAGIC = b"observatory-spool "
HEADER = MAGIC + b"1\n"
MARK = b"\xc1\xf5\xa9\x0d"

_NUMBERS = struct.Struct("<II")
_FRAME = len(MARK) + _NUMBERS.size


class Damage(msgspec.Struct, frozen=True):
    """A stretch of a segment that is no record."""

    content: bytes


def is_readable(segment: bytes) -> bool:
    """Tell whether this is a segment of this version, be it cut off within its header."""
    return segment.startswith(HEADER) or HEADER.startswith(segment)


def encode_records(documents: Iterable[bytes]) -> bytes:
    """Return the documents as records."""
    parts: list[bytes] = []
    for document in documents:
        length = len(document)
        parts += (MARK, _NUMBERS.pack(length, _checksum(length, document)), document)
    return b"".join(parts)


def decode_records(segment: bytes) -> Iterator[bytes | Damage]:
    """Yield the documents of a segment in order, and the stretches of it that are none."""
    position = len(HEADER)
    while position < len(segment):
        document = _document(segment, position)
        if document is not None:
            yield document
            position += _FRAME + len(document)
            continue
        begin = position
        position = segment.find(MARK, begin + 1)
        while position >= 0 and _document(segment, position) is None:
            position = segment.find(MARK, position + 1)
        if position < 0:
            position = len(segment)
        yield Damage(segment[begin:position])


def _document(segment: bytes, position: int) -> bytes | None:
    begin = position + _FRAME
    if begin > len(segment) or not segment.startswith(MARK, position):
        return None
    length, checksum = _NUMBERS.unpack_from(segment, position + len(MARK))
    if begin + length > len(segment):
        return None
    document = segment[begin : begin + length]
    return document if _checksum(length, document) == checksum else None


def _checksum(length: int, document: bytes) -> int:
    return zlib.crc32(document, length)
