"""The spans that wait in memory to be stored."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from observatory_store.rows import Span

_BYTES_OF_A_ROW = 1500
"""About what a span takes besides its texts."""


def size_of(span: Span) -> int:
    """Return about how many bytes a span takes in memory."""
    size = _BYTES_OF_A_ROW + len(span.status_message)
    if span.payload is not None:
        payload = span.payload
        for text in (
            payload.input_messages,
            payload.output_messages,
            payload.system_instructions,
            payload.tool_definitions,
            payload.tool_arguments,
            payload.tool_result,
        ):
            size += len(text) if text else 0
    return size + _size_of_values(span.attributes) if span.attributes else size


def _size_of_values(value: object) -> int:
    if isinstance(value, str | bytes):
        return len(value) + 50
    if isinstance(value, dict):
        return sum(len(key) + 50 + _size_of_values(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(map(_size_of_values, value))
    return 25


class Entry(NamedTuple):
    """A span in the queue."""

    span: Span
    size: int
    epoch: int
    """How many flushes had begun when it entered."""


class SpanQueue:
    """First in, first out, bounded by spans and by bytes. One task at a time takes from it.

    What is taken stays in the queue, and is counted, until it is settled.
    """

    def __init__(self, *, most_rows: int, most_bytes: int, ripe_rows: int) -> None:
        self._most_rows = most_rows
        self._most_bytes = most_bytes
        # What is taken can no longer be dropped, so it must leave room.
        self._ripe_rows = min(ripe_rows, max(1, most_rows // 2))
        self._waiting: deque[Entry] = deque()
        self._taken: list[Entry] = []
        self._bytes = 0
        self._epoch = 0
        # Spans in the queue by epoch, the oldest epoch first.
        self._present: dict[int, int] = {}
        self._flushed_epoch = -1
        self._filled = asyncio.Event()
        self._ripe = asyncio.Event()
        self._departure = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def has_room(self, size: int) -> bool:
        """Tell whether a span of this size may enter."""
        return len(self) < self._most_rows and self._bytes + size <= self._most_bytes

    def put(self, span: Span, size: int) -> None:
        """Add a span, of whatever size."""
        self._waiting.append(Entry(span, size, self._epoch))
        self._bytes += size
        self._present[self._epoch] = self._present.get(self._epoch, 0) + 1
        self._filled.set()
        if len(self._waiting) >= self._ripe_rows:
            self._ripe.set()

    def drop_oldest(self) -> bool:
        """Drop the span that has waited longest, unless all are taken."""
        if not self._waiting:
            return False
        self._leave([self._waiting.popleft()])
        return True

    async def ripen(self, seconds: float) -> None:
        """Wait until there is a batch to take: full, or hurried by a flush, or old enough."""
        await self._filled.wait()
        if len(self._waiting) < self._ripe_rows and not self._holds(self._flushed_epoch):
            self._ripe.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ripe.wait()

    def take(self) -> list[Span]:
        """Take the next batch; :meth:`settle` it."""
        while self._waiting and len(self._taken) < self._ripe_rows:
            self._taken.append(self._waiting.popleft())
        if not self._waiting:
            self._filled.clear()
        return [entry.span for entry in self._taken]

    def settle(self, left: Sequence[Span] = (), *, last: bool = False) -> None:
        """Let go of what was taken, but for what is left of it: that is put back.

        It comes first again, or behind what waits.
        """
        kept = set(map(id, left))
        taken, self._taken = self._taken, []
        back = [entry for entry in taken if id(entry.span) in kept]
        if last:
            self._waiting.extend(back)
        else:
            self._waiting.extendleft(reversed(back))
        if self._waiting:
            self._filled.set()
        self._leave([entry for entry in taken if id(entry.span) not in kept])

    def put_back(self) -> None:
        """Return what was taken to the front."""
        self.settle([entry.span for entry in self._taken])

    def take_all(self) -> list[Span]:
        """Empty the queue, also of what is taken."""
        self.put_back()
        everything = list(self._waiting)
        self._waiting.clear()
        self._filled.clear()
        self._leave(everything)
        return [entry.span for entry in everything]

    async def departure(self) -> None:
        """Wait until a span leaves."""
        await self._departure.wait()

    async def flushed(self) -> None:
        """Hurry, and wait until all has left that is in the queue now."""
        epoch = self._flushed_epoch = self._epoch
        self._epoch += 1
        self._ripe.set()
        while self._holds(epoch):
            await self._departure.wait()

    def _holds(self, epoch: int) -> bool:
        return next(iter(self._present), self._epoch) <= epoch

    def wake_waiting(self) -> None:
        """Have those who wait for a departure look again."""
        self._departure.set()
        self._departure = asyncio.Event()

    def _leave(self, entries: list[Entry]) -> None:
        for _, size, epoch in entries:
            self._bytes -= size
            self._present[epoch] -= 1
            if not self._present[epoch]:
                del self._present[epoch]
        if entries:
            self.wake_waiting()
