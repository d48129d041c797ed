"""Pretend services, each with an OpenTelemetry SDK of its own that sends over OTLP/HTTP."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from random import Random
from typing import Any

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

SCOPE, VERSION = "observatory-store-demo", "1"
QUEUE = 100_000
FLUSH_MILLISECONDS = 60_000
NANOSECONDS = 1_000_000_000

_SEVERITIES = {
    "INFO": SeverityNumber.INFO,
    "WARN": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
}


class SeededIds(IdGenerator):
    """Ids from a seeded source, so that every run draws the same."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def generate_span_id(self) -> int:
        """Return 64 random bits."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """Return 128 random bits."""
        return self._random.getrandbits(128) or 1


class Clock:
    """The pretended time of one request, in nanoseconds since 1970."""

    def __init__(self, now: int) -> None:
        self.now = now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * NANOSECONDS)


class PretendService:
    """One service: a resource, a tracer, a logger and two GenAI metrics."""

    def __init__(self, name: str, endpoint: str, ids: IdGenerator) -> None:
        resource = Resource(
            {
                "service.name": name,
                "service.version": "2.4.1",
                "service.instance.id": f"{name}-0",
                "deployment.environment.name": "production",
                "telemetry.sdk.language": "python",
            }
        )
        self._traces = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, id_generator=ids, shutdown_on_exit=False
        )
        spans = OTLPSpanExporter(f"{endpoint}/v1/traces", compression=Compression.Gzip)
        self._traces.add_span_processor(BatchSpanProcessor(spans, max_queue_size=QUEUE))
        self._logs = LoggerProvider(resource=resource, shutdown_on_exit=False)
        records = OTLPLogExporter(f"{endpoint}/v1/logs", compression=Compression.Gzip)
        self._logs.add_log_record_processor(BatchLogRecordProcessor(records, max_queue_size=QUEUE))
        points = OTLPMetricExporter(f"{endpoint}/v1/metrics", compression=Compression.Gzip)
        self._metrics = MeterProvider(
            [PeriodicExportingMetricReader(points)], resource=resource, shutdown_on_exit=False
        )
        self._tracer = self._traces.get_tracer(SCOPE, VERSION)
        self._logger = self._logs.get_logger(SCOPE, VERSION)
        meter = self._metrics.get_meter(SCOPE, VERSION)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens of one call."
        )
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "Duration of one call."
        )
        self.span_count = 0
        self.log_count = 0

    @contextmanager
    def span(
        self,
        clock: Clock,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        *,
        within: Context | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> Iterator[tuple[Span, Context]]:
        """Make a span from the clock's time now to its time at the end of the block.

        An exception is recorded on the span and makes it an error.
        """
        span = self._tracer.start_span(
            name, within, kind, dict(attributes or {}), start_time=clock.now
        )
        try:
            yield span, set_span_in_context(span, within)
        except Exception as error:
            span.record_exception(error, timestamp=clock.now)
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR, str(error)))
            raise
        finally:
            self.span_count += 1
            span.end(clock.now)

    def log(
        self, clock: Clock, severity: str, body: str, within: Context, **attributes: str | int
    ) -> None:
        """Write a log record that belongs to the span of the context."""
        self.log_count += 1
        self._logger.emit(
            timestamp=clock.now,
            context=within,
            severity_text=severity,
            severity_number=_SEVERITIES[severity],
            body=body,
            attributes=attributes,
        )

    def measure(
        self,
        attributes: Mapping[str, Any],
        tokens: Mapping[str, int],
        seconds: float,
        within: Context,
    ) -> None:
        """Record the metrics of one call; its span becomes their exemplar."""
        self._seconds.record(seconds, dict(attributes), within)
        for kind, count in tokens.items():
            self._tokens.record(count, {**attributes, "gen_ai.token.type": kind}, within)

    def flush(self) -> bool:
        """Send everything, and tell whether it was sent in time."""
        providers = (self._traces, self._logs, self._metrics)
        sent = [provider.force_flush(FLUSH_MILLISECONDS) for provider in providers]
        return all(sent)

    def shut_down(self) -> None:
        """End the SDK's threads."""
        for provider in (self._traces, self._logs, self._metrics):
            provider.shutdown()


@contextmanager
def undisturbed_environment() -> Iterator[None]:
    """Hide what would have the SDK send less, or elsewhere: its own variables, and proxies."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith("OTEL_")]:
        del os.environ[name]
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
