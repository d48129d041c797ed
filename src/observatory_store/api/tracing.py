"""The service's own traces. Imported only where they are switched on, as it needs an extra.

What is sent to ``/v1/*`` is traced only once it is decoded and holds something that did not come
from here. So no path on which exported spans come back, be it a balancer, a Collector or another
store, makes new ones of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from http import HTTPMethod
from importlib.metadata import version
from threading import Thread
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import HttpUrl
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observatory_store.api.traces_endpoint import traces_url

NAME: Final = "observatory-store"
SCOPE: Final = "observatory_store.api.tracing"
"""Instrumentation scope of our spans, by which they are known wherever they come from."""

FLUSH_SECONDS = 5.0
"""Longest that the end of the service waits for its last spans to be sent."""

_RECEIVING, _TRACED = "/v1/", ("/v1/", "/api/")
_METHODS = frozenset(HTTPMethod)
_PROPAGATOR: Final = TraceContextTextMapPropagator()

from_elsewhere: ContextVar[bool] = ContextVar("from_elsewhere", default=False)
"""Whether the request at hand brought rows that are not our own spans."""


class Tracing:
    """Makes the spans of one process, and sends them while :meth:`exporting`."""

    def __init__(self, endpoint: HttpUrl) -> None:
        self._endpoint = traces_url(endpoint)
        ours = Resource.create({"service.name": NAME, "service.version": version(NAME)})
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say goes before.
        resource = ours.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self.tracer = self._provider.get_tracer(SCOPE, version(NAME))

    @asynccontextmanager
    async def exporting(self) -> AsyncIterator[None]:
        """Send spans until the block ends, and then those that are left, if that is soon done."""
        exporter = OTLPSpanExporter(self._endpoint)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        try:
            yield
        finally:
            # A thread that the end of the process does not wait for.
            flushing = Thread(target=self._provider.shutdown, daemon=True)
            flushing.start()
            await asyncio.to_thread(flushing.join, FLUSH_SECONDS)
            if flushing.is_alive():
                exporter.shutdown()  # type: ignore[no-untyped-call]  # of the SDK


class TraceRequests:
    """Middleware that traces what senders and readers ask for, not what probes do."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, within its span."""
        if scope["type"] != "http" or not scope["path"].startswith(_TRACED):
            await self._app(scope, receive, send)
            return
        receiving = scope["path"].startswith(_RECEIVING)
        known = scope["method"] in _METHODS
        attributes = {
            "http.request.method": scope["method"] if known else "_OTHER",
            "url.scheme": scope["scheme"],
        }
        # A sender's trace is not about what it sends, nor does it decide what we sample.
        parent = Context() if receiving else _PROPAGATOR.extract(Headers(scope=scope), Context())
        name = scope["method"] if known else "HTTP"
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        from_elsewhere.set(False)
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with _within(span):
                await self._app(scope, receive, noting)
                if status >= 500:  # noqa: PLR2004 - the server's faults
                    _fail(span, str(status))
        finally:
            span.set_attribute("http.response.status_code", status)
            if route := getattr(scope.get("route"), "path", None):
                span.update_name(f"{name} {route}")
                span.set_attributes({"http.route": route, "url.path": scope["path"]})
            # A span that never ends is never sent.
            if not receiving or from_elsewhere.get():
                span.end()


@contextmanager
def _within(span: trace.Span) -> Iterator[None]:
    try:
        # Without the messages of errors, which may quote what was sent.
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except BaseException as error:
        _fail(span, type(error).__qualname__)
        raise


@contextmanager
def ending(span: trace.Span) -> Iterator[None]:
    """Make the span the current one until the block ends, and then end it."""
    try:
        with _within(span):
            yield
    finally:
        span.end()


def _fail(span: trace.Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)
