"""A Collector on loopback that keeps the spans it gets, and may pass them on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from patience import PATIENCE_SECONDS


@dataclass(slots=True)
class Collector:
    """What arrived, as it was sent."""

    url: str = ""
    forward_to: str = ""
    """A service that gets every request too, with no header of its sender."""
    paths: list[str] = field(default_factory=list)
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """What the service answered to what was passed on."""

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order in which they arrived."""
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until a condition on what arrived holds."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < until, [span.name for span in self.spans]
            time.sleep(0.01)

    def receive(self, path: str, body: bytes) -> None:
        """Keep one request."""
        self.paths.append(path)
        self.requests.append(ExportTraceServiceRequest.FromString(body))
        if self.forward_to:
            headers = {"content-type": "application/x-protobuf"}
            answer = httpx.post(
                f"{self.forward_to}/v1/traces",
                content=body,
                headers=headers,
                timeout=PATIENCE_SECONDS,
            )
            self.statuses.append(answer.status_code)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Listen on a free port until the block ends."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.receive(self.path, body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Span) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in span.attributes
    }
