"""A protobuf request as several smaller ones that mean the same together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from observatory_store.errors import UndecodableError
from observatory_store.otlp.limits import (
    MOST_RECORDS,
    SLICE,
    check_header,
    check_size,
    too_many_records,
)
from observatory_store.otlp.signal import Signal
from observatory_store.otlp.wire_format import field

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTH_DELIMITED, _GROUP = 2, 3
_CONTINUED: Final = 0x80
_LONGEST_VARINT: Final = 10

_RECORDS: Final = ((1,), (2,), (2,))
_LEVELS: Final = {
    Signal.TRACES: _RECORDS,
    Signal.LOGS: _RECORDS,
    Signal.METRICS: (*_RECORDS, (5, 7, 9, 10, 11), (1,)),
}
"""The field numbers of what is within, level by level down to what is not taken apart. A metric
is: all points of a request may be of one."""


class _Run(NamedTuple):
    """Neighbours that are no more than a slice together, or one that is more."""

    start: int
    """Where the first begins,"""
    begin: int
    """and its content."""
    end: int
    number: int


def protobuf_slices(signal: Signal, body: bytes) -> Iterator[bytes]:
    """Yield requests of about ``SLICE`` bytes, or of one record each that is larger.

    Raises:
        UndecodableError: the body is not protobuf.
        TooManyRecordsError: there is more than a request may have of anything.

    """
    yield from _split(body, _LEVELS[signal], (0, len(body)), ())


def _split(
    body: bytes,
    levels: tuple[tuple[int, ...], ...],
    place: tuple[int, int],
    around: tuple[tuple[bytes, int], ...],
) -> Iterator[bytes]:
    """Yield what is between two positions.

    ``around`` it are messages, from without to within: what else each has, and the number of the
    field that leads further.
    """
    depth = len(around)
    rest, runs = _runs(body, *place, levels[depth])
    if depth and runs:
        check_header(len(rest))
    for run in runs:
        if run.end - run.start <= SLICE or depth + 1 == len(levels):
            check_size(run.end - run.start)
            slice_ = (rest if depth else b"") + body[run.start : run.end]
            for outer, number in reversed(around):
                slice_ = outer + field(number, slice_)
            yield slice_
        else:
            inner = (*around, (rest if depth else b"", run.number))
            yield from _split(body, levels, (run.begin, run.end), inner)


def _runs(
    body: bytes, position: int, end: int, numbers: tuple[int, ...]
) -> tuple[bytes, list[_Run]]:
    """Return the submessages of some field numbers, and all else that is there.

    Python takes a step for each submessage, however much is in it.
    """
    tags = {number << 3 | _LENGTH_DELIMITED: number for number in numbers}
    rest: list[bytes] = []
    runs: list[_Run] = []
    count = 0
    first = begin = last = number = -1
    while position < end:
        start = position
        tag = body[start]
        if tag in tags and (length := body[start + 1 : start + 2]) and length[0] < _CONTINUED:
            content = start + 2
            position = content + length[0]
        else:
            tag, content, position = _field(body, start, end)
        if position > end:
            raise _broken()
        if tag not in tags:
            rest.append(body[start:position])
            continue
        count += 1
        if count > MOST_RECORDS:
            raise too_many_records()
        if start == last and position - first <= SLICE:
            last = position
            continue
        if last >= 0:
            runs.append(_Run(first, begin, last, number))
        first, begin, last, number = start, content, position, tags[tag]
    if last >= 0:
        runs.append(_Run(first, begin, last, number))
    return b"".join(rest), runs


def _field(body: bytes, position: int, end: int) -> tuple[int, int, int]:
    """Return the tag of a field, and where its content begins and ends."""
    tag, begin = _varint(body, position, end)
    if tag >> 3 == 0:
        raise UndecodableError("the body is not protobuf: it has a field 0")
    match tag & 7:
        case 2:
            length, begin = _varint(body, begin, end)
            return tag, begin, begin + length
        case 0:
            return tag, begin, _varint(body, begin, end)[1]
        case 1:
            return tag, begin, begin + 8
        case 5:
            return tag, begin, begin + 4
        case 3:
            return tag, begin, _group(body, begin, end, tag + 1)
        case kind:
            raise UndecodableError(f"the body is not protobuf: it has a wire type {kind}")


def _group(body: bytes, position: int, end: int, last: int) -> int:
    """Return where a group ends: a field unknown to OTLP, which has none."""
    open_groups = [last]
    while open_groups:
        tag, after = _varint(body, position, end)
        if tag == open_groups[-1]:
            open_groups.pop()
            position = after
        elif tag & 7 == _GROUP:
            open_groups.append(tag + 1)
            position = after
        else:
            position = _field(body, position, end)[2]
    return position


def _varint(body: bytes, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(body[position : min(position + _LONGEST_VARINT, end)]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < _CONTINUED:
            return value, position + shift + 1
    raise _broken()


def _broken() -> UndecodableError:
    return UndecodableError("the body is not protobuf, or was cut off")
