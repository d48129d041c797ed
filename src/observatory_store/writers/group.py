"""Committing together what arrives together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import reduce
from operator import add
from typing import Generic, TypeAlias, TypeVar, cast

import msgspec

from observatory_store.writers.submission import Submission, Written

Row = TypeVar("Row")

MOST_ROWS = 5000
"""Rows after which a batch takes no further submission: more of them would not be faster."""

DIVIDED_ROWS = 2000
"""Rows from which on a submission is divided among the writers, where it can be."""

Divide: TypeAlias = Callable[[Submission[Row], int], Sequence[Submission[Row]]]
"""Divides a submission into so many at most, of which each can be committed without the others."""


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
    waits for a timer. Writers that begin at once share what waits.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Submission[Row]]], Awaitable[Sequence[Written | Exception]]],
        *,
        writers: int,
        divide: Divide[Row] | None = None,
    ) -> None:
        self._write = write
        self._divide = divide
        self._most_writers = writers
        self._beginning = 0
        self._writers: set[asyncio.Task[None]] = set()
        self._waiting: deque[tuple[Submission[Row], asyncio.Future[Written]]] = deque()
        self.observe: Callable[[Commit], None] | None = None
        """Told of each batch, for whoever measures."""
        self.around: Callable[[Submission[Row]], AbstractContextManager[None]] = _nothing
        """Entered while a submission waits, for whoever traces."""
        self.retries = 0
        """How often a batch was tried again."""

    async def submit(self, submission: Submission[Row]) -> Written:
        """Return what became of the submission, once it is committed.

        A large one may be divided, and is then committed in parts; if one of these fails the others
        stay, as duplicates of whoever tries it again.

        Whoever stops waiting before its turn is left out; after that it is committed all the same.
        """
        if not submission.rows:
            return Written()
        if self._divide and self._most_writers > 1 and len(submission.rows) >= DIVIDED_ROWS:
            parts = self._divide(submission, self._most_writers)
            # All are waited for, because their rows are held until then.
            results = await asyncio.gather(*map(self._commit, parts), return_exceptions=True)
            for one in results:
                if isinstance(one, BaseException):
                    raise one
            return reduce(add, cast("list[Written]", results))
        return await self._commit(submission)

    async def _commit(self, submission: Submission[Row]) -> Written:
        future: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, future))
        if len(self._writers) < self._most_writers:
            writer = asyncio.create_task(self._run_writer())
            self._writers.add(writer)
            self._beginning += 1
            writer.add_done_callback(self._writers.discard)
        with self.around(submission):
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

    async def _run_writer(self) -> None:
        try:
            await self._commit_waiting()
        finally:
            # At once, not when the loop has told that the task is done: whoever was waiting for the
            # last commit may submit before that, and would count on a writer that looks no more.
            self._writers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _commit_waiting(self) -> None:
        most = min(MOST_ROWS, self.waiting_rows // self._beginning)
        self._beginning -= 1
        while batch := self._next_batch(most):
            most = MOST_ROWS
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
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)

    def _tell(
        self,
        submissions: Sequence[Submission[Row]],
        begin: float,
        results: Sequence[Written | Exception] | None,
    ) -> None:
        if self.observe is None:
            return
        written = None
        if results is not None:
            done = [one for one in results if isinstance(one, Written)]
            written = Written(
                stored=sum(one.stored for one in done),
                duplicates=sum(one.duplicates for one in done),
                rejected=sum(one.rejected for one in done),
            )
        self.observe(
            Commit(
                requests=len(submissions),
                rows=sum(len(submission.rows) for submission in submissions),
                seconds=time.perf_counter() - begin,
                written=written,
            )
        )

    def _next_batch(self, most: int) -> list[tuple[Submission[Row], asyncio.Future[Written]]]:
        batch: list[tuple[Submission[Row], asyncio.Future[Written]]] = []
        rows = 0
        while self._waiting and (not batch or rows + len(self._waiting[0][0].rows) // 2 <= most):
            submission, future = self._waiting.popleft()
            if not future.done():
                batch.append((submission, future))
                rows += len(submission.rows)
        return batch


def _nothing(_: object) -> AbstractContextManager[None]:
    return nullcontext()
