"""What a client gets to read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from observatory_store.errors import UnsupportedMediaTypeError
from observatory_store.otlp import MediaType, Signal, encode_response, encode_status

RESPONSES: dict[Signal, tuple[Any, str, str]] = {
    Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    Signal.METRICS: (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}


@pytest.mark.parametrize("signal", Signal)
def test_full_success(signal: Signal) -> None:
    """Otherwise exporters log a partial success for each request (OTLP: leave it unset)."""
    body = encode_response(signal, MediaType.PROTOBUF, rejected=0, message="")
    assert not RESPONSES[signal][0].FromString(body).HasField("partial_success")
    assert encode_response(signal, MediaType.JSON, rejected=0, message="") == b"{}"


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize(("rejected", "message"), [(3, "why"), (0, "repaired"), (1, "")])
def test_partial_success(signal: Signal, rejected: int, message: str) -> None:
    """Otherwise a client does not learn that records were refused, or why."""
    kind, name, json_name = RESPONSES[signal]
    body = encode_response(signal, MediaType.PROTOBUF, rejected=rejected, message=message)
    response = kind.FromString(body)
    assert response.HasField("partial_success")
    assert getattr(response.partial_success, name) == rejected
    assert response.partial_success.error_message == message
    document = msgspec.json.decode(
        encode_response(signal, MediaType.JSON, rejected=rejected, message=message)
    )
    partial = document["partialSuccess"]
    assert partial.get(json_name, "0") == str(rejected)
    assert partial.get("errorMessage", "") == message


def test_status() -> None:
    """Otherwise an exporter cannot show the reason of a 4xx (OTLP: the body is a Status)."""
    body = encode_status(MediaType.PROTOBUF, code=3, message="bad\ud800")
    status = status_pb2.Status.FromString(body)
    assert (status.code, status.message) == (3, "bad?")
    body = encode_status(MediaType.JSON, code=3, message="bad")
    assert msgspec.json.decode(body) == {"code": 3, "message": "bad"}


@pytest.mark.parametrize(
    ("header", "media_type"),
    [
        ("application/json", MediaType.JSON),
        ("application/json; charset=utf-8", MediaType.JSON),
        (" Application/JSON ;charset=utf-8", MediaType.JSON),
        ("application/x-protobuf", MediaType.PROTOBUF),
        ("application/x-protobuf;messageType=x", MediaType.PROTOBUF),
    ],
)
def test_media_type(header: str, media_type: MediaType) -> None:
    """Otherwise a client that adds a charset is refused."""
    assert MediaType.parse(header) is media_type


@pytest.mark.parametrize("header", [None, "", "text/plain", "application/jsonx", "json"])
def test_other_media_type(header: str | None) -> None:
    """Otherwise a body is read as what it is not."""
    with pytest.raises(UnsupportedMediaTypeError, match="application/x-protobuf"):
        MediaType.parse(header)
