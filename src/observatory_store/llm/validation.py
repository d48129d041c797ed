"""The fields of an :class:`~observatory_store.llm.LLMCall`, checked and made storable.

Each function raises :class:`InvalidInputError`, which names the field and says what is allowed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.llm import conversion
from observatory_store.rows import Attributes, AttributeValue
from observatory_store.rows.span import SpanStatus
from observatory_store.rows.text import storable, storable_value

_TRACE_ID = re.compile("[0-9a-f]{32}")
_SPAN_ID = re.compile("[0-9a-f]{16}")


def shown(value: object) -> str:
    """Return a value as an error message shows it."""
    try:
        return f"{value!r:.100}"
    except ValueError:  # an int of more digits than Python writes
        return f"so large an {type(value).__name__}"


def trace_id(value: object) -> str | None:
    """Return a trace id in lower case."""
    return _hex("trace_id", value, _TRACE_ID)


def span_id(name: str, value: object) -> str | None:
    """Return a span id in lower case."""
    return _hex(name, value, _SPAN_ID)


def _hex(name: str, value: object, pattern: re.Pattern[str]) -> str | None:
    if value is None:
        return None
    found = value.lower() if isinstance(value, str) else ""
    if pattern.fullmatch(found) is None or not found.strip("0"):
        digits = 32 if pattern is _TRACE_ID else 16
        raise InvalidInputError(
            f"{name} must be {digits} hex digits, not all zero, not {shown(value)}"
        )
    return found


def utc(name: str, value: datetime | None) -> datetime | None:
    """Return a time in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None or value.utcoffset() is None:
        raise InvalidInputError(f"{name} must be a datetime with a time zone, not {shown(value)}")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{name} is out of range: {shown(value)}") from None


def text(name: str, value: object) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} must be a str, not {shown(value)}")
    return str(value)


def own_text(name: str, value: object) -> str | None:
    """Return a storable string that its column takes; None for an empty one."""
    if value is None or value == "":
        return None
    found = conversion.text(storable(text(name, value)))
    if found is None:
        raise InvalidInputError(f"{name} is longer than {conversion.MAX_TEXT_BYTES} bytes")
    return found


def count(name: str, value: object) -> int | None:
    """Return an integer that its column takes."""
    if value is None:
        return None
    try:
        found = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # its TypeError is the test
    except TypeError:
        found = None
    if found is None or conversion.count(found) is None:
        raise InvalidInputError(
            f"{name} must be an int from 0 to {conversion.MAX_COUNT}, not {shown(value)}"
        )
    return found


def number(name: str, value: object) -> float | None:
    """Return a finite double."""
    if value is None:
        return None
    try:
        found = math.nan if isinstance(value, str | bool) else float(value)  # type: ignore[arg-type]  # its TypeError is the test
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found):
        raise InvalidInputError(f"{name} must be a finite number, not {shown(value)}")
    return found


def flag(name: str, value: object) -> bool | None:
    """Return a boolean."""
    if value is not None and not isinstance(value, bool):
        raise InvalidInputError(f"{name} must be a bool, not {shown(value)}")
    return value


def milliseconds(name: str, value: object) -> float:
    """Return a finite double that is not negative."""
    found = number(name, value)
    if found is None or found < 0:
        raise InvalidInputError(f"{name} must not be negative, not {shown(value)}")
    return found


def status(value: str) -> SpanStatus:
    """Return the status of a span."""
    match value:
        case "unset" | "ok" | "error":
            return value
        case _:
            raise InvalidInputError(f"status must be unset, ok or error, not {shown(value)}")


def finish_reasons(value: object) -> list[AttributeValue] | None:
    """Return the reasons as an attribute."""
    if value is None:
        return None
    found = plain("finish_reasons", value)
    if not isinstance(found, list) or conversion.texts(found) is None:
        raise InvalidInputError(
            f"finish_reasons must be at most {conversion.MAX_TEXTS} strings, "
            f"none of them empty or over {conversion.MAX_TEXT_BYTES} bytes, not {shown(value)}"
        )
    return found


def tags(value: Mapping[str, str]) -> list[AttributeValue] | None:
    """Return the tags as an attribute: a list of `key=value`."""
    if not value:
        return None
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"tags must be a mapping of str to str, not {shown(value)}")
    pairs: list[AttributeValue] = []
    for key, item in value.items():
        name = storable(text("a tag's key", key))
        if not name or "=" in name:
            raise InvalidInputError(
                f"a tag's key must not be empty nor contain '=', not {shown(key)}"
            )
        pairs.append(f"{name}={storable(text(f'tag {name:.100}', item))}")
    if conversion.tags(pairs) is None:
        raise InvalidInputError(
            f"tags must be at most {conversion.MAX_TEXTS}, "
            f"each of at most {conversion.MAX_TEXT_BYTES} bytes with its key"
        )
    return pairs


def plain_map(value: Mapping[str, Any]) -> Attributes:
    """Return a mapping as attributes."""
    found = plain("attributes", dict(value)) if value else {}
    if not isinstance(found, dict):
        raise InvalidInputError(f"attributes must be a mapping, not {shown(value)}")
    return found


def plain(name: str, value: object) -> AttributeValue:
    """Return a value as an attribute, whatever it is made of."""
    if isinstance(value, str):
        return storable(value)
    try:
        found = msgspec.to_builtins(value, builtin_types=(bytes,), str_keys=True, enc_hook=_dumped)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{name} cannot be written as JSON: {error}") from error
    if _has_wide_integer(found):
        raise InvalidInputError(f"{name} has an int that 64 bits do not hold")
    return storable_value(found)


def _has_wide_integer(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_has_wide_integer, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_wide_integer, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _dumped(value: Any) -> Any:  # noqa: ANN401 - whatever the caller's messages are made of
    """Return a pydantic model, as the vendors' clients use them, as a dictionary."""
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError(f"objects of type {type(value).__name__} are not supported")
    return dump(mode="json")
