"""The service's own traces: only where they are wanted, of use, discreet, and never a loop."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.collector import Collector, attributes, collecting
from api.service import Service, serving
from api.telemetry import everything_in_metrics, llm_attributes, log, logs, span, traces
from observatory_store.api import tracing
from observatory_store.database import open_pool
from observatory_store.otlp import Signal
from observatory_store.repositories import KeyRepository, ProjectRepository
from observatory_store.settings import AuthMode
from patience import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{PARENT_ID}-01"
QUIET_SECONDS = 1.0
HANGING_SECONDS = 60

pytestmark = pytest.mark.editions("postgres")


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A Collector that only listens."""
    with collecting() as running:
        yield running


async def _wait(collector: Collector, *names: str) -> None:
    await asyncio.to_thread(collector.wait, lambda: all(map(collector.named, names)))


async def _send(service: Service, name: str = "work", **headers: str) -> None:
    answer = await service.send(Signal.TRACES, traces(span(name)), **headers)
    assert answer.status_code == 200


async def test_off_by_default(
    database_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clusters set OpenTelemetry's own variables for every pod; this must not start by them."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    async with serving(database_url) as service:
        await _send(service)
        await service.get("spans")
        await asyncio.sleep(0.2)
    assert collector.requests == []


async def test_reads_are_traced(database_url: str, collector: Collector) -> None:
    """Which query of which route was slow is seen in the trace of the caller."""
    async with serving(database_url, traces_endpoint=collector.url) as service:
        await _send(service)
        answer = await service.http.get(
            "/api/v1/spans?user=somebody", headers={"traceparent": TRACEPARENT}
        )
        assert answer.status_code == 200
        for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/none"):
            await service.http.get(path)
        assert (await service.http.get(f"/api/v1/traces/{'1' * 32}")).status_code == 404
        assert (await service.http.request("PROPFIND", "/api/v1/pots")).status_code == 404
        await _wait(collector, "GET /api/v1/traces/{trace_id}", "HTTP")
    (request,) = collector.named("GET /api/v1/spans")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE_ID, PARENT_ID)
    assert request.kind == Span.SPAN_KIND_SERVER
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/api/v1/spans",
        "url.path": "/api/v1/spans",
        "url.scheme": "http",
    }
    (query,) = collector.named("list_spans")
    assert (query.trace_id, query.parent_span_id) == (request.trace_id, request.span_id)
    assert query.kind == Span.SPAN_KIND_CLIENT
    assert attributes(query) == {
        "db.system.name": "postgresql",
        "db.query.summary": "list_spans",
    }
    assert {one.name for one in collector.spans} == {
        *("POST /v1/traces", "commit", "GET /api/v1/spans", "list_spans", "resources_by_id"),
        *("floor_of_spans", "GET /api/v1/traces/{trace_id}", "trace_summary", "HTTP"),
    }
    assert set(collector.paths) == {"/v1/traces"}
    (resource,) = {
        one.resource.SerializeToString() for r in collector.requests for one in r.resource_spans
    }
    assert b"observatory-store" in resource


async def test_every_query_of_a_route_has_its_name(database_url: str, collector: Collector) -> None:
    """A span that is called "query" tells nobody anything."""
    async with serving(database_url, traces_endpoint=collector.url) as service:
        await service.send(Signal.METRICS, everything_in_metrics())
        await service.send(Signal.LOGS, logs(log()))
        sent = span(attributes=llm_attributes())
        await service.send(Signal.TRACES, traces(sent))
        for path in ("logs", "metrics", "usage", "traces", "traces/" + sent.trace_id.hex()):
            await service.get(path)
        await service.get("metrics/queue/length/points")
    names = {one.name for one in collector.spans if one.kind == Span.SPAN_KIND_CLIENT}
    assert names == {
        *("commit", "list_logs", "list_metrics", "list_points", "list_traces"),
        *("kept_from", "first_known", "usage"),
        *(
            "floor_of_traces",
            "floor_of_logs",
            "trace_summary",
            "spans_of_trace",
            "payloads_of_trace",
            "resources_by_id",
        ),
    }


async def test_a_query_made_of_parts_has_its_name(database_url: str, collector: Collector) -> None:
    """What is put into a query must not hide which one it is."""
    async with serving(database_url, traces_endpoint=collector.url) as service:
        await service.send(Signal.TRACES, traces(span(attributes=llm_attributes())))
        await service.get("traces", tag="team=a")
        await service.get("traces", q="hello")
    names = {one.name for one in collector.spans if one.kind == Span.SPAN_KIND_CLIENT}
    assert "query" not in names
    assert names >= {"list_traces_by_facts", "floor_of_spans", "floor_of_payloads"}


@pytest.mark.usefixtures("tireless_writers")
async def test_commits_are_traced(database_url: str, collector: Collector) -> None:
    """Whether a request was slow for its commit, or for those before it, is seen."""
    async with serving(
        database_url, traces_endpoint=collector.url, writers=1, lock_timeout_seconds=0.2
    ) as service:
        await _send(service, traceparent=TRACEPARENT)
        await _wait(collector, "commit")
        (commit,) = collector.named("commit")
        (request,) = collector.named("POST /v1/traces")
        assert (commit.trace_id, commit.parent_span_id) == (request.trace_id, request.span_id)
        # Neither the sender's trace nor its sampling is ours.
        assert (request.trace_id.hex() != TRACE_ID, request.parent_span_id) == (True, b"")
        assert attributes(request)["observatory.rows"] == 1
        with psycopg.connect(database_url) as connection:
            connection.execute("LOCK TABLE observatory.spans IN ACCESS EXCLUSIVE MODE")
            sending = []
            for number in range(4):
                sending.append(asyncio.create_task(_send(service, str(number))))
                # The one writer has the first, and the others wait.
                await service.reaches('observatory_commit_retries_total{signal="traces"}', 1)
            await service.reaches('observatory_queue_requests{signal="traces"}', 3)
        await asyncio.gather(*sending)
    attempts = sorted(collector.named("commit")[1:], key=lambda one: one.start_time_unix_nano)
    *failed, one, three = map(attributes, attempts)
    assert [attempt["error.type"] for attempt in failed] == ["LockNotAvailableError"] * len(failed)
    assert one["observatory.commit.retries"] == len(failed) > 0
    assert (three["observatory.commit.requests"], three["observatory.commit.rows"]) == (3, 3)
    assert three["observatory.commit.retries"] == 0
    requests = {one.span_id for one in collector.named("POST /v1/traces")}
    linked = {link.span_id for link in attempts[-1].links}
    assert len(linked) == 2
    assert {attempts[-1].parent_span_id, *linked} < requests


async def test_what_failed_is_marked(database_url: str, collector: Collector) -> None:
    """Errors are what traces are searched for first."""
    async with serving(database_url, traces_endpoint=collector.url) as service:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE observatory.spans RENAME TO elsewhere")
            assert (await service.send(Signal.TRACES, traces(span()))).status_code == 503
            assert (await service.http.get("/api/v1/spans")).status_code == 503
            connection.execute("ALTER TABLE observatory.elsewhere RENAME TO spans")
        assert (await service.http.get("/api/v1/spans?limit=x")).status_code == 422
    wrong = [one for one in collector.spans if one.status.code == Status.STATUS_CODE_ERROR]
    assert {(one.name, attributes(one)["error.type"]) for one in wrong} == {
        ("POST /v1/traces", "503"),
        ("commit", "UndefinedTableError"),
        ("GET /api/v1/spans", "503"),
        ("floor_of_spans", "UndefinedTableError"),
    }


async def test_spans_that_come_back_make_no_new_ones(
    database_url: str, collector: Collector
) -> None:
    """Through a balancer or a Collector the store is its own sender: it would never rest."""
    async with serving(database_url, traces_endpoint=collector.url) as service:
        collector.forward_to = service.url
        for number in range(5):
            await _send(service, str(number))
            await service.get("spans")
        names = ("POST /v1/traces", "commit", "GET /api/v1/spans")
        await until(lambda: all(len(collector.named(name)) == 5 for name in names))
        await until(lambda: len(collector.statuses) == len(collector.requests))
        await asyncio.sleep(QUIET_SECONDS)
        before = (len(collector.requests), len(collector.spans), await service.count("spans"))
        await asyncio.sleep(QUIET_SECONDS)
        after = (len(collector.requests), len(collector.spans), await service.count("spans"))
        assert before == after
        # Each request with its commit or its queries, and what was sent.
        assert len(collector.named("POST /v1/traces")) == len(collector.named("commit")) == 5
        assert after[2] == len(collector.spans) + 5
        # What comes along with them is traced all the same.
        mixed = collector.requests[0]
        mixed.MergeFrom(traces(span("other")))
        assert (await service.send(Signal.TRACES, mixed)).status_code == 200
        await asyncio.to_thread(
            collector.wait, lambda: len(collector.named("POST /v1/traces")) == 6
        )


async def test_spans_that_come_back_and_are_refused_make_no_new_ones(
    database_url: str, collector: Collector
) -> None:
    """Nor may a wrong key on the way make it send for ever."""
    async with serving(
        database_url, auth=AuthMode.REQUIRED, traces_endpoint=collector.url
    ) as service:
        collector.forward_to = service.url
        assert (await service.http.get("/api/v1/spans")).status_code == 401
        await until(lambda: bool(collector.statuses))
        await asyncio.sleep(QUIET_SECONDS)
        assert collector.statuses == [401]
        assert [one.name for one in collector.spans] == ["GET /api/v1/spans"]


async def test_nothing_private_is_in_a_span(database_url: str, collector: Collector) -> None:
    """Traces go to people who may see neither prompts nor keys."""
    async with open_pool(database_url) as pool:
        project = await ProjectRepository(pool).create("p")
        _, key = await KeyRepository(pool).create(project.project_id, "k", ["admin"])
    private = {"gen_ai.input.messages": "PRIVATE prompt", "user.id": "PRIVATE person"}
    sent = traces(span("PRIVATE name", attributes={**llm_attributes(), **private}))
    async with serving(
        database_url, auth=AuthMode.REQUIRED, traces_endpoint=collector.url
    ) as service:
        with_key = {"x-api-key": key, "tracestate": "vendor=PRIVATE", "baggage": "a=PRIVATE"}
        assert (await service.send(Signal.TRACES, sent, **with_key)).status_code == 200
        for query, status in {
            "spans?user=PRIVATE": 200,
            "spans?attribute=a=PRIVATE": 200,
            "spans?name=PRIVATE%00": 422,
            "spans?cursor=PRIVATE": 400,
            f"{key}?PRIVATE": 404,
        }.items():
            answer = await service.http.get(f"/api/v1/{query}", headers=with_key)
            assert answer.status_code == status, query
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE observatory.spans ADD CHECK (name = 'x') NOT VALID")
            await service.send(Signal.TRACES, sent, **with_key)
    found = b"".join(request.SerializeToString() for request in collector.requests)
    assert b"list_spans" in found
    assert len(collector.named("commit")) >= 2
    for secret in (b"PRIVATE", key.encode(), b"password", database_url.encode()):
        assert secret not in found


@pytest.mark.parametrize("alive", [True, False], ids=["silent", "absent"])
async def test_a_dead_collector_harms_nobody(
    database_url: str,
    alive: bool,  # noqa: FBT001 - a parameter of the test
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What watches the store must not take it along, nor keep it from ending."""
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.3)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "512")
    # Longer than this test waits for anything.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", str(2 * HANGING_SECONDS))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        if not alive:
            deaf.close()
        async with serving(database_url, traces_endpoint=endpoint) as service:
            async with asyncio.timeout(HANGING_SECONDS):
                for number in range(300):
                    await _send(service, str(number))
            assert await service.count("spans") == 300
            begin = time.monotonic()
        assert time.monotonic() - begin < HANGING_SECONDS


async def test_the_last_spans_are_sent(
    database_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a service is what one most wants to see."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    async with serving(database_url, traces_endpoint=collector.url) as service:
        await _send(service)
        assert collector.requests == []
    assert len(collector.named("POST /v1/traces")) == 1
