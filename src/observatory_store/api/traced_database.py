"""The work on the database as spans of the service's own traces."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Tracer

from observatory_store.api.tracing import SCOPE, ending, from_elsewhere
from observatory_store.database import Pool
from observatory_store.rows import Span
from observatory_store.sql import load
from observatory_store.writers import GroupCommit, Submission, Writers, Written
from observatory_store.writers.group import Divide
from observatory_store.writers.writer import Writer

Row = TypeVar("Row")
_Write: TypeAlias = Callable[[Writer, Sequence[Submission[Row]]], Awaitable[list[Written]]]

_DATABASE: Final = {"db.system.name": "postgresql"}
# What stands before the first mark that is replaced.
_QUERIES = {
    re.split(r"/\* \w+ \*/", query, maxsplit=1)[0]: name
    for file in ("reading", "analytics")
    for name, query in load(file).items()
}


class TracedPool:
    """A pool whose queries are traced by their names: neither their text nor their arguments."""

    def __init__(self, pool: Pool, tracer: Tracer) -> None:
        self._pool = pool
        self._tracer = tracer

    async def fetch(self, query: str, *arguments: Any) -> Any:  # noqa: ANN401 - as asyncpg
        """Return the records of a query."""
        name = next((name for begin, name in _QUERIES.items() if query.startswith(begin)), "query")
        attributes = {**_DATABASE, "db.query.summary": name}
        with ending(self._tracer.start_span(name, None, SpanKind.CLIENT, attributes)):
            return await self._pool.fetch(query, *arguments)


@dataclass(slots=True)
class _Waiting:
    """A request that waits for its commit."""

    span: trace.Span
    attempts: int = 0


class TracedWriters(Writers):
    """Writers whose attempts to commit are traced.

    Such a span is in the trace of the first request of its batch, and has links to the others.
    """

    def __init__(self, pool: Pool, tracer: Tracer, *, writers: int) -> None:
        self._tracer = tracer
        self._waiting: dict[int, _Waiting] = {}
        super().__init__(pool, writers=writers)

    def _group(self, write: _Write[Row], *, divide: Divide[Row] | None = None) -> GroupCommit[Row]:
        async def traced(writer: Writer, batch: Sequence[Submission[Row]]) -> list[Written]:
            with self._commit(batch):
                return await write(writer, batch)

        group = super()._group(traced, divide=divide)
        group.around = self._remember
        return group

    @contextmanager
    def _remember(self, submission: Submission[Row]) -> Iterator[None]:
        span = trace.get_current_span()
        if all(
            isinstance(row, Span) and row.resource.scope_name == SCOPE for row in submission.rows
        ):
            yield
            return
        from_elsewhere.set(True)
        span.set_attribute("observatory.rows", len(submission.rows))
        self._waiting[id(submission)] = _Waiting(span)
        try:
            yield
        finally:
            del self._waiting[id(submission)]

    @contextmanager
    def _commit(self, batch: Sequence[Submission[Row]]) -> Iterator[None]:
        found = (self._waiting.get(id(submission)) for submission in batch)
        waiting = [one for one in found if one and one.span.is_recording()]
        if not waiting:
            yield
            return
        first, *others = waiting
        attributes: Mapping[str, str | int] = {
            **_DATABASE,
            "observatory.commit.requests": len(batch),
            "observatory.commit.rows": sum(len(submission.rows) for submission in batch),
            "observatory.commit.retries": first.attempts,
        }
        first.attempts += 1
        context = trace.set_span_in_context(first.span, Context())
        links = [Link(other.span.get_span_context()) for other in others]
        with ending(self._tracer.start_span("commit", context, SpanKind.CLIENT, attributes, links)):
            yield
