"""Which models a price is for: names and patterns of names.

In a pattern ``*`` stands for any text and ``#`` for a digit; ``!`` before it excludes what it
matches. Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

MAX_NAME: Final = 256
"""Longest name, in characters, that is looked up: no provider and no model has a longer one."""

Pattern: TypeAlias = re.Pattern[str]

MOST_STARS: Final = 3
"""In one pattern: more would let a long name take long."""

_SPECIAL = re.compile(r"[*#]")
_DASHED_DATE = re.compile(r"(?<=[-@])(20\d\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?=[-:]|$)")
_COMPACT_DATE = re.compile(r"(?<=[-@])(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=[-:]|$)")


def is_pattern(text: str) -> bool:
    """Tell whether it may match several names."""
    return _SPECIAL.search(text) is not None


def specificity(pattern: str) -> int:
    """Return how many characters of a name the pattern fixes: the greater goes first."""
    return len(pattern) - pattern.count("*")


def compile_pattern(pattern: str) -> Pattern:
    """Return what matches whole lower-case names as the pattern does."""
    parts = (
        "[0-9]" if part == "#" else ".*" if part == "*" else re.escape(part)
        for part in re.split(r"([*#])", re.sub(r"\*+", "*", pattern.lower()))
    )
    return re.compile("".join(parts), re.DOTALL)


def spellings(name: str) -> Iterator[str]:
    """Yield the ways to look a name up: as it is, and with a date as it is written elsewhere."""
    lower = name.lower()
    yield lower
    for date, otherwise in ((_COMPACT_DATE, r"\1-\2-\3"), (_DASHED_DATE, r"\1\2\3")):
        spelling = date.sub(otherwise, lower)
        if spelling != lower:
            yield spelling


def check(name: str) -> str:
    """Return the name or pattern, as given.

    Raises:
        ValueError: it is empty, not printable, too long, or has too many stars.

    """
    if not name.strip("!*# "):
        raise ValueError("a model is a name, or a pattern with something fixed in it")
    if not name.isprintable():
        raise ValueError("a model's name has printable characters only")
    if len(name) > MAX_NAME:
        raise ValueError(f"a model's name has at most {MAX_NAME} characters")
    if name.count("*") > MOST_STARS:
        raise ValueError(f"a pattern has at most {MOST_STARS} stars")
    return name


def split(names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return what is an exact name, what a pattern, and what excludes; all lower-case."""
    exact, patterns, excluded = [], [], []
    for name in names:
        lower = name.lower()
        if lower.startswith("!"):
            excluded.append(lower[1:])
        elif is_pattern(lower):
            patterns.append(lower)
        else:
            exact.append(lower)
    return exact, patterns, excluded


def matches(names: Sequence[str], name: str) -> bool:
    """Tell whether these names and patterns are for a model of this name."""
    exact, patterns, excluded = split(names)
    wanted = list(spellings(name))
    return not set(exact).isdisjoint(wanted) or (
        _any_matches(patterns, wanted) and not _any_matches(excluded, wanted)
    )


def _any_matches(patterns: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(compile_pattern(pattern).fullmatch(one) for pattern in patterns for one in wanted)
