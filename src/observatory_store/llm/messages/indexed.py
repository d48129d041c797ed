"""Flattened attributes, ``prefix.0.role`` and so on, as the lists and maps that they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from observatory_store.rows import AttributeValue

MOST_LEVELS: Final = 16
_MOST_DIGITS: Final = 19


def unflattened(prefix: str, attributes: Mapping[str, AttributeValue]) -> list[Any] | None:
    """Return the list whose members are under ``prefix`` and their index, in order of these.

    Gaps close up: an index says no more than an order. None if a name contradicts another one (a
    value and a map in one place), has no index, or over 16 levels.
    """
    root: dict[Any, Any] = {}
    for name, value in attributes.items():
        keys = name[len(prefix) :].split(".", MOST_LEVELS)
        if len(keys) > MOST_LEVELS or not _is_index(keys[0]):
            return None
        place = root
        for key in keys[:-1]:
            place = place.setdefault(_key(key), {})
            if not isinstance(place, dict):
                return None
        last = _key(keys[-1])
        if last in place:
            return None
        place[last] = _Leaf((value,))
    found = _collected(root)
    return found if isinstance(found, list) else None


class _Leaf(tuple[AttributeValue]):
    """A value, which may be a map and yet is no level."""

    __slots__ = ()


def _collected(place: Any) -> Any:  # noqa: ANN401 - a JSON document
    if isinstance(place, _Leaf):
        return place[0]
    if place and all(isinstance(key, int) for key in place):
        return [_collected(place[key]) for key in sorted(place)]
    return {str(key): _collected(value) for key, value in place.items()}


def _key(text: str) -> str | int:
    return int(text) if _is_index(text) else text


def _is_index(text: str) -> bool:
    return len(text) <= _MOST_DIGITS and text.isascii() and text.isdecimal()


def without(level: str, members: Iterable[Any]) -> list[Any]:
    """Return members that each were under one more name, as in ``0.message.role``."""
    return [
        inner
        if isinstance(one, dict) and len(one) == 1 and isinstance(inner := one.get(level), dict)
        else one
        for one in members
    ]
