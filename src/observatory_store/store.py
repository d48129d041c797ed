"""The store: what a program imports to write and read LLM telemetry."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from observatory_store.database import Pool, open_pool, translate_failures
from observatory_store.errors import InvalidInputError, UnavailableError
from observatory_store.ingest import Privacy, present_prices, priced, prices_kept_fresh
from observatory_store.ingest.recorder import Recorder, open_recorder
from observatory_store.ingest.recording import Health, RecordingOptions
from observatory_store.ingest.spool import Spool
from observatory_store.llm import LLMCall
from observatory_store.maintenance import RecostRange, RecostReport, Recosts
from observatory_store.pricing import DatabasePrices, GenAIPrices, Pricer
from observatory_store.repositories import (
    AnalyticsRepository,
    BudgetRepository,
    KeyRepository,
    LogRepository,
    MetricRepository,
    ProjectRepository,
    SpanRepository,
    TraceRepository,
)
from observatory_store.repositories.projects import Project
from observatory_store.rows import LogRecord, MetricPoint, Span
from observatory_store.settings import (
    DEFAULT_DATABASE_URL,
    CostSource,
    PayloadPolicy,
    PrivacySettings,
    Redaction,
)
from observatory_store.writers import Submission, Writers, Written

DEFAULT_PROJECT = "default"

POLICY_SECONDS = 10.0
"""How long a project's former payload policy may still be applied."""


class Store:
    """One project of one database.

    >>> async with Store.open("postgresql://localhost/observatory") as store:
    ...     await store.record(LLMCall(provider="openai", model="gpt-4o", input_tokens=812))
    ...     trace = await store.traces.get(trace_id)
    """

    def __init__(
        self,
        pool: Pool,
        writers: Writers,
        project_id: int | None,
        pricer: Pricer,
        *,
        project: str = DEFAULT_PROJECT,
        cost: CostSource = CostSource.COMPUTED,
        privacy: Privacy | None = None,
    ) -> None:
        """Use :meth:`open` instead, unless the pool is shared with other projects' stores.

        Without ``project_id``, the first write asks the database for that of ``project``. A store
        made like this writes and reads, but does not record.
        """
        self._pool = pool
        self._writers = writers
        self._pricer = pricer
        self._cost = cost
        self._project = project
        self._project_id = project_id
        self._privacy = privacy or Privacy()
        self._policy: PayloadPolicy | None = None
        self._policy_until = 0.0
        self._recorder: Recorder | None = None
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
        cost: CostSource = CostSource.COMPUTED,
        pool_size: int = 4,
        statement_timeout_seconds: float = 30.0,
        lock_timeout_seconds: float = 5.0,
        recording: RecordingOptions | None = None,
        spool_dir: str | os.PathLike[str] | None = None,
        payloads: PayloadPolicy | str | None = None,
        payload_characters: int | None = None,
        redact: Sequence[Redaction | str] | None = None,
    ) -> AsyncIterator[Store]:
        """Open a store; when the block ends, what was recorded is stored, or spooled, or dropped.

        Args:
            url: a libpq URL; ``OBSERVATORY_DATABASE_URL`` if it is None.
            project: name of the project; it must exist.
            pricer: where costs come from; by default the table ``prices``, and where that has none
                the data bundled with ``genai-prices``.
            cost: which cost is stored, the computed one or one that comes with the span.
            pool_size: most connections that this store opens.
            statement_timeout_seconds: longest that a statement may run.
            lock_timeout_seconds: longest that a statement may wait for a lock.
            recording: how :meth:`record` queues; by default ``RecordingOptions()``.
            spool_dir: folder for what is recorded while the database is away;
                ``OBSERVATORY_SPOOL_DIR`` if it is None. An empty one is none.
            payloads: ``keep``, ``truncate`` or ``drop`` what was said to models and by them;
                ``OBSERVATORY_PAYLOADS`` if it is None. The project's own setting goes first.
            payload_characters: what ``truncate`` leaves of each text;
                ``OBSERVATORY_PAYLOAD_CHARACTERS`` if it is None.
            redact: what is replaced before anything is stored, of ``email``, ``phone``, ``card``
                and ``key``; ``OBSERVATORY_REDACT``, a list with commas, if it is None.

        Raises:
            InvalidInputError: ``payloads``, ``payload_characters`` or ``redact`` is none of these.
            UnavailableError: the database cannot be reached, and there is no spool.
            SchemaNotAppliedError: it lacks the schema, and there is no spool.
            NotFoundError: it has no such project.
            SpoolError: the spool's folder cannot be used.

        """
        if url is None:
            url = os.environ.get("OBSERVATORY_DATABASE_URL", DEFAULT_DATABASE_URL)
        if spool_dir is None:
            spool_dir = os.environ.get("OBSERVATORY_SPOOL_DIR", "")
        options = recording or RecordingOptions()
        privacy = _privacy(payloads, payload_characters, redact)
        async with open_pool(
            url,
            max_size=pool_size,
            statement_timeout_seconds=statement_timeout_seconds,
            lock_timeout_seconds=lock_timeout_seconds,
        ) as pool:
            prices = DatabasePrices(GenAIPrices())
            store = cls(
                pool,
                Writers(pool),
                None,
                pricer or prices,
                project=project,
                cost=cost,
                privacy=privacy,
            )
            spool = partial(Spool, Path(spool_dir), project, options.spool_bytes)
            async with (
                open_recorder(
                    store._commit,
                    store._find_project,
                    options,
                    spool if os.fspath(spool_dir) else None,
                    # To close it would wait for connections on which nothing comes any more.
                    on_failure=pool.terminate,
                ) as store._recorder,
                prices_kept_fresh(pool, prices) if pricer is None else nullcontext(),
            ):
                yield store

    @property
    def project_id(self) -> int:
        """Id of the project.

        Raises:
            UnavailableError: the database has been away since the store was opened.

        """
        if self._project_id is None:
            raise UnavailableError("the database has been away since the store was opened")
        return self._project_id

    @property
    def traces(self) -> TraceRepository:
        """Lists of traces, and whole traces by id. Raises like :attr:`project_id`."""
        return TraceRepository(self._pool, self.project_id)

    @property
    def spans(self) -> SpanRepository:
        """Lists of spans. Raises like :attr:`project_id`."""
        return SpanRepository(self._pool, self.project_id)

    @property
    def logs(self) -> LogRepository:
        """Lists of log records. Raises like :attr:`project_id`."""
        return LogRepository(self._pool, self.project_id)

    @property
    def metrics(self) -> MetricRepository:
        """Metrics and their points. Raises like :attr:`project_id`."""
        return MetricRepository(self._pool, self.project_id)

    @property
    def analytics(self) -> AnalyticsRepository:
        """Usage and cost, from the rollups. Raises like :attr:`project_id`."""
        return AnalyticsRepository(self._pool, self.project_id)

    @property
    def budgets(self) -> BudgetRepository:
        """What calls may cost in a period. Raises like :attr:`project_id`."""
        return BudgetRepository(self._pool, self.project_id)

    async def record(self, call: LLMCall) -> None:
        """Have one call of a model stored, with its cost, in the background.

        It returns at once, but for ``when_full="wait"``. A call that is not usable, a full queue, a
        database that is away: none of them is the caller's trouble. They are logged, and counted in
        :meth:`health`. Call it on the event loop that the store was opened on.

        Raises:
            RecorderFullError: the queue is full, with ``when_full="raise"`` only.

        """
        recorder = self._require_recorder()
        try:
            span = self._priced(call.to_span(datetime.now(UTC), _new_ids))
            (span,) = self._privacy.spans([span], self._policy)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it
            recorder.refuse(error)
            return
        await recorder.put(span)

    async def flush(self) -> None:
        """Wait until every call recorded so far is committed, or in the spool, or was dropped.

        Without a spool that takes as long as the database is away: bound it by
        ``asyncio.timeout``, which harms nothing.
        """
        await self._require_recorder().flush()

    def health(self) -> Health:
        """Return what became of the calls that were recorded. It asks nobody, so it costs nothing.

        A store without a recorder has nothing to count.
        """
        return Health() if self._recorder is None else self._recorder.health()

    async def write_spans(self, spans: Iterable[Span]) -> Written:
        """Store spans; to store them again changes nothing.

        A call of a model without a cost is given the one its price makes.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        return await self._commit([self._priced(span) for span in spans])

    async def write_logs(self, records: Iterable[LogRecord]) -> Written:
        """Store log records; to store them again changes nothing.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        rows = list(records)
        await self._find_policy()
        submission = await self._submission(self._privacy.logs(rows, self._policy))
        with translate_failures():
            return await self._writers.logs.submit(submission)

    async def write_points(self, points: Iterable[MetricPoint]) -> Written:
        """Store metric points; to store them again changes nothing.

        Raises:
            UnavailableError: the database cannot take them now; to send them again is harmless.

        """
        submission = await self._submission(self._privacy.points(list(points)))
        with translate_failures():
            return await self._writers.points.submit(submission)

    async def recost(
        self,
        start: datetime,
        end: datetime | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        by: str | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> RecostReport:
        """Compute stored costs of the project again, by the prices in force when calls began.

        To do it twice changes nothing more; see docs/prices.md.

        Args:
            start: calls that began from this time on; with an offset.
            end: and before this one; None is the present.
            provider: only of this provider.
            model: only of this model: the one that answered, or else the one asked for.
            by: who wants it; None is the role of the database.
            reason: why, for the record in ``recosts``.
            dry_run: return what would change, and change nothing.

        Raises:
            InvalidInputError: the range is empty, or the pool has one connection only.
            ConflictError: another recost is under way.
            RefreshError: the costs are right, but a rollup could not be refreshed.
            UnavailableError: the database is away; what was done stays.

        """
        own = isinstance(self._pricer, DatabasePrices)
        pricer = await present_prices(self._pool) if own else self._pricer
        recosts = Recosts(self._pool, pricer, self._cost)
        wanted = RecostRange(
            start=start,
            end=end or datetime.now(UTC),
            project_id=self.project_id,
            provider=provider,
            model=model,
        )
        if dry_run:
            return await recosts.preview(wanted)
        return await recosts.run(wanted, by=by, reason=reason)

    def _priced(self, span: Span) -> Span:
        return priced(span, self._pricer, self._cost)

    async def _commit(self, spans: Sequence[Span]) -> Written:
        await self._find_policy()
        # Also what waited in the spool since before the project had its policy.
        submission = await self._submission(self._privacy.spans(list(spans), self._policy))
        with translate_failures():
            return await self._writers.spans.submit(submission)

    async def _submission(self, rows: Sequence[Any]) -> Submission[Any]:
        if self._project_id is None:
            await self._find_project()
        return Submission(project_id=self.project_id, rows=rows)

    async def _find_project(self) -> None:
        self._found(await self.projects.get(self._project))

    def _found(self, project: Project) -> None:
        self._project_id = project.project_id
        self._policy = project.payloads
        self._policy_until = time.monotonic() + POLICY_SECONDS

    async def _find_policy(self) -> None:
        if time.monotonic() < self._policy_until:
            return
        if self._project_id is None:
            await self._find_project()
        else:
            self._found(await self.projects.by_id(self._project_id))

    def _require_recorder(self) -> Recorder:
        if self._recorder is None:
            raise RuntimeError("this store does not record: open it by Store.open")
        return self._recorder


def _privacy(
    payloads: PayloadPolicy | str | None,
    characters: int | None,
    redact: Sequence[Redaction | str] | None,
) -> Privacy:
    given = {"payloads": payloads, "payload_characters": characters, "redact": redact}
    try:
        settings = PrivacySettings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # they are checked
    except ValueError as error:
        raise InvalidInputError(f"unknown payload policy or redaction: {error}") from None
    return Privacy(settings.payloads, settings.redact, settings.payload_characters)


def _new_ids() -> tuple[str, str]:
    return secrets.token_hex(16), secrets.token_hex(8)
