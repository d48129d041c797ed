"""OTLP exporters that do not give up, and what was acknowledged to them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from chaos.load import Load, Request
from observatory_store.otlp import MediaType, Signal
from patience import PATIENCE_SECONDS, until

RETRYABLE = frozenset({429, 502, 503, 504})
FIRST_DELAY, LONGEST_DELAY = 0.02, 1.0

ANSWERS: dict[Signal, type[Message]] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
}


class Exporter:
    """Sends as the OTLP specification says ("Failures", "Retryable Response Codes").

    A connection error, 429, 502, 503 and 504: the identical body again, after ``Retry-After`` if
    there is one, else after an exponential delay. Any other answer but 200 is a failure.
    """

    def __init__(self, http: httpx.AsyncClient, seed: int) -> None:
        self._http = http
        self._chance = random.Random(seed)
        self.disconnections = 0
        """Requests after which nobody knew whether they were stored."""
        self.refusals = 0
        """Requests that were answered with a status which asks to try again."""

    async def deliver(self, request: Request) -> None:
        """Return once the request is acknowledged."""
        for attempt in itertools.count():
            delay = min(FIRST_DELAY * 2**attempt, LONGEST_DELAY) * self._chance.uniform(0.5, 1)
            try:
                answer = await self._http.post(
                    f"/v1/{request.signal}",
                    content=request.body,
                    headers={"content-type": request.media_type.value},
                )
            except httpx.TransportError:
                self.disconnections += 1
            else:
                if answer.status_code == 200:
                    _accept(request, answer)
                    return
                assert answer.status_code in RETRYABLE, f"{answer.status_code}: {answer.text}"
                self.refusals += 1
                delay = max(delay, float(answer.headers.get("retry-after", 0)))
            await asyncio.sleep(delay)


class Traffic:
    """Exporters that send one request after the other until told to finish."""

    def __init__(self, url: str, load: Load, exporters: int) -> None:
        self._load = load
        self._numbers = itertools.count()
        self._clients = [
            httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) for _ in range(exporters)
        ]
        self._exporters = [Exporter(http, seed) for seed, http in enumerate(self._clients)]
        self._finishing = False
        self.acknowledged: list[int] = []
        """Numbers of the requests."""

    @property
    def disconnections(self) -> int:
        """Requests after which nobody knew whether they were stored."""
        return sum(one.disconnections for one in self._exporters)

    @property
    def refusals(self) -> int:
        """Requests that were answered with a status which asks to try again."""
        return sum(one.refusals for one in self._exporters)

    async def progress(self, requests: int) -> None:
        """Wait until so many more requests are acknowledged."""
        wanted = len(self.acknowledged) + requests
        await until(lambda: len(self.acknowledged) >= wanted)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Traffic]:
        """Send until the block ends; return when all that was sent is acknowledged."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
                for exporter in self._exporters:
                    tasks.create_task(self._send(exporter))
                yield self
                self._finishing = True
        finally:
            for client in self._clients:
                await client.aclose()

    async def _send(self, exporter: Exporter) -> None:
        while not self._finishing:
            number = next(self._numbers)
            await exporter.deliver(self._load.request(number))
            self.acknowledged.append(number)
            await asyncio.sleep(0.005)


def _accept(request: Request, answer: httpx.Response) -> None:
    if request.media_type is MediaType.JSON:
        assert answer.json() == {}, answer.text
    else:
        message = ANSWERS[request.signal]()
        message.ParseFromString(answer.content)
        assert not message.HasField("partial_success"), message
