"""Recording spans without waiting for the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import msgspec

from observatory_store.errors import ObservatoryError, RecorderFullError, UnavailableError
from observatory_store.ingest.complaints import Complaints
from observatory_store.ingest.delivery import Delays, Delivery, Write
from observatory_store.ingest.recording import Health, RecordingOptions, Tally
from observatory_store.ingest.replay import Probe, Replayer
from observatory_store.ingest.span_queue import SpanQueue, size_of
from observatory_store.ingest.spool import Spool
from observatory_store.rows import Span

PATIENCE_SECONDS = 10.0
"""Longest that a batch waits for the database before it goes to the spool instead."""

OPENING_SECONDS = 2.0
"""Longest that opening waits for the database where there is a spool to begin with."""


OpenSpool: TypeAlias = Callable[[Tally, Complaints], Spool]


@asynccontextmanager
async def open_recorder(
    write: Write,
    probe: Probe,
    options: RecordingOptions,
    open_spool: OpenSpool | None,
    *,
    on_failure: Callable[[], None],
) -> AsyncIterator[Recorder]:
    """Start a recorder, and close it when the block ends.

    Args:
        write: stores spans, and returns once they are committed.
        probe: raises if the database is away.
        options: how much waits, and for how long.
        open_spool: makes the spool, if there is one.
        on_failure: is called when the recorder is closed while the database is away.

    Raises:
        UnavailableError: the database is away, and there is no spool.
        NotFoundError: there is no such project.
        SpoolError: the spool cannot be used.

    """
    recorder = Recorder(write, probe, options, open_spool)
    failure = None
    try:
        async with asyncio.timeout(None if open_spool is None else OPENING_SECONDS):
            await probe()
    except (UnavailableError, TimeoutError) as error:
        if open_spool is None:
            raise
        failure = error
    recorder.start(failure)
    stored = False
    try:
        yield recorder
    finally:
        try:
            stored = await recorder.close()
        finally:
            if not stored:
                on_failure()


class Recorder:
    """A queue of spans, a task that stores them, and a task that replays the spool.

    It belongs to the event loop that it was started on.
    """

    def __init__(
        self,
        write: Write,
        probe: Probe,
        options: RecordingOptions,
        open_spool: OpenSpool | None = None,
    ) -> None:
        self._options = options
        self._tally = Tally()
        self._complaints = Complaints(logging.getLogger(__name__))
        self._spool = None if open_spool is None else open_spool(self._tally, self._complaints)
        self._delivery = Delivery(
            write,
            self._tally,
            self._complaints,
            patience_seconds=None if self._spool is None else PATIENCE_SECONDS,
            set_aside=None if self._spool is None else self._spool.set_aside,
        )
        self._queue = SpanQueue(
            most_rows=options.queue_rows,
            most_bytes=options.queue_bytes,
            ripe_rows=options.flush_rows,
        )
        self._closed = False
        self._replayer = (
            None if self._spool is None else Replayer(self._spool, self._delivery, probe, options)
        )
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, failure: Exception | None = None) -> None:
        """Start the tasks; ``failure`` is why the database is away, if it is."""
        if failure is None:
            self._delivery.succeeded()
        else:
            self._delivery.failed(failure)
        self._keep_running(self._flush)
        if self._replayer is not None:
            self._keep_running(self._replayer.run)

    async def put(self, span: Span) -> None:
        """Take a span; see :class:`RecordingOptions` for what happens when there is no room.

        Raises:
            RecorderFullError: there is no room, and that is what to do then.

        """
        size = size_of(span)
        while not self._closed and not self._queue.has_room(size):
            if size > self._options.queue_bytes:
                self._drop(1, "a call is larger than the whole queue")
                return
            match self._options.when_full:
                case "raise":
                    self._drop(1, "the queue is full")
                    raise RecorderFullError(
                        f"{len(self._queue)} calls wait already; the database is too slow or away"
                    )
                case "wait":
                    await self._queue.departure()
                case "drop_oldest":
                    self._drop(1, "the queue is full")
                    if not self._queue.drop_oldest():
                        return
        if self._closed:
            self._drop(1, "the store is closed")
            return
        self._queue.put(span, size)
        self._tally.recorded += 1

    def refuse(self, error: Exception) -> None:
        """Count a call that is not usable."""
        self._tally.invalid += 1
        text = str(error) if isinstance(error, ObservatoryError) else repr(error)
        self._complaints.warn("invalid", f"a call was not recorded: {text}")

    async def flush(self) -> None:
        """Wait until all that was put so far has left the memory."""
        await self._queue.flushed()

    def health(self) -> Health:
        """Return the counters."""
        return Health(
            queued=len(self._queue),
            spool_bytes=0 if self._spool is None else self._spool.bytes,
            **msgspec.structs.asdict(self._tally),
        )

    async def close(self) -> bool:
        """Store what waits, for at most ``close_seconds``; then spool the rest, or drop it.

        Returns whether the database took everything that it was given.
        """
        self._closed = True
        self._queue.wake_waiting()
        in_time = False
        try:
            async with asyncio.timeout(self._options.close_seconds):
                await self._queue.flushed()
                in_time = True
        except TimeoutError:
            pass
        finally:
            self._ended = True
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            self._rescue()
            await asyncio.gather(*tasks, return_exceptions=True)
        return in_time and not self._delivery.is_away

    def _keep_running(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            # A loop that goes down cancels these tasks too, before the store is closed.
            if task.cancelled() and not self._ended:
                self._keep_running(work)

        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(ended)

    def _rescue(self) -> None:
        spans = self._queue.take_all()
        if spans and (self._spool is None or not self._spool.append_at_once(spans)):
            self._drop(len(spans), "the store was closed before the database took them")
        if self._spool is not None:
            self._spool.close()

    def _drop(self, count: int, why: str) -> None:
        self._tally.dropped += count
        self._complaints.warn(why, f"{count} calls were dropped: {why}")

    async def _flush(self) -> None:
        delays = Delays()
        while True:
            await self._queue.ripen(self._options.flush_seconds)
            spans = self._queue.take()
            left: Sequence[Span] = spans
            try:
                left = await self._commit_or_spool(spans)
            except Exception as error:  # noqa: BLE001 - this task must go on
                self._delivery.failed(error)
            except BaseException:
                self._queue.put_back()
                raise
            # What the database fails at lets others pass, to see whether it takes those.
            self._queue.settle(left, last=self._delivery.suspects(left))
            if len(left) < len(spans):
                delays = Delays()
            if left:
                await delays.sleep()

    async def _commit_or_spool(self, spans: Sequence[Span]) -> Sequence[Span]:
        """Return the spans that have to stay in memory."""
        if self._spool is None or self._replayer is None:
            return await self._delivery.commit(spans)
        if not self._delivery.is_away:
            spans = await self._delivery.commit(spans)
        if not spans:
            return []
        if not await self._spool.append(spans):
            return spans
        self._replayer.wake()
        return []
