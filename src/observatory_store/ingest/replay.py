"""Storing what was spooled, once the database is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

from observatory_store.ingest.delivery import Delays, Delivery
from observatory_store.ingest.recording import RecordingOptions
from observatory_store.ingest.spool import Replay, Spool

Probe: TypeAlias = Callable[[], Awaitable[object]]
"""Raises if the database is away."""

_LOOK_SECONDS = 2.0
"""How often the spool is looked at for what processes that ended have left."""


class Replayer:
    """Replays a spool, oldest segment first, and finds out when the database is back.

    A segment is deleted once all its spans are committed or refused. To replay it again, as after a
    kill between the two, changes nothing: a span is stored once.
    """

    def __init__(
        self, spool: Spool, delivery: Delivery, probe: Probe, options: RecordingOptions
    ) -> None:
        self._spool = spool
        self._delivery = delivery
        self._probe = probe
        self._rows = options.flush_rows
        self._spooled = asyncio.Event()

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
                replay = await self._spool.oldest()
                stored = replay is None or await self._replay(replay)
            except Exception as error:  # noqa: BLE001 - this task must go on
                self._delivery.failed(error)
                stored = False
            if not stored:
                await delays.sleep()
                continue
            delays = Delays()
            if replay is None:
                if was_away:
                    self._delivery.succeeded()
                await self._wait()

    async def _replay(self, replay: Replay) -> bool:
        for first in range(0, len(replay.spans), self._rows):
            if not await self._delivery.commit(replay.spans[first : first + self._rows]):
                await self._spool.release()
                return False
        await self._spool.finish(replay)
        return True

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._spooled.wait()
        self._spooled.clear()
