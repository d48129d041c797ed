"""Response bodies of OTLP/HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from google.rpc import status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from observatory_store.otlp.media_type import MediaType
from observatory_store.otlp.signal import Signal

if TYPE_CHECKING:
    from google.protobuf.message import Message

_JSON_COUNTS = {
    Signal.TRACES: "rejectedSpans",
    Signal.METRICS: "rejectedDataPoints",
    Signal.LOGS: "rejectedLogRecords",
}


def encode_response(signal: Signal, media_type: MediaType, *, rejected: int, message: str) -> bytes:
    """Return an ``ExportTraceServiceResponse``, or that of another signal.

    ``partial_success`` is unset on full success; a message with nothing rejected is a warning (OTLP
    specification, "Partial Success").
    """
    message = _utf8(message)
    match media_type:
        case MediaType.PROTOBUF:
            return _protobuf(signal, rejected, message).SerializeToString()
        case MediaType.JSON:
            partial: dict[str, Any] = {}
            if rejected:
                partial[_JSON_COUNTS[signal]] = str(rejected)
            if message:
                partial["errorMessage"] = message
            return msgspec.json.encode({"partialSuccess": partial} if partial else {})


def encode_status(media_type: MediaType, *, code: int, message: str) -> bytes:
    """Return a ``google.rpc.Status``, the body of every 4xx and 5xx (OTLP, "Failures")."""
    message = _utf8(message)
    match media_type:
        case MediaType.PROTOBUF:
            status: Message = status_pb2.Status(code=code, message=message)
            return status.SerializeToString()
        case MediaType.JSON:
            return msgspec.json.encode({"code": code, "message": message})


def _protobuf(signal: Signal, rejected: int, message: str) -> Message:
    match signal:
        case Signal.TRACES:
            traces = ExportTraceServiceResponse()
            if rejected or message:
                traces.partial_success.rejected_spans = rejected
                traces.partial_success.error_message = message
            return traces
        case Signal.METRICS:
            metrics = ExportMetricsServiceResponse()
            if rejected or message:
                metrics.partial_success.rejected_data_points = rejected
                metrics.partial_success.error_message = message
            return metrics
        case Signal.LOGS:
            logs = ExportLogsServiceResponse()
            if rejected or message:
                logs.partial_success.rejected_log_records = rejected
                logs.partial_success.error_message = message
            return logs


def _utf8(message: str) -> str:
    return message.encode(errors="replace").decode()
