"""From an attribute's value to a column's, or None where the attribute cannot be used.

A value that has the column's own type already is returned as the same object.
"""

from __future__ import annotations

import math

from observatory_store.rows import AttributeValue

MAX_COUNT = 2**31 - 1
"""Largest count that an ``integer`` column takes."""

# A btree entry has at most 2,704 bytes, and these columns are indexed, some in pairs.
MAX_TEXT_BYTES = 1000
MAX_TEXTS = 128
"""Most members that a column of ``text[]`` is filled with."""

_MAX_NUMERAL = 32


def text(value: AttributeValue) -> str | None:
    """Accept a string that is neither empty nor over :data:`MAX_TEXT_BYTES` in UTF-8."""
    if type(value) is not str or not value:
        return None
    # A code point has at most 4 bytes: short strings need no encoding to be measured.
    if len(value) * 4 <= MAX_TEXT_BYTES:
        return value
    if len(value) > MAX_TEXT_BYTES:
        return None
    return value if len(value.encode(errors="surrogatepass")) <= MAX_TEXT_BYTES else None


def identifier(value: AttributeValue) -> str | None:
    """Accept what :func:`text` accepts, and an integer."""
    return str(value) if type(value) is int and abs(value) < 2**63 else text(value)


def count(value: AttributeValue) -> int | None:
    """Accept 0 to :data:`MAX_COUNT`: an integer, an integral double, or decimal digits."""
    if type(value) is int:
        return value if 0 <= value <= MAX_COUNT else None
    if type(value) is float:
        return int(value) if 0 <= value <= MAX_COUNT and value.is_integer() else None
    if type(value) is str and len(value) <= _MAX_NUMERAL and value.isascii() and value.isdecimal():
        return count(int(value))
    return None


def number(value: AttributeValue) -> float | None:
    """Accept a finite number: a double, an integer, or its numeral."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is int:
        return float(value) if abs(value) < 2**63 else None
    if type(value) is str and len(value) <= _MAX_NUMERAL and value.isascii():
        try:
            return number(float(value))
        except ValueError:
            return None
    return None


def flag(value: AttributeValue) -> bool | None:
    """Accept a boolean, or "true" or "false" in any case."""
    if type(value) is bool:
        return value
    if type(value) is str and len(value) <= len("false"):
        return {"true": True, "false": False}.get(value.lower())
    return None


def texts(value: AttributeValue) -> tuple[str, ...] | None:
    """Accept a list of at most :data:`MAX_TEXTS` strings, or one plain string."""
    if type(value) is str:
        return None if value.startswith("[") or text(value) is None else (value,)
    if type(value) is not list or len(value) > MAX_TEXTS:
        return None
    found = tuple(item for item in value if type(item) is str and text(item) is not None)
    return found if len(found) == len(value) else None


def tags(value: AttributeValue) -> tuple[str, ...] | None:
    """Accept a list of strings, each ``key=value`` with a key that is not empty."""
    found = texts(value) if type(value) is list else None
    if found is None or any(item.find("=") < 1 for item in found):
        return None
    return found


def milliseconds(seconds: AttributeValue) -> float | None:
    """Accept a number of seconds that is not negative, and return milliseconds."""
    found = number(seconds)
    if found is None or found < 0:
        return None
    found *= 1000
    return found if math.isfinite(found) else None


def seconds(found: float) -> float:
    """Return the seconds that :func:`milliseconds` was given, up to rounding."""
    return found / 1000
