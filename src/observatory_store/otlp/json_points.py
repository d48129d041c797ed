"""The data points of a metric in JSON that cannot be parsed as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DATA = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")
_POINTS = "dataPoints"

_object = msgspec.json.Decoder(dict[str, Raw] | None)
_array = msgspec.json.Decoder(list[Raw] | None)


def points(raw: bytes) -> Iterator[bytes]:
    """Yield each point as a ``Metric`` that has nothing else; none of what is no metric at all."""
    try:
        for name, data in _members(raw).items():
            if name in _DATA:
                for point in _array.decode(_members(data).get(_POINTS, b"[]")) or ():
                    yield msgspec.json.encode({name: {_POINTS: [point]}})
    except msgspec.MsgspecError:
        return


def keep(raw: bytes, kept: Iterable[bytes]) -> bytes:
    """Return the metric with no other points than these, which :func:`points` gave."""
    metric = _members(raw)
    by_name: dict[str, list[Raw]] = {}
    for each in kept:
        ((name, data),) = _members(each).items()
        by_name.setdefault(name, []).extend(_array.decode(_members(data)[_POINTS]) or ())
    for name, remaining in by_name.items():
        metric[name] = Raw(msgspec.json.encode({**_members(metric[name]), _POINTS: remaining}))
    return msgspec.json.encode(metric)


def _members(raw: bytes | Raw) -> dict[str, Raw]:
    return _object.decode(raw) or {}
