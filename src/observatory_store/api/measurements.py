"""What the service measures of itself, for Prometheus. Each process has its own numbers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observatory_store.database import Pool
from observatory_store.ingest import Receipt
from observatory_store.otlp import Signal

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Measurements:
    """Counters, histograms and gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "observatory_http_requests",
            "Requests by the route's path and the status of the answer.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._records = Counter(
            "observatory_records",
            "Records of OTLP requests that were answered, by what became of them.",
            ["signal", "outcome"],
            registry=self.registry,
        )
        self._body_bytes = Counter(
            "observatory_body_bytes",
            "Bytes of OTLP bodies after decompression.",
            ["signal"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "observatory_receive_duration_seconds",
            "From the complete body to the commit.",
            ["signal"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._connections = Gauge(
            "observatory_pool_connections",
            "Connections to the database.",
            ["pool"],
            registry=self.registry,
        )
        self._idle_connections = Gauge(
            "observatory_pool_idle_connections",
            "Connections that no request uses.",
            ["pool"],
            registry=self.registry,
        )

    def watch(self, name: str, pool: Pool) -> None:
        """Measure a pool from now on."""
        self._connections.labels(name).set_function(pool.get_size)
        self._idle_connections.labels(name).set_function(pool.get_idle_size)

    def received(self, signal: Signal, body_bytes: int, seconds: float, receipt: Receipt) -> None:
        """Count one OTLP request that was stored."""
        self._records.labels(signal, "accepted").inc(receipt.accepted)
        self._records.labels(signal, "rejected").inc(receipt.rejected)
        self._body_bytes.labels(signal).inc(body_bytes)
        self._seconds.labels(signal).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class CountRequests:
    """Middleware that counts each answer."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._requests = measurements.requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note the status of what is sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # The path of the route, not that of the request, which has no end of values.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if route != "none" else "any"
            self._requests.labels(method, route, status).inc()
