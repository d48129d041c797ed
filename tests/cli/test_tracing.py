"""``serve`` with traces of its own, as real processes."""

from __future__ import annotations

import socket
import time
from contextlib import suppress

import httpx
import pytest

from api.collector import collecting
from api.telemetry import span, traces
from observatory_store.devdb.process import ADDRESS
from patience import PATIENCE_SECONDS
from servers import lasting_port

from .conftest import Command, Start

REQUESTS = 40


@pytest.mark.editions("postgres")
def test_every_worker_sends_its_spans_to_the_last(start: Start, database_url: str) -> None:
    """Else what a worker did in its last seconds, or all that some of them did, is not seen."""
    port = lasting_port()
    body = traces(span()).SerializeToString()
    headers = {"content-type": "application/x-protobuf"}
    with collecting() as collector:
        process = start(
            *("serve", "--workers", "2", "--port", str(port)),
            OBSERVATORY_DATABASE_URL=database_url,
            OBSERVATORY_AUTH="off",
            OBSERVATORY_TRACES_ENDPOINT=collector.url,
            OTEL_BSP_SCHEDULE_DELAY="3600000",
        )
        _wait(port)
        for _ in range(REQUESTS):
            answer = httpx.post(
                f"http://{ADDRESS}:{port}/v1/traces",
                content=body,
                headers=headers,
                timeout=PATIENCE_SECONDS,
            )
            assert answer.status_code == 200
        assert collector.requests == []
        process.terminate()
        process.communicate(timeout=PATIENCE_SECONDS)
        assert len(collector.named("POST /v1/traces")) == REQUESTS
        # Each of them sent what it had, once.
        assert 1 <= len(collector.requests) <= 2


@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_refuses_to_send_to_itself(
    command: Command, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    """A loop is refused by one clear line, before anything is served."""
    port = lasting_port()
    monkeypatch.setenv("OBSERVATORY_TRACES_ENDPOINT", f"http://localhost:{port}")
    outcome = command("serve", "--port", str(port), "--workers", workers)
    assert outcome.code == 2
    assert outcome.err.startswith(
        "observatory-store: OBSERVATORY_TRACES_ENDPOINT: http://localhost"
    )
    assert outcome.err.count("\n") == 1


def test_serve_refuses_what_is_no_url(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named, and not only what is wrong with it."""
    monkeypatch.setenv("OBSERVATORY_TRACES_ENDPOINT", "collector:4318")
    outcome = command("serve", "--port", "0")
    assert outcome.code == 2
    assert "OBSERVATORY_TRACES_ENDPOINT: " in outcome.err


def _wait(port: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((ADDRESS, port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("the service did not start")
