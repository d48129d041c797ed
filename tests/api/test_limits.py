"""Requests that hold too much are refused by name, and harm no other."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc import status_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from api.telemetry import span, traces
from observatory_store.otlp import Decoded, MediaType, Signal, decode_traces
from observatory_store.otlp.limits import MOST_MESSAGES, MOST_OBJECTS, MOST_RECORDS, UNCOUNTED

if TYPE_CHECKING:
    from api.service import Service

pytestmark = pytest.mark.editions("postgres")

JSON, PROTOBUF = MediaType.JSON.value, MediaType.PROTOBUF.value
EMPTY_EVENTS = traces(span(events=[Span.Event()] * 300_000)).SerializeToString()
EMPTY_SPANS = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}%s]}]}]}'


async def test_a_bomb_of_empty_records_is_refused(service: Service) -> None:
    """Otherwise a few kilobytes take gigabytes and ten seconds from all other senders."""
    records = traces(span())
    records.resource_spans[0].scope_spans[0].spans.extend([Span()] * MOST_RECORDS)
    bodies = [
        (JSON, EMPTY_SPANS % (b",{}" * 5_000_000), MOST_OBJECTS),
        (JSON, EMPTY_SPANS % (b",{}" * MOST_RECORDS), MOST_RECORDS),
        (JSON, EMPTY_SPANS % (b",{}" * 900_000), MOST_RECORDS),
        (JSON, EMPTY_SPANS % (b",0" * 900_000), MOST_RECORDS),
        (PROTOBUF, b"\x0a\x00" * 8_000_000, MOST_RECORDS),
        (PROTOBUF, EMPTY_EVENTS, MOST_MESSAGES),
        (PROTOBUF, records.SerializeToString(), MOST_RECORDS),
    ]
    for media_type, body, limit in bodies:
        begin = time.process_time()
        response = await service.send(
            Signal.TRACES, gzip.compress(body, 1), media_type, content_encoding="gzip"
        )
        # Of this process alone, whatever else the machine does.
        assert time.process_time() - begin < 10
        assert response.status_code == 413
        assert response.headers["content-type"] == media_type
        if media_type == JSON:
            message = response.json()["message"]
        else:
            message = status_pb2.Status.FromString(response.content).message
        assert f"more than {limit} " in message
        assert (await service.send(Signal.TRACES, traces(span()))).status_code == 200
    assert await service.count("spans") == len(bodies)


async def test_one_large_body_is_decoded_at_a_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the memory of ten large requests adds up; small ones must not wait for them."""
    lock = threading.Lock()
    overlaps: list[bool] = []
    begun, go_on = threading.Event(), threading.Event()

    def watched(body: bytes, *arguments: Any) -> Decoded[Any]:
        if len(body) > UNCOUNTED:
            overlaps.append(not lock.acquire(blocking=False))
            begun.set()
            assert go_on.wait(30)
            lock.release()
        return decode_traces(body, *arguments)

    monkeypatch.setattr("observatory_store.ingest.receiver.decode_traces", watched)
    large = [traces(span("x" * (UNCOUNTED + 1))) for _ in range(4)]
    sending = [asyncio.create_task(service.send(Signal.TRACES, one)) for one in large]
    assert await asyncio.to_thread(begun.wait, 30)
    assert (await service.send(Signal.TRACES, traces(span()))).status_code == 200
    go_on.set()
    assert [(await one).status_code for one in sending] == [200] * 4
    assert overlaps == [False] * 4


async def test_what_the_records_of_a_request_take_together_is_limited(service: Service) -> None:
    """Otherwise small records, each within its limits, become gigabytes that wait for a commit."""
    body = traces(*[span(events=[Span.Event()] * 10_000) for _ in range(150)])
    response = await service.send(Signal.TRACES, body)
    assert response.status_code == 413
    assert "when it is decoded" in status_pb2.Status.FromString(response.content).message
    assert await service.count("spans") == 0


async def test_a_large_batch_of_a_collector_is_stored(service: Service) -> None:
    """Otherwise the limits that hold off hostile senders lose what honest ones send."""
    batch = traces(*[span(attributes={"gen_ai.input.messages": "x" * 1900}) for _ in range(8192)])
    assert len(batch.SerializeToString()) > 16_000_000
    response = await service.send(Signal.TRACES, batch)
    assert response.status_code == 200
    assert await service.count("spans") == 8192
