"""What was sent comes back as it was sent, and to send it again changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.telemetry import (
    canonical,
    everything_in_logs,
    everything_in_metrics,
    everything_in_traces,
    from_json,
    to_json,
)
from observatory_store.otlp import MediaType, Signal

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from api.service import Service

BOTH = pytest.mark.parametrize("media_type", list(MediaType))


async def _send(service: Service, signal: Signal, message: Any, media_type: MediaType) -> None:
    body = to_json(message) if media_type is MediaType.JSON else message.SerializeToString()
    response = await service.send(signal, body, media_type.value)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == media_type.value
    assert response.content == (b"{}" if media_type is MediaType.JSON else b"")


def _same(found: Message, sent: Message) -> None:
    assert canonical(found) == canonical(sent), f"{found}\n\n{sent}"


@BOTH
async def test_a_trace_comes_back_unchanged(service: Service, media_type: MediaType) -> None:
    """Otherwise a span that leaves for another backend would have lost some of what it said."""
    sent = everything_in_traces()
    await _send(service, Signal.TRACES, sent, media_type)
    trace_id = sent.resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
    document = await service.get(f"traces/{trace_id}", format="otlp")
    _same(from_json(document, ExportTraceServiceRequest), sent)


@BOTH
async def test_logs_come_back_unchanged(service: Service, media_type: MediaType) -> None:
    """Otherwise a record would have lost a field, or a true repeat been taken for a replay."""
    sent = everything_in_logs()
    await _send(service, Signal.LOGS, sent, media_type)
    document = await service.get("logs", format="otlp")
    _same(from_json(document, ExportLogsServiceRequest), sent)


@BOTH
async def test_metrics_of_every_kind_come_back_unchanged(
    service: Service, media_type: MediaType
) -> None:
    """Otherwise a kind of metric would be drawn wrong, or not at all."""
    sent = everything_in_metrics()
    await _send(service, Signal.METRICS, sent, media_type)
    found = ExportMetricsServiceRequest()
    for metric in sent.resource_metrics[0].scope_metrics[0].metrics:
        document = await service.get(f"metrics/{metric.name}/points", format="otlp")
        part = from_json(document, ExportMetricsServiceRequest)
        if not found.resource_metrics:
            found.CopyFrom(part)
        else:
            metrics = found.resource_metrics[0].scope_metrics[0].metrics
            metrics.extend(part.resource_metrics[0].scope_metrics[0].metrics)
    _same(found, sent)


async def test_a_request_sent_twice_changes_nothing(service: Service) -> None:
    """Otherwise every retry after a lost answer would double spans, calls and cost."""
    requests = {
        Signal.TRACES: everything_in_traces(),
        Signal.METRICS: everything_in_metrics(),
        Signal.LOGS: everything_in_logs(),
    }
    for signal, request in requests.items():
        await _send(service, signal, request, MediaType.PROTOBUF)
    before = await service.counts(), await service.get("usage", group_by="model")
    summaries = (await service.get("traces"))["traces"]
    for media_type in MediaType:
        for signal, request in requests.items():
            await _send(service, signal, request, media_type)
    assert await service.counts() == before[0]
    assert (await service.get("usage", group_by="model"))["rows"] == before[1]["rows"]
    assert (await service.get("traces"))["traces"] == summaries
