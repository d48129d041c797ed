"""Committing batches of recorded spans, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from observatory_store.errors import NotFoundError, UnavailableError
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.recording import Tally
from observatory_store.rows import Span
from observatory_store.writers import Written

Write: TypeAlias = Callable[[Sequence[Span]], Awaitable[Written]]
"""Stores spans, and returns once they are committed."""

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 10.0

_MOST_SURPRISES = 3
"""How often in a row a batch may fail for a reason that nobody foresaw, before it is given up."""

# A project that does not exist may be created yet.
_AWAY = (UnavailableError, NotFoundError, TimeoutError)


class Delays:
    """Pauses between attempts, each twice as long as the one before, up to 10 seconds."""

    def __init__(self) -> None:
        self._next = _FIRST_DELAY_SECONDS

    async def sleep(self) -> None:
        """Make the next pause."""
        delay, self._next = self._next, min(2 * self._next, _LONGEST_DELAY_SECONDS)
        await asyncio.sleep(delay)


class Delivery:
    """Stores spans, keeps count, and knows whether the database is away."""

    def __init__(
        self,
        write: Write,
        tally: Tally,
        complaints: Complaints,
        *,
        patience_seconds: float | None,
    ) -> None:
        self._write = write
        self._tally = tally
        self._complaints = complaints
        self._patience_seconds = patience_seconds
        self._surprises = 0

    @property
    def is_away(self) -> bool:
        """Whether the database could not take the last transaction."""
        return self._tally.database_is_away

    async def commit(self, spans: Sequence[Span]) -> bool:
        """Return whether the spans are done with: committed, or refused for good.

        If not, the database is away, and to come again with them is harmless.
        """
        try:
            async with asyncio.timeout(self._patience_seconds):
                written = await self._write(spans)
        except _AWAY as error:
            self.failed(error)
            return False
        except Exception as error:  # noqa: BLE001 - what it is, the log tells
            self.failed(error)
            self._surprises += 1
            if self._surprises < _MOST_SURPRISES:
                return False
            written = Written(rejected=len(spans), problems=(repr(error),))
        else:
            self.succeeded()
        self._surprises = 0
        self._tally.committed += written.stored
        self._tally.duplicates += written.duplicates
        self._tally.rejected += written.rejected
        if written.rejected:
            problems = "; ".join(written.problems)
            self._complaints.warn("rejected", f"{written.rejected} spans were rejected: {problems}")
        return True

    def succeeded(self) -> None:
        """Note that the database is there."""
        self._tally.database_is_away = False

    def failed(self, error: Exception) -> None:
        """Note that the database is away."""
        self._tally.database_is_away = True
        self._tally.last_error = str(error) or "the database did not answer in time"
        self._complaints.warn(
            type(error).__name__, f"recorded calls cannot be stored now: {self._tally.last_error}"
        )
