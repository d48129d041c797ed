"""Storing what was spooled, once the database is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from observatory_store.ingest.delivery import Delays, Delivery
from observatory_store.ingest.faults import MOST_TRIES
from observatory_store.ingest.recording import RecordingOptions
from observatory_store.ingest.spool import Replay, Spool
from observatory_store.rows import Span

Probe: TypeAlias = Callable[[], Awaitable[object]]
"""Raises if the database is away."""

_LOOK_SECONDS = 2.0
"""How often the spool is looked at for what processes that ended have left."""


class Replayer:
    """Replays a spool, oldest segment first, and finds out when the database is back.

    A segment is deleted once all its spans are committed or refused. To replay it again, as after a
    kill between the two, changes nothing: a span is stored once. One that has spans that the
    database fails at lets others pass, until it is clear that it is they and not the database.
    """

    def __init__(
        self, spool: Spool, delivery: Delivery, probe: Probe, options: RecordingOptions
    ) -> None:
        self._spool = spool
        self._delivery = delivery
        self._probe = probe
        self._rows = options.flush_rows
        self._spooled = asyncio.Event()
        self._passed_over: set[Path] = set()
        # Of segments begun: the positions of their spans that are done with.
        self._done: dict[Path, set[int]] = {}

    def wake(self) -> None:
        """Tell that something was spooled."""
        self._spooled.set()

    async def run(self) -> None:
        """Replay until cancelled."""
        delays = Delays()
        while True:
            was_away = self._delivery.is_away
            try:
                if was_away:
                    await self._probe()
                replay = await self._spool.oldest(self._passed_over)
                stored = replay is None or await self._replay(replay)
            except Exception as error:  # noqa: BLE001 - this task must go on
                self._delivery.failed(error)
                replay, stored = None, False
            if replay is None and self._passed_over:
                self._passed_over.clear()
                stored = False
            if not stored:
                await delays.sleep()
                continue
            delays = Delays()
            self._passed_over.clear()
            if replay is None:
                if was_away:
                    self._delivery.succeeded()
                await self._wait()

    async def _replay(self, replay: Replay) -> bool:
        done = self._done.pop(replay.path, set())
        left: Sequence[Span] = [
            span for position, span in enumerate(replay.spans) if position not in done
        ]
        delays = Delays()
        for _ in range(MOST_TRIES):
            left = await self._commit(left)
            if not left:
                await self._spool.finish(replay)
                return True
            if self._delivery.is_away:
                break
            await delays.sleep()
        await self._spool.release()
        if self._delivery.suspects(left):
            self._passed_over.add(replay.path)
        if len(left) < len(replay.spans):
            kept = set(map(id, left))
            self._done[replay.path] = {
                position for position, span in enumerate(replay.spans) if id(span) not in kept
            }
        return False

    async def _commit(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Return the spans that are not done with."""
        left: list[Span] = []
        for first in range(0, len(spans), self._rows):
            rest = await self._delivery.commit(spans[first : first + self._rows])
            left += rest
            if rest and not self._delivery.suspects(rest):
                return [*left, *spans[first + self._rows :]]
        return left

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._spooled.wait()
        self._spooled.clear()
