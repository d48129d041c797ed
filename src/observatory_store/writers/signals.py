"""The writers of all signals on one pool."""

from __future__ import annotations

from functools import partial

from observatory_store.database import Pool
from observatory_store.rows import LogRecord, MetricPoint, Span
from observatory_store.writers.group import GroupCommit
from observatory_store.writers.isolate import isolating
from observatory_store.writers.logs import write_logs
from observatory_store.writers.metrics import write_points
from observatory_store.writers.spans import write_spans
from observatory_store.writers.writer import Writer


class Writers:
    """Group commit for spans, metric points and log records."""

    def __init__(self, pool: Pool, *, writers: int = 2) -> None:
        writer = Writer(pool)
        self.spans: GroupCommit[Span] = GroupCommit(
            partial(isolating, partial(write_spans, writer)), writers=writers
        )
        self.points: GroupCommit[MetricPoint] = GroupCommit(
            partial(isolating, partial(write_points, writer)), writers=writers
        )
        self.logs: GroupCommit[LogRecord] = GroupCommit(
            partial(isolating, partial(write_logs, writer)), writers=writers
        )

    async def close(self) -> None:
        """Wait until all that was submitted is committed."""
        for group in (self.spans, self.points, self.logs):
            await group.close()
