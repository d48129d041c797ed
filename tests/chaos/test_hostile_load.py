"""The service stays small whatever arrives, and goes on storing for those who are honest."""

from __future__ import annotations

import asyncio
import gzip
import re
import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.telemetry import gauge, metrics, pairs, span, traces
from chaos.conftest import Serve
from observatory_store.devdb.process import ADDRESS
from observatory_store.otlp import Signal
from observatory_store.otlp.wire_format import field
from storage.samples import query

pytestmark = pytest.mark.editions("postgres")

MOST_MIB = 300
SECONDS = 180

JSON, PROTOBUF = "application/json", "application/x-protobuf"
SPANS = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'
IDS = field(1, b"a" * 16) + field(2, b"b" * 8)
HEAD = (
    "POST /v1/{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {}\r\n"
    "Content-Encoding: {}\r\nContent-Length: {}\r\n\r\n"
)

BIG_SPANS, SMALL_SPANS = 8192, 20
BIG_SENDERS, SLOW_SENDERS = 12, 200
NEW_THINGS, NEW_SENDERS = 2000, 10


def _batch(spans: int, length: int) -> bytes:
    text = {"gen_ai.input.messages": "x" * length}
    return traces(*[span(attributes=text) for _ in range(spans)]).SerializeToString()


def _new_resources() -> bytes:
    request = ExportTraceServiceRequest()
    for _ in range(NEW_THINGS):
        entry = traces(span("new")).resource_spans[0]
        entry.resource.attributes.extend(pairs({"host.id": secrets.token_hex(200)}))
        request.resource_spans.append(entry)
    return request.SerializeToString()


def _new_series() -> bytes:
    names = (secrets.token_hex(16) for _ in range(NEW_THINGS))
    return metrics(*[gauge(name, 1.0) for name in names]).SerializeToString()


def _hostile() -> list[tuple[bytes, str, str]]:
    """Return bodies that would take gigabytes, with their media types and encodings."""
    empty_spans = SPANS % b",".join([b"{}"] * 900_000)
    events = SPANS % (b'{"events":[' + b",".join([b"{}"] * 700_000) + b"]}")
    surrogates = SPANS % (b'{"name":"\\ud800' + b"\\n" * 4_000_000 + b'"}')
    spans_of_events = field(1, field(2, field(2, IDS + b"\x5a\x00" * 20_000) * 200))
    plain = [
        (empty_spans, JSON),
        (events, JSON),
        (surrogates, JSON),
        (b"\x0a\x00" * 8_000_000, PROTOBUF),
        (field(1, field(2, field(2, IDS + b"\x5a\x00" * 4_000_000))), PROTOBUF),
        (spans_of_events, PROTOBUF),
    ]
    small = field(1, field(2, field(2, IDS + b"\x5a\x00" * 200_000)))
    bombs = [(b"\n" * (60 << 20), PROTOBUF), (b" " * (60 << 20), JSON)]
    return [
        *[(gzip.compress(body, 1), kind, "gzip") for body, kind in [*plain, *bombs]],
        (empty_spans, JSON, "identity"),
        (small, PROTOBUF, "identity"),
        (spans_of_events[: len(spans_of_events) // 2], PROTOBUF, "identity"),
    ]


async def _send(
    port: int,
    body: bytes,
    media_type: str,
    encoding: str = "identity",
    *,
    signal: Signal = Signal.TRACES,
    pause: float = 0,
) -> int:
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    try:
        writer.write(HEAD.format(signal, media_type, encoding, len(body)).encode())
        step = len(body) // 20 if pause else len(body)
        for begin in range(0, len(body), step):
            writer.write(body[begin : begin + step])
            await writer.drain()
            await asyncio.sleep(pause)
        return int((await reader.readline()).split()[1])
    except (ConnectionError, IndexError):
        # It was answered and closed before all was sent.
        return 503
    finally:
        writer.close()


async def _deliver(port: int, body: bytes, **options: Any) -> None:
    while (status := await _send(port, body, PROTOBUF, **options)) != 200:
        assert status == 503, "only 503 is sent again"
        await asyncio.sleep(0.5)


async def test_memory_is_bounded_whatever_arrives(database_url: str, serve: Serve) -> None:
    """Otherwise a sender with a few kilobytes has the system kill the service, and with it what all
    others sent.
    """
    service = serve(database_url)
    await service.answers("/readyz")
    port = int(service.url.rpartition(":")[2])
    big = [_batch(BIG_SPANS, 1900) for _ in range(BIG_SENDERS)]
    small = [_batch(SMALL_SPANS, 2000) for _ in range(SLOW_SENDERS)]
    hostile = _hostile()
    refused: Counter[int] = Counter()

    async def attack(body: bytes, media_type: str, encoding: str) -> None:
        for _ in range(3):
            refused[await _send(port, body, media_type, encoding)] += 1

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        for body in big:
            tasks.create_task(_deliver(port, body))
        for body in small:
            tasks.create_task(_deliver(port, body, pause=0.1))
        for each in hostile * 2:
            tasks.create_task(attack(*each))
    assert set(refused) <= {200, 400, 413, 503}
    assert "Traceback" not in service.log
    sent = BIG_SPANS * BIG_SENDERS + SMALL_SPANS * SLOW_SENDERS
    honest = "SELECT count(*) FROM observatory.spans WHERE name = 'work'"
    assert query(database_url, honest) == [(sent,)]
    assert _peak_mib(service.pid) <= MOST_MIB


async def test_memory_is_bounded_however_much_is_new(database_url: str, serve: Serve) -> None:
    """Each sender that restarts brings new resources and series, which writers remember."""
    service = serve(database_url)
    await service.answers("/readyz")
    port = int(service.url.rpartition(":")[2])
    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        for _ in range(NEW_SENDERS):
            tasks.create_task(_deliver(port, _new_resources()))
            tasks.create_task(_deliver(port, _new_series(), signal=Signal.METRICS))
    for relation in ("resources", "metric_series"):
        count = f"SELECT count(*) >= {NEW_THINGS * NEW_SENDERS} FROM observatory.{relation}"
        assert query(database_url, count) == [(True,)]
    assert _peak_mib(service.pid) <= MOST_MIB


def _peak_mib(pid: int) -> float:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert peak
    return int(peak[1]) / 1024
