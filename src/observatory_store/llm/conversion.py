"""From an attribute's value to a column's, or None where the attribute cannot be used.

A value that has the column's own type already is returned as the same object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from observatory_store.rows import AttributeValue

T = TypeVar("T")

MAX_COUNT = 2**31 - 1
"""Largest count that an ``integer`` column takes."""

# A btree entry has at most 2,704 bytes, and these columns are indexed, some in pairs.
MAX_TEXT_BYTES = 1000
MAX_TEXTS = 128
"""Most members that a column of ``text[]`` is filled with."""

MAX_COST_USD = 1_000_000
"""A call that is said to cost more is not believed."""

_MAX_NUMERAL = 32
_MAX_JSON = 16 * 1024
_MAX_COST_DECIMALS = 30


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


def is_said(value: AttributeValue) -> bool:
    """Tell whether a value says anything: None, an empty text and NaN do not."""
    return value is not None and value != "" and value == value  # noqa: PLR0124 - not so of NaN


def number(value: AttributeValue) -> float | None:
    """Accept a finite number: a double, an integer, or its numeral."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is int:
        return float(value) if abs(value) < 2**63 else None
    if type(value) is str and _is_numeral(value):
        try:
            return number(float(value))
        except ValueError:
            return None
    return None


def _is_numeral(value: str) -> bool:
    # Python would take 1_000 as well.
    return len(value) <= _MAX_NUMERAL and value.isascii() and "_" not in value


def flag(value: AttributeValue) -> bool | None:
    """Accept a boolean, or "true" or "false" in any case."""
    if type(value) is bool:
        return value
    if type(value) is str and len(value) <= len("false"):
        return {"true": True, "false": False}.get(value.lower())
    return None


def texts(value: AttributeValue) -> tuple[str, ...] | None:
    """Accept a list of at most :data:`MAX_TEXTS` strings, also as JSON, or one plain string."""
    if type(value) is str:
        if value.startswith("["):
            return texts(_list(value))
        return None if text(value) is None else (value,)
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


def labels(value: AttributeValue) -> tuple[str, ...] | None:
    """Accept what :func:`texts` accepts; ``beta``, which is no ``key=value``, is ``tag=beta``."""
    found = texts(value)
    if not found:
        return None
    pairs = tuple(item if item.find("=") > 0 else f"tag={item}" for item in found)
    return pairs if all(map(text, pairs)) else None


def _list(document: str) -> AttributeValue:
    if len(document) > _MAX_JSON:
        return None
    try:
        found: AttributeValue = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        return None
    return found if type(found) is list else None


def json_text(value: AttributeValue) -> str | None:
    """Accept a text, without the quotes if it is written as JSON."""
    found = text(value)
    if found is None or not found.startswith('"'):
        return found
    try:
        decoded = msgspec.json.decode(found)
    except ValueError:
        return found
    return text(decoded)


def time(value: AttributeValue) -> datetime | None:
    """Accept an ISO 8601 time with its offset, also as JSON."""
    found = json_text(value)
    if found is None:
        return None
    try:
        moment = datetime.fromisoformat(found)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def cost(value: AttributeValue) -> Decimal | None:
    """Accept 0 to :data:`MAX_COST_USD` dollars: a double, an integer, or a numeral.

    A double is the shortest numeral that gives it: 0.1 is one tenth.
    """
    if type(value) is int:
        numeral = str(value) if 0 <= value <= MAX_COST_USD else ""
    elif type(value) is float:
        numeral = repr(value)
    elif type(value) is str and _is_numeral(value):
        numeral = value
    else:
        return None
    try:
        found = Decimal(numeral)
    except ArithmeticError:
        return None
    if not found.is_finite() or found.is_signed() or found > MAX_COST_USD:
        return None
    exponent = found.as_tuple().exponent
    return found if isinstance(exponent, int) and exponent >= -_MAX_COST_DECIMALS else None


def service_tier(value: AttributeValue) -> str | None:
    """Accept what :func:`text` accepts but ``auto``, which leaves the tier to the provider."""
    found = text(value)
    return None if found == "auto" else found


def one_of(words: Mapping[str, T]) -> Callable[[AttributeValue], T | None]:
    """Return a conversion that accepts these words, in any case, for what they stand for."""

    def convert(value: AttributeValue) -> T | None:
        return words.get(value.lower()) if type(value) is str else None

    return convert


def always(column: T) -> Callable[[AttributeValue], T | None]:
    """Return a conversion for an attribute that tells by being there, if it is not empty."""
    return lambda value: None if value in (None, "") else column


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


def elapsed(found: AttributeValue) -> float | None:
    """Accept a number of milliseconds that is not negative."""
    value = number(found)
    return None if value is None or value < 0 else value
