"""What OpenTelemetry's own SDK sends over HTTP arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord, SeverityNumber
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

if TYPE_CHECKING:
    from api.service import Service

RESOURCE = Resource.create({"service.name": "sdk"})


def _trace(url: str) -> str:
    provider = TracerProvider(resource=RESOURCE, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{url}/v1/traces", compression=Compression.Gzip)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests", "1.0")
    with tracer.start_as_current_span("request") as root:
        with tracer.start_as_current_span("chat") as call:
            call.set_attribute("gen_ai.operation.name", "chat")
            call.set_attribute("gen_ai.provider.name", "openai")
            call.set_attribute("gen_ai.request.model", "gpt-4o")
            call.set_attribute("gen_ai.usage.input_tokens", 10)
            call.record_exception(ValueError("no"))
        trace_id = f"{root.get_span_context().trace_id:032x}"
    provider.shutdown()
    return trace_id


def _measure(url: str) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{url}/v1/metrics"))
    provider = MeterProvider([reader], RESOURCE, shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    meter.create_counter("requests", "1").add(3, {"route": "/x"})
    meter.create_histogram("gen_ai.client.operation.duration", "s").record(0.25)
    meter.create_gauge("load").set(0.5)
    provider.shutdown()


def _log(url: str) -> None:
    provider = LoggerProvider(RESOURCE, shutdown_on_exit=False)
    exporter = OTLPLogExporter(endpoint=f"{url}/v1/logs", compression=Compression.Gzip)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    record = LogRecord(severity_number=SeverityNumber.WARN, body={"a": [1]}, event_name="e")
    provider.get_logger("tests").emit(record)
    provider.shutdown()


async def test_traces_metrics_and_logs_of_the_sdk_arrive(service: Service) -> None:
    """Otherwise the most usual sender of all would not work."""
    trace_id = await asyncio.to_thread(_trace, service.url)
    await asyncio.to_thread(_measure, service.url)
    await asyncio.to_thread(_log, service.url)
    tree = await service.get(f"traces/{trace_id}")
    assert [(one["name"], one["depth"]) for one in tree["spans"]] == [("request", 0), ("chat", 1)]
    assert tree["spans"][1]["events"][0]["name"] == "exception"
    assert tree["summary"]["service_name"] == "sdk"
    assert (await service.get("usage"))["rows"][0]["input_tokens"] == 10
    metrics = {one["name"]: one for one in (await service.get("metrics"))["metrics"]}
    types = {name: one["type"] for name, one in metrics.items()}
    assert (
        types
        | {
            "requests": "sum",
            "gen_ai.client.operation.duration": "histogram",
            "load": "gauge",
        }
        == types
    )
    (point,) = (await service.get("metrics/requests/points", attribute="route=/x"))["points"]
    assert (point["value_int"], point["metric"]["is_monotonic"]) == (3, True)
    (record,) = (await service.get("logs", min_severity=13))["logs"]
    assert (record["body"], record["event_name"]) == ({"a": [1]}, "e")
