"""Lists that read a bounded number of rows, however few of them fulfil their filter.

No index serves most filters. So the newest rows of the range are looked at, window by window, until
the page is full or as many were looked at as one request may; then the cursor goes on from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, TypeAlias

import msgspec

Key: TypeAlias = tuple[Any, ...]
"""A time, then what tells rows of one time apart."""

MOST_ROWS = 50_000
"""Rows that one request looks at."""
MOST_TRACES = 20_000
"""As their days have to be merged, they take longer."""
MOST_TEXTS = 5_000
"""Payloads or log bodies: 20 µs each, and 200 where their words are frequent."""
TEXTS_AT_ONCE = 1000
TEXT_SECONDS = 0.3
"""After so long, and so many texts, a request begins no further window of texts."""
TEXT_BYTES = 32 * 1024 * 1024
"""Of text, that one window has at most."""

_GROWTH = 10


class Found(msgspec.Struct, frozen=True):
    """What a scan found."""

    records: Sequence[Any]
    """One more than the page takes, if there are."""
    stopped: Key | None
    """Where the scan stopped, if it did: what stands before this key was not looked at."""


def first_window(limit: int, *, filtered: bool) -> int:
    """Return how many rows to look at first: a page, or where not each row fits, ten."""
    return _GROWTH * (limit + 1) if filtered else limit + 1


def windows(first: int, most: int) -> Iterator[int]:
    """Yield the sizes of windows, which grow as nothing is found, up to ``most`` rows together.

    >>> list(windows(100, 5000))
    [100, 1000, 3900]
    """
    size = first
    while most > 0:
        yield min(size, most)
        most -= size
        size *= _GROWTH


def text_windows(first: int, most: int) -> Iterator[int]:
    """Yield the sizes of windows of texts, whose cost nobody knows before: until time is up."""
    end = monotonic() + TEXT_SECONDS
    read = 0
    for window in windows(first, most):
        for begun in range(0, window, TEXTS_AT_ONCE):
            if read >= TEXTS_AT_ONCE and monotonic() > end:
                return
            size = min(TEXTS_AT_ONCE, window - begun)
            yield size
            read += size


async def scan(
    floor_of: Callable[[datetime, int], Awaitable[datetime | None]],
    between: Callable[[datetime, Key, int], Awaitable[Sequence[Any]]],
    *,
    start: datetime,
    before: Key,
    least: Key,
    sizes: Iterable[int | None],
    rows: int,
    indexed_floor: Callable[[datetime, datetime], Awaitable[datetime | None]] | None = None,
) -> Found:
    """Return up to ``rows`` records before a key, the newest first.

    Args:
        floor_of: gives the time of the nth row before a time; None if there are fewer.
        between: gives up to so many records, from a time to before a key.
        start: beginning of the range.
        before: key that the records stand before.
        least: the least that a key can have beside its time.
        sizes: of the windows; None for all of the range, where an index leads to what is asked for.
        rows: most records to return.
        indexed_floor: gives how far back from a time, but not before another, an index leads to
            what is asked for; asked after a window, where what is found often was found.

    """
    records: list[Any] = []
    for size in sizes:
        floor = None if size is None else await floor_of(before[0], size)
        records += await between(floor or start, before, rows - len(records))
        if floor is None or len(records) >= rows:
            return Found(records, None)
        before = (floor, *least)
        while indexed_floor and (floor := await indexed_floor(start, before[0])):
            records += await between(floor, before, rows - len(records))
            if floor <= start or len(records) >= rows:
                return Found(records, None)
            before = (floor, *least)
    return Found(records, before)
