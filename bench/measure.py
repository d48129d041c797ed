"""Each way of storing the same spans, timed from the first byte to the last commit."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.http import post_all
from bench.load import as_json
from bench.service import service
from observatory_store import Span, Store
from observatory_store.database.pool import set_codecs
from observatory_store.ingest import span_columns
from observatory_store.otlp import MediaType, decode_traces
from observatory_store.pricing import GenAIPrices
from observatory_store.writers.spans import (
    COLUMNS,
    PAYLOAD_COLUMNS,
    payload_record,
    span_record,
)

CONNECTIONS = 8
WORKERS = 2
BATCH = 5000


class Load:
    """The same spans in every form that is measured."""

    def __init__(self, messages: list[ExportTraceServiceRequest]) -> None:
        self.protobuf = [message.SerializeToString() for message in messages]
        self.json = [as_json(message) for message in messages]
        columns = span_columns(GenAIPrices())
        self.requests: list[list[Span]] = [
            decode_traces(body, MediaType.PROTOBUF, columns).rows for body in self.protobuf
        ]
        self.spans = [span for rows in self.requests for span in rows]


Measurement = Callable[[str, Load], Awaitable[float]]


async def bare_copy(url: str, load: Load) -> float:
    """One connection, binary COPY of the finished rows, a transaction for 5,000 of them."""
    connection = await asyncpg.connect(url)
    await set_codecs(connection)
    now = datetime.now(UTC)
    spans = [span_record(1, None, now, span) for span in load.spans]
    payloads = [payload_record(1, span) for span in load.spans if span.payload]
    share = max(1, round(BATCH * len(payloads) / len(spans)))
    start = time.perf_counter()
    for number in range(0, len(spans), BATCH):
        part = number // BATCH * share
        async with connection.transaction():
            await connection.copy_records_to_table(
                "spans",
                schema_name="observatory",
                columns=COLUMNS,
                records=spans[number : number + BATCH],
            )
            last = number + BATCH >= len(spans)
            await connection.copy_records_to_table(
                "span_payloads",
                schema_name="observatory",
                columns=PAYLOAD_COLUMNS,
                records=payloads[part : None if last else part + share],
            )
    seconds = time.perf_counter() - start
    await connection.close()
    return seconds


async def store_write(url: str, load: Load) -> float:
    """`Store.write_spans` from rows that are built already, 5,000 a call."""
    async with Store.open(url) as store:
        start = time.perf_counter()
        for number in range(0, len(load.spans), BATCH):
            await store.write_spans(load.spans[number : number + BATCH])
        return time.perf_counter() - start


class OverHttp:
    """OTLP over HTTP to a service that runs as its own process."""

    def __init__(self, content_type: str, bodies: Callable[[Load], list[bytes]]) -> None:
        self._content_type = content_type
        self._bodies = bodies
        self.peak_memory_mib: list[float] = []
        self.cpu_us: list[float] = []

    async def __call__(self, url: str, load: Load) -> float:
        """Start the service, send all bodies, return the seconds until all were answered 200."""
        async with service(url, workers=WORKERS) as running:
            bodies = self._bodies(load)
            used = running.cpu_seconds()
            start = time.perf_counter()
            await post_all(
                running.port, "/v1/traces", self._content_type, bodies, connections=CONNECTIONS
            )
            seconds = time.perf_counter() - start
            self.cpu_us.append((running.cpu_seconds() - used) / len(load.spans) * 1e6)
            self.peak_memory_mib.append(running.peak_memory_mib())
            return seconds
