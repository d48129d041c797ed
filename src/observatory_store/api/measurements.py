"""What the service measures of itself, for Prometheus. Each process has its own numbers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from observatory_store.api.database_measurements import DatabaseMeasurements
from observatory_store.database import Pool
from observatory_store.ingest import Admission, Receipt
from observatory_store.otlp import Signal
from observatory_store.writers import GroupCommit, Writers
from observatory_store.writers.group import Commit

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)


class Measurements:
    """Counters, histograms and gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.database = DatabaseMeasurements()
        self.registry.register(self.database)
        self.requests = self._counter(
            "observatory_http_requests",
            "Requests by the route's path and the status of the answer.",
            *("method", "route", "status"),
        )
        self._records = self._counter(
            "observatory_records",
            "Records of OTLP requests that were answered, by what became of them.",
            *("signal", "outcome"),
        )
        self._rows = self._counter(
            "observatory_rows",
            "Rows that went to the database, by what became of them.",
            *("signal", "outcome"),
        )
        self._body_bytes = self._counter(
            "observatory_body_bytes", "Bytes of OTLP bodies after decompression.", "signal"
        )
        self._seconds = self._histogram(
            "observatory_receive_duration_seconds",
            "From the complete body to the commit.",
            _SECONDS,
        )
        self._commit_seconds = self._histogram(
            "observatory_commit_duration_seconds",
            "From when a writer took a batch to its commit, with all that was tried again.",
            _SECONDS,
        )
        self._commit_rows = self._histogram("observatory_commit_rows", "Rows of a batch.", _ROWS)
        self._held_bytes = self._gauge(
            "observatory_held_bytes",
            "Bytes that the OTLP requests under way hold, bodies and rows.",
        )
        self._held_requests = self._gauge(
            "observatory_held_requests", "OTLP requests that are under way."
        )
        self._connections = self._gauge(
            "observatory_pool_connections", "Connections to the database.", "pool"
        )
        self._idle_connections = self._gauge(
            "observatory_pool_idle_connections", "Connections that no request uses.", "pool"
        )
        self._most_connections = self._gauge(
            "observatory_pool_max_connections", "Most connections that the pool may open.", "pool"
        )

    def watch(self, name: str, pool: Pool) -> None:
        """Measure a pool from now on."""
        self._connections.labels(name).set_function(pool.get_size)
        self._idle_connections.labels(name).set_function(pool.get_idle_size)
        self._most_connections.labels(name).set_function(pool.get_max_size)

    def watch_admission(self, admission: Admission) -> None:
        """Measure what requests hold from now on."""
        self._held_bytes.set_function(lambda: admission.held_bytes)
        self._held_requests.set_function(lambda: admission.requests)

    def watch_writers(self, writers: Writers) -> None:
        """Measure the writers of all signals from now on."""
        groups: dict[Signal, GroupCommit[Any]] = {
            Signal.TRACES: writers.spans,
            Signal.METRICS: writers.points,
            Signal.LOGS: writers.logs,
        }
        for signal, group in groups.items():
            group.observe = partial(self._committed, signal)
        self.registry.register(_Queues(groups))

    def received(self, signal: Signal, body_bytes: int, seconds: float, receipt: Receipt) -> None:
        """Count one OTLP request that was stored."""
        self._records.labels(signal, "accepted").inc(receipt.accepted)
        self._records.labels(signal, "rejected").inc(receipt.rejected)
        self._body_bytes.labels(signal).inc(body_bytes)
        self._seconds.labels(signal).observe(seconds)

    def _committed(self, signal: Signal, commit: Commit) -> None:
        self._commit_rows.labels(signal).observe(commit.rows)
        self._commit_seconds.labels(signal).observe(commit.seconds)
        if commit.written is None:
            self._rows.labels(signal, "failed").inc(commit.rows)
            return
        self._rows.labels(signal, "committed").inc(commit.written.stored)
        self._rows.labels(signal, "duplicate").inc(commit.written.duplicates)
        self._rows.labels(signal, "rejected").inc(commit.written.rejected)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(name, told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        return Gauge(name, told, labels, registry=self.registry)

    def _histogram(self, name: str, told: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, told, ["signal"], buckets=buckets, registry=self.registry)


class _Queues(Collector):
    """What waits for a writer, and how often a batch was tried again."""

    def __init__(self, groups: dict[Signal, GroupCommit[Any]]) -> None:
        self._groups = groups

    def collect(self) -> Iterator[Metric]:
        labels = ["signal"]
        rows = GaugeMetricFamily(
            "observatory_queue_rows", "Rows that wait for a writer.", labels=labels
        )
        requests = GaugeMetricFamily(
            "observatory_queue_requests", "Requests that wait for a writer.", labels=labels
        )
        retries = CounterMetricFamily(
            "observatory_commit_retries",
            "How often a batch was tried again after a failure that may pass.",
            labels=labels,
        )
        for signal, group in self._groups.items():
            rows.add_metric([signal], group.waiting_rows)
            requests.add_metric([signal], group.waiting_requests)
            retries.add_metric([signal], group.retries)
        yield from (rows, requests, retries)


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
