"""The store: what a program imports to write and read LLM telemetry."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from observatory_store.database import Pool, open_pool, translate_failures
from observatory_store.ingest import priced
from observatory_store.llm import LLMCall
from observatory_store.pricing import GenAIPrices, Pricer
from observatory_store.repositories import (
    AnalyticsRepository,
    KeyRepository,
    LogRepository,
    MetricRepository,
    ProjectRepository,
    SpanRepository,
    TraceRepository,
)
from observatory_store.rows import LogRecord, MetricPoint, Span
from observatory_store.settings import DEFAULT_DATABASE_URL
from observatory_store.writers import Submission, Writers, Written

DEFAULT_PROJECT = "default"


class Store:
    """One project of one database.

    >>> async with Store.open("postgresql://localhost/observatory") as store:
    ...     await store.record(LLMCall(provider="openai", model="gpt-4o", input_tokens=812))
    ...     trace = await store.traces.get(trace_id)
    """

    def __init__(self, pool: Pool, writers: Writers, project_id: int, pricer: Pricer) -> None:
        """Use :meth:`open` instead, unless the pool is shared with other projects' stores."""
        self._writers = writers
        self._pricer = pricer
        self.project_id = project_id
        self.traces = TraceRepository(pool, project_id)
        """Lists of traces, and whole traces by id."""
        self.spans = SpanRepository(pool, project_id)
        """Lists of spans."""
        self.logs = LogRepository(pool, project_id)
        """Lists of log records."""
        self.metrics = MetricRepository(pool, project_id)
        """Metrics and their points."""
        self.analytics = AnalyticsRepository(pool, project_id)
        """Usage and cost, from the rollups."""
        self.projects = ProjectRepository(pool)
        """All projects of the database."""
        self.keys = KeyRepository(pool)
        """The API keys of the service."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str | None = None,
        *,
        project: str = DEFAULT_PROJECT,
        pricer: Pricer | None = None,
        pool_size: int = 4,
        statement_timeout_seconds: float = 30.0,
        lock_timeout_seconds: float = 5.0,
    ) -> AsyncIterator[Store]:
        """Open a store.

        Args:
            url: a libpq URL; ``OBSERVATORY_DATABASE_URL`` if it is None.
            project: name of the project; it must exist.
            pricer: where costs come from; by default the data bundled with ``genai-prices``.
            pool_size: most connections that this store opens.
            statement_timeout_seconds: longest that a statement may run.
            lock_timeout_seconds: longest that a statement may wait for a lock.

        Raises:
            UnavailableError: the database cannot be reached.
            SchemaNotAppliedError: it lacks the schema.
            NotFoundError: it has no such project.

        """
        if url is None:
            url = os.environ.get("OBSERVATORY_DATABASE_URL", DEFAULT_DATABASE_URL)
        async with open_pool(
            url,
            max_size=pool_size,
            statement_timeout_seconds=statement_timeout_seconds,
            lock_timeout_seconds=lock_timeout_seconds,
        ) as pool:
            found = await ProjectRepository(pool).get(project)
            yield cls(pool, Writers(pool), found.project_id, pricer or GenAIPrices())

    async def record(self, call: LLMCall) -> Written:
        """Store one call of a model, with its cost; returns once it is committed.

        Raises:
            InvalidInputError: a field of the call is not usable; the message names it.
            UnavailableError: the database cannot take it now.

        """
        return await self.write_spans([call.to_span(datetime.now(UTC), _new_ids)])

    async def write_spans(self, spans: Iterable[Span]) -> Written:
        """Store spans; to store them again changes nothing.

        A call of a model without a cost is given the one its price makes.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        rows = [priced(span, self._pricer) for span in spans]
        with translate_failures():
            return await self._writers.spans.submit(self._submission(rows))

    async def write_logs(self, records: Iterable[LogRecord]) -> Written:
        """Store log records; to store them again changes nothing.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        rows = list(records)
        with translate_failures():
            return await self._writers.logs.submit(self._submission(rows))

    async def write_points(self, points: Iterable[MetricPoint]) -> Written:
        """Store metric points; to store them again changes nothing.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        rows = list(points)
        with translate_failures():
            return await self._writers.points.submit(self._submission(rows))

    def _submission(self, rows: list[Any]) -> Submission[Any]:
        return Submission(project_id=self.project_id, rows=rows)


def _new_ids() -> tuple[str, str]:
    return secrets.token_hex(16), secrets.token_hex(8)
