"""Committing together what arrives together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from observatory_store.writers.submission import Submission, Written

Row = TypeVar("Row")

MOST_ROWS = 5000
"""Rows after which a batch takes no further submission: more of them would not be faster."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One batch that was committed, or given up."""

    requests: int
    rows: int
    seconds: float
    """From when a writer took it until it was committed, with all that was tried again."""
    written: Written | None
    """What became of its rows together, without the problems; None if it was given up."""


class GroupCommit(Generic[Row]):
    """Commits submissions of one signal, as many together as wait when a writer is free.

    While nobody waits, a submission is committed at once and alone; under load the batches grow by
    themselves, up to ``MOST_ROWS``, because more arrives while the writers are at work. So nothing
    waits for a timer.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Submission[Row]]], Awaitable[list[Written]]],
        *,
        writers: int,
    ) -> None:
        self._write = write
        self._most_writers = writers
        self._writers: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[Submission[Row], asyncio.Future[Written]]] = deque()
        self.observe: Callable[[Commit], None] | None = None
        """Told of each batch, for whoever measures."""
        self.retries = 0
        """How often a batch was tried again."""

    async def submit(self, submission: Submission[Row]) -> Written:
        """Return what became of the submission, once it is committed.

        Whoever stops waiting before its turn is left out; after that it is committed all the same.
        """
        if not submission.rows:
            return Written()
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, future))
        if len(self._writers) < self._most_writers:
            writer = asyncio.create_task(self._commit_waiting())
            self._writers.add(writer)
            writer.add_done_callback(self._writers.discard)
        return await future

    @property
    def waiting_rows(self) -> int:
        """How many rows wait for a writer."""
        return sum(len(submission.rows) for submission, _ in self._waiting)

    @property
    def waiting_requests(self) -> int:
        """How many submissions wait for a writer."""
        return len(self._waiting)

    def count_retry(self) -> None:
        """Note that a batch is tried again."""
        self.retries += 1

    async def close(self) -> None:
        """Wait until all that was submitted is committed."""
        while self._writers:
            await asyncio.gather(*self._writers)

    async def _commit_waiting(self) -> None:
        while batch := self._next_batch():
            submissions = [submission for submission, _ in batch]
            begin = time.perf_counter()
            try:
                results = await self._write(submissions)
            except BaseException as error:
                self._tell(submissions, begin, None)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                self._tell(submissions, begin, results)
                for (_, future), written in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(written)

    def _tell(
        self,
        submissions: Sequence[Submission[Row]],
        begin: float,
        results: Sequence[Written] | None,
    ) -> None:
        if self.observe is None:
            return
        written = None
        if results is not None:
            written = Written(
                stored=sum(one.stored for one in results),
                duplicates=sum(one.duplicates for one in results),
                rejected=sum(one.rejected for one in results),
            )
        self.observe(
            Commit(
                requests=len(submissions),
                rows=sum(len(submission.rows) for submission in submissions),
                seconds=time.perf_counter() - begin,
                written=written,
            )
        )

    def _next_batch(self) -> list[tuple[Submission[Row], asyncio.Future[Written]]]:
        batch: list[tuple[Submission[Row], asyncio.Future[Written]]] = []
        rows = 0
        while self._waiting and rows < MOST_ROWS:
            submission, future = self._waiting.popleft()
            if not future.done():
                batch.append((submission, future))
                rows += len(submission.rows)
        return batch
