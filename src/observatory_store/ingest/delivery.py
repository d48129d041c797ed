"""Committing batches of recorded spans, whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from observatory_store.errors import DatabaseFaultError, NotFoundError, UnavailableError
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.faults import Faults
from observatory_store.ingest.recording import Tally
from observatory_store.rows import Span
from observatory_store.writers import Written

Write: TypeAlias = Callable[[Sequence[Span]], Awaitable[Written]]
"""Stores spans, and returns once they are committed."""

SetAside: TypeAlias = Callable[[Sequence[Span]], Awaitable[bool]]
"""Keeps spans that cannot be stored; returns False if it cannot."""

_FIRST_DELAY_SECONDS: Final = 0.5
_LONGEST_DELAY_SECONDS: Final = 10.0

_SAMPLE: Final = 5
"""How many spans of a batch are tried alone, to see whether the database takes any."""

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
    """Stores spans, keeps count, and knows whether the database is away.

    Where the database answers but fails, it may be its own state or what it was given. Spans at
    which it fails several times, while it stores others, are given up; while it stores nothing,
    nothing is given up.
    """

    def __init__(
        self,
        write: Write,
        tally: Tally,
        complaints: Complaints,
        *,
        patience_seconds: float | None,
        set_aside: SetAside | None = None,
    ) -> None:
        self._write = write
        self._tally = tally
        self._complaints = complaints
        self._patience_seconds = patience_seconds
        self._set_aside = set_aside
        self._faults = Faults()

    @property
    def is_away(self) -> bool:
        """Whether the database could not take the last transaction."""
        return self._tally.database_is_away

    def suspects(self, spans: Sequence[Span]) -> bool:
        """Return whether it may be these spans that the database fails at."""
        return self._faults.has_any(spans)

    async def commit(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Return the spans that are not done with: neither committed, nor refused or given up.

        To come again with them is harmless.
        """
        if not spans:
            return []
        try:
            error = await self._try(spans)
            if error is None:
                return []
            sample = spans[:: max(1, len(spans) // _SAMPLE)]
            if len(spans) == 1:
                failing = [*spans]
            else:
                failing = [one for one in sample if await self._try([one])]
            if len(failing) == len(sample) and not self._faults.others_passed(failing):
                self.failed(error)
                return spans
            tried = set(map(id, sample))
            failing += await self._failing([span for span in spans if id(span) not in tried])
        except _AWAY as away:
            self.failed(away)
            return spans
        if failing:
            self._note(error)
        return await self._give_up(failing)

    async def _failing(self, spans: Sequence[Span]) -> list[Span]:
        """Store the spans, halving them where that fails; return those that fail alone."""
        if not spans:
            return []
        if await self._try(spans) is None:
            return []
        if len(spans) == 1:
            return [*spans]
        middle = len(spans) // 2
        return [*await self._failing(spans[:middle]), *await self._failing(spans[middle:])]

    async def _try(self, spans: Sequence[Span]) -> Exception | None:
        """Store the spans, or return why the database answers but does not take them."""
        attempt = self._faults.begin()
        try:
            async with asyncio.timeout(self._patience_seconds):
                written = await self._write(spans)
        except Exception as error:
            if isinstance(error, _AWAY) and not isinstance(error, DatabaseFaultError):
                raise
            self._faults.failed(attempt, spans, error)
            return error
        self.succeeded()
        self._faults.passed(attempt, spans, stored=written.stored)
        self._tally.committed += written.stored
        self._tally.duplicates += written.duplicates
        self._reject(written.rejected, "; ".join(written.problems))
        return None

    async def _give_up(self, failing: Sequence[Span]) -> list[Span]:
        hopeless = [span for span in failing if self._faults.is_hopeless(span)]
        if hopeless:
            reason = self._faults.reason(hopeless[0])
            if self._set_aside is None or not await self._set_aside(hopeless):
                self._reject(len(hopeless), f"the database fails at them: {reason}")
            self._faults.forget(hopeless)
        given_up = set(map(id, hopeless))
        return [span for span in failing if id(span) not in given_up]

    def _reject(self, count: int, problems: str) -> None:
        if count:
            self._tally.rejected += count
            self._complaints.warn("rejected", f"{count} spans were rejected: {problems}")

    def succeeded(self) -> None:
        """Note that the database is there."""
        self._tally.database_is_away = False
        self._tally.last_success_at = datetime.now(UTC)

    def failed(self, error: Exception) -> None:
        """Note that the database is away."""
        self._tally.database_is_away = True
        self._note(error)

    def _note(self, error: Exception) -> None:
        self._tally.note(str(error) or "the database did not answer in time")
        self._complaints.warn(
            type(error).__name__, f"recorded calls cannot be stored now: {self._tally.last_error}"
        )
