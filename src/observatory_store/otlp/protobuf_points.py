"""The data points of a serialised metric that cannot be parsed as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.errors import UndecodableError
from observatory_store.otlp import wire_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DATA = (5, 7, 9, 10, 11)
"""Field numbers of ``Metric.data``; in each of these messages the points have number 1."""


def points(raw: bytes) -> Iterator[bytes]:
    """Yield each point as a ``Metric`` that has nothing else; none of damaged bytes."""
    try:
        for number in _DATA:
            for data in wire_format.submessages(raw, number):
                for point in wire_format.submessages(data, 1):
                    yield wire_format.field(number, wire_format.field(1, point))
    except UndecodableError:
        return


def keep(raw: bytes, kept: Iterable[bytes]) -> bytes:
    """Return the metric with no other points than these, which :func:`points` gave.

    Protobuf merges a message that occurs twice, so that the parts need only be joined.
    """
    parts = [wire_format.without(raw, *_DATA)]
    for number in _DATA:
        parts += [
            wire_format.field(number, wire_format.without(data, 1))
            for data in wire_format.submessages(raw, number)
        ]
    return b"".join([*parts, *kept])
