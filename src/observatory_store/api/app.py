"""The application: its parts, put together for one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress

from fastapi import Depends, FastAPI

from observatory_store.api import failures
from observatory_store.api.authentication import Authenticator
from observatory_store.api.measurements import CountRequests, Measurements
from observatory_store.api.openapi import DOCUMENTED, DescribedAPI
from observatory_store.api.parameters import REPEATABLE_IN_ANALYTICS, refuse_repeated
from observatory_store.api.routes import (
    budgets,
    costs,
    errors,
    health,
    latency,
    logs,
    metrics,
    models,
    otlp,
    prices,
    sessions,
    spans,
    traces,
    usage,
)
from observatory_store.api.services import Services
from observatory_store.api.traces_endpoint import require_sdk
from observatory_store.database import open_pool
from observatory_store.ingest import Admission, Privacy, Receiver, prices_kept_fresh
from observatory_store.maintenance import keep_maintained
from observatory_store.pricing import DatabasePrices, GenAIPrices
from observatory_store.settings import Settings
from observatory_store.writers import Writers

_QUERIES = {
    module: refuse_repeated()
    for module in (traces, spans, logs, metrics, prices, models, sessions, budgets)
} | {module: refuse_repeated(REPEATABLE_IN_ANALYTICS) for module in (usage, latency, errors, costs)}


def create_app(settings: Settings) -> FastAPI:
    """Return the service as an ASGI application.

    It starts while the database is away, and then answers 503 to what needs the database.

    Raises:
        InvalidInputError: traces are to be sent, and the extra for that is missing.

    """
    measurements = Measurements()
    tracing = None
    if settings.traces_endpoint is not None:
        require_sdk()
        # Imported here: they need the extra.
        from observatory_store.api.traced_database import (  # noqa: PLC0415
            TracedPool,
            TracedWriters,
        )
        from observatory_store.api.tracing import TraceRequests, Tracing  # noqa: PLC0415

        tracing = Tracing(settings.traces_endpoint)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url.get_secret_value()
        async with (
            tracing.exporting() if tracing else nullcontext(),
            open_pool(
                url,
                max_size=settings.storing_connections,
                statement_timeout_seconds=settings.statement_timeout_seconds,
                lock_timeout_seconds=settings.lock_timeout_seconds,
                application_name="observatory-store ingest",
            ) as ingest,
            open_pool(
                url,
                max_size=settings.pool_size,
                statement_timeout_seconds=settings.query_timeout_seconds,
                lock_timeout_seconds=settings.lock_timeout_seconds,
                application_name="observatory-store reads",
            ) as reads,
        ):
            admission = Admission(settings.queue_bytes)
            writers = (
                TracedWriters(ingest, tracing.tracer, writers=settings.writers)
                if tracing
                else Writers(ingest, writers=settings.writers)
            )
            measurements.watch("ingest", ingest)
            measurements.watch("reads", reads)
            measurements.watch_admission(admission)
            measurements.watch_writers(writers)
            known_prices = DatabasePrices(GenAIPrices())
            app.state.services = Services(
                settings=settings,
                reads=TracedPool(reads, tracing.tracer) if tracing else reads,
                ingest=ingest,
                admission=admission,
                receiver=Receiver(
                    writers,
                    known_prices,
                    settings.cost,
                    Privacy(settings.payloads, settings.redact, settings.payload_characters),
                ),
                authenticator=Authenticator(ingest, settings.auth),
                measurements=measurements,
            )
            upkeep = asyncio.create_task(keep_maintained(ingest))
            async with prices_kept_fresh(ingest, known_prices):
                yield
            upkeep.cancel()
            with suppress(asyncio.CancelledError):
                await upkeep

    app = DescribedAPI(
        title="observatory-store",
        summary="LLM telemetry: OTLP in, traces, metrics, logs, usage and cost out.",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_middleware(CountRequests, measurements=measurements)
    if tracing:
        app.add_middleware(TraceRequests, tracer=tracing.tracer)
    failures.install(app)
    app.include_router(otlp.router)
    for module, check in _QUERIES.items():
        app.include_router(
            module.router,
            dependencies=[Depends(check)],
            responses=DOCUMENTED,
        )
    app.include_router(health.router)
    return app
