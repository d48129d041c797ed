"""The JSON examples of the OTLP specification, through HTTP and the database and back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.telemetry import SECOND, canonical, from_json
from observatory_store.otlp import MediaType, Signal

if TYPE_CHECKING:
    from api.service import Service

EXAMPLES = Path(__file__).parents[1] / "otlp" / "examples"


def _times(document: Any) -> list[int]:
    if isinstance(document, list):
        return [found for item in document for found in _times(item)]
    if not isinstance(document, dict):
        return []
    return [
        found
        for name, item in document.items()
        for found in ([int(item)] if _is_time(name) else _times(item))
    ]


def _is_time(name: str) -> bool:
    return name.lower().endswith("timeunixnano")


def _later(document: Any, nanos: int) -> Any:
    if isinstance(document, list):
        return [_later(item, nanos) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        name: str(int(item) + nanos) if _is_time(name) else _later(item, nanos)
        for name, item in document.items()
    }


async def _send(service: Service, signal: Signal, name: str) -> Any:
    """Send an example as if it were of a minute ago; return what was sent."""
    document = msgspec.json.decode((EXAMPLES / name).read_bytes())
    first = min(_times(document))
    sent = _later(document, time.time_ns() - 60 * SECOND - first)
    response = await service.send(signal, msgspec.json.encode(sent), MediaType.JSON.value)
    assert (response.status_code, response.content) == (200, b"{}")
    return sent


async def test_trace(service: Service) -> None:
    """Otherwise the first trace that a reader of the specification sends comes back another."""
    sent = await _send(service, Signal.TRACES, "trace.json")
    found = await service.get("traces/5B8EFFF798038103D269B633813FC60C", format="otlp")
    assert canonical(from_json(found, ExportTraceServiceRequest)) == canonical(
        from_json(sent, ExportTraceServiceRequest)
    )


@pytest.mark.parametrize("name", ["logs.json", "events.json"])
async def test_logs(service: Service, name: str) -> None:
    """Otherwise a log record, or an event with a map as its body, loses a value or its type."""
    sent = await _send(service, Signal.LOGS, name)
    found = await service.get("logs", format="otlp")
    assert canonical(from_json(found, ExportLogsServiceRequest)) == canonical(
        from_json(sent, ExportLogsServiceRequest)
    )


async def test_metrics(service: Service) -> None:
    """Otherwise a kind of metric, a bucket or a temporality is not what was measured."""
    sent = from_json(
        await _send(service, Signal.METRICS, "metrics.json"), ExportMetricsServiceRequest
    )
    expected = sent.resource_metrics[0].scope_metrics[0].metrics
    assert len(expected) == 4
    for metric in expected:
        document = await service.get(f"metrics/{metric.name}/points", format="otlp")
        found = from_json(document, ExportMetricsServiceRequest)
        alone = ExportMetricsServiceRequest()
        alone.CopyFrom(sent)
        del alone.resource_metrics[0].scope_metrics[0].metrics[:]
        alone.resource_metrics[0].scope_metrics[0].metrics.append(metric)
        assert canonical(found) == canonical(alone)
