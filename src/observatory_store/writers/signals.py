"""The writers of all signals on one pool."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from observatory_store.database import Pool
from observatory_store.rows import LogRecord, MetricPoint, Span
from observatory_store.writers.group import Divide, GroupCommit
from observatory_store.writers.isolate import separating
from observatory_store.writers.logs import write_logs
from observatory_store.writers.metrics import write_points
from observatory_store.writers.retry import retrying
from observatory_store.writers.spans import by_trace, write_spans
from observatory_store.writers.submission import Submission, Written
from observatory_store.writers.writer import Writer

Row = TypeVar("Row")
_Write: TypeAlias = Callable[[Writer, Sequence[Submission[Row]]], Awaitable[list[Written]]]

WRITERS = 2
"""Connections that write one signal at a time. More than the server has cores are no faster."""


class Writers:
    """Group commit for spans, metric points and log records."""

    def __init__(self, pool: Pool, *, writers: int = WRITERS) -> None:
        self._pool = pool
        self._writer = Writer(pool)
        self._count = writers
        self.spans: GroupCommit[Span] = self._group(write_spans, divide=by_trace)
        self.points: GroupCommit[MetricPoint] = self._group(write_points)
        self.logs: GroupCommit[LogRecord] = self._group(write_logs)

    def _group(self, write: _Write[Row], *, divide: Divide[Row] | None = None) -> GroupCommit[Row]:
        written = partial(write, self._writer)

        async def write_again(submissions: Sequence[Submission[Row]]) -> list[Written]:
            return await retrying(self._pool, written, submissions, on_retry=group.count_retry)

        group: GroupCommit[Row] = GroupCommit(
            partial(separating, write_again), writers=self._count, divide=divide
        )
        return group

    async def close(self) -> None:
        """Wait until all that was submitted is committed."""
        for group in (self.spans, self.points, self.logs):
            await group.close()
