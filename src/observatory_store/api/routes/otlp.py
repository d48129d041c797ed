"""OTLP over HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from observatory_store.api.callers import PresentedKey
from observatory_store.api.request_body import read_body
from observatory_store.api.services import Services, TheServices
from observatory_store.errors import UnavailableError
from observatory_store.otlp import MediaType, Signal, encode_response

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "`Export…ServiceRequest`, also with `Content-Encoding: gzip`.",
        "content": {
            MediaType.PROTOBUF.value: {"schema": {"type": "string", "format": "binary"}},
            MediaType.JSON.value: {"schema": {"type": "object"}},
        },
    }
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Committed, but for the records that `partial_success` counts. The media "
        "type is that of the request.",
        "content": {
            MediaType.PROTOBUF.value: {"schema": {"type": "string", "format": "binary"}},
            MediaType.JSON.value: {
                "example": {
                    "partialSuccess": {
                        "rejectedSpans": "1",
                        "errorMessage": "a span's trace_id must be 16 bytes that are not all zero",
                    }
                }
            },
        },
    },
    400: {"description": "The body cannot be decoded. As every error here: `google.rpc.Status`."},
    401: {"description": "No valid API key."},
    403: {"description": "The key lacks the scope `write`."},
    413: {"description": "The body is over the limit."},
    415: {"description": "Unknown content type or content encoding."},
    503: {
        "description": "Not all was stored: try again after `Retry-After` seconds. What was stored "
        "is not stored twice."
    },
}

router = APIRouter(prefix="/v1", tags=["OTLP"], default_response_class=Response)


@router.post("/traces", responses=_RESPONSES, openapi_extra=_BODY)
async def send_traces(request: Request, services: TheServices, key: PresentedKey) -> Response:
    """Store the spans of an `ExportTraceServiceRequest`."""
    return await _receive(Signal.TRACES, request, services, key)


@router.post("/metrics", responses=_RESPONSES, openapi_extra=_BODY)
async def send_metrics(request: Request, services: TheServices, key: PresentedKey) -> Response:
    """Store the data points of an `ExportMetricsServiceRequest`."""
    return await _receive(Signal.METRICS, request, services, key)


@router.post("/logs", responses=_RESPONSES, openapi_extra=_BODY)
async def send_logs(request: Request, services: TheServices, key: PresentedKey) -> Response:
    """Store the log records of an `ExportLogsServiceRequest`."""
    return await _receive(Signal.LOGS, request, services, key)


async def _receive(
    signal: Signal, request: Request, services: Services, key: str | None
) -> Response:
    try:
        # Whoever asks for the key waits too, while the database is silent.
        with services.admission.enter() as ticket:
            sender = await services.authenticator.caller(key, "write")
            media_type = MediaType.parse(request.headers.get("content-type"))
            body = await read_body(request, services.settings.max_body_bytes, ticket)
            size = len(body)
            begin = time.perf_counter()
            receiving = services.receiver.receive(
                signal,
                body,
                media_type,
                project_id=sender.project_id,
                api_key_id=sender.api_key_id,
                payloads=sender.payloads,
                ticket=ticket,
            )
            del body
            receipt = await receiving
    except asyncio.CancelledError as error:
        # The server ends so what is not done by the end of its time for stopping. Without this it
        # would answer 500, upon which a sender drops what it sent.
        raise UnavailableError("the service is stopping") from error
    services.measurements.received(signal, size, time.perf_counter() - begin, receipt)
    content = encode_response(
        signal, media_type, rejected=receipt.rejected, message=receipt.message
    )
    return Response(content, media_type=media_type.value)
