"""A JSON file of rows, read so that what is wrong with one row harms no other."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

MOST_BYTES: Final = 64 * 1024 * 1024
"""Largest file that is read; LiteLLM's has 3 MB."""

_MOST_EXPONENT: Final = 400
_MOST_DIGITS: Final = 18
_MOST_DEPTH: Final = 20
_MOST_SHOWN: Final = 256


class NotANumber(str):
    """NaN, an infinity, or a number that no ``numeric`` holds."""

    __slots__ = ()


class Pairs(dict[str, Any]):
    """An object with all its pairs: a key that stands twice is an error of one row, not of all."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def read_pairs(body: bytes) -> Pairs:
    """Return the object that a file holds. Numbers are int or Decimal.

    Raises:
        ValueError: it is not JSON, or not an object.

    """
    if len(body) > MOST_BYTES:
        raise ValueError(f"the file has over {MOST_BYTES:,} bytes")
    try:
        rows = json.loads(
            body.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=NotANumber,
            object_pairs_hook=Pairs,
        )
    except RecursionError:
        raise ValueError("the file is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"the file is not JSON: {error}") from None
    if not isinstance(rows, Pairs):
        raise ValueError("the file is not a JSON object with a model for each key")  # noqa: TRY004
    return rows


def number(name: str, value: Any) -> Decimal:  # noqa: ANN401 - JSON
    """Return a value that is a number.

    Raises:
        ValueError: it is none.

    """
    if isinstance(value, NotANumber):
        raise ValueError(f"{name} is {shown(value)}, no number")  # noqa: TRY004 - file's content
    if isinstance(value, str):
        raise ValueError(f"{name} is text, no number: {shown(value)!r}")  # noqa: TRY004
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError(f"{name} is no number")  # noqa: TRY004
    return Decimal(value)


def check_storable(value: Any, depth: int = 0) -> None:  # noqa: ANN401 - JSON
    """Raise ValueError for what ``jsonb`` cannot hold."""
    if depth > _MOST_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, part in value.items():
            _check_text(name)
            check_storable(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            check_storable(part, depth + 1)


def shown(text: str) -> str:
    """Return text of a file as a report may show it."""
    cut = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in cut)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text with a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text with half a character") from None


def _integer(digits: str) -> int | Decimal | NotANumber:
    return int(digits) if len(digits) <= _MOST_DIGITS else _decimal(digits)


def _decimal(digits: str) -> Decimal | NotANumber:
    try:
        value = Decimal(digits)
    except ArithmeticError:
        return NotANumber(digits)
    return value if abs(value.adjusted()) <= _MOST_EXPONENT else NotANumber(digits)
