"""What Prometheus reads: true counts, and never a scrape that hangs."""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.service import Service, serving
from api.telemetry import SECOND, llm_attributes, log, logs, span, traces
from observatory_store.api import database_measurements
from observatory_store.otlp import Signal
from patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "operations.md"
NOWHERE = "postgresql://somebody@127.0.0.1:9/none"
HANGING_SECONDS = 60.0

Samples = dict[str, float]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each scrape ask the database again."""
    monkeypatch.setattr(database_measurements, "KEPT_SECONDS", 0.0)


async def _text(service: Service) -> str:
    async with asyncio.timeout(HANGING_SECONDS):
        response = await service.http.get("/metrics")
    assert response.status_code == 200
    return response.text


async def _samples(service: Service) -> Samples:
    """Return the values by name and labels, as ``name{label}`` with the labels' values,
    in the order of their names.
    """
    return {
        sample.name + ("{" + ",".join(sample.labels.values()) + "}" if sample.labels else ""): (
            sample.value
        )
        for family in text_string_to_metric_families(await _text(service))
        for sample in family.samples
    }


@contextmanager
def _locked(database_url: str, relation: str) -> Iterator[None]:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"LOCK TABLE observatory.{relation} IN ACCESS EXCLUSIVE MODE")
        yield


def _some_spans() -> Message:
    return traces(span("one", attributes=llm_attributes()), span("two"), span(trace_id=b"\1"))


async def test_every_metric_is_documented_and_has_help(service: Service, edition: str) -> None:
    """A number that nobody can interpret raises no alert, or a false one."""
    await service.send(Signal.TRACES, _some_spans())
    await service.send(Signal.LOGS, logs(log()))
    text = await _text(service)
    documented = set(
        re.findall(r"^\| `(observatory_\w+)` \|", DOCUMENTATION.read_text(), re.MULTILINE)
    )
    shown = set(re.findall(r"^# HELP (\w+) \S", text, re.MULTILINE))
    typed = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    assert shown == typed
    shown = {name for name in shown if not name.endswith("_created")}
    assert {name for name in shown if name.startswith("observatory_")} <= documented
    if edition == "community":
        # The jobs of a test server have never run.
        assert documented - shown <= {"observatory_job_last_success_timestamp_seconds"}


async def test_rows_are_counted_by_what_became_of_them(service: Service) -> None:
    """A sender that repeats itself, or whose clock is wrong, shows as such."""
    sent = traces(
        span("one"), span("two"), span("late", start_time_unix_nano=SECOND), span(trace_id=b"\1")
    )
    for _ in range(2):
        assert (await service.send(Signal.TRACES, sent)).status_code == 200
    found = await _samples(service)
    assert found["observatory_rows_total{committed,traces}"] == await service.count("spans") == 2
    assert found["observatory_rows_total{duplicate,traces}"] == 2
    assert found["observatory_rows_total{rejected,traces}"] == 2
    assert found["observatory_records_total{accepted,traces}"] == 4
    assert found["observatory_records_total{rejected,traces}"] == 4
    assert found["observatory_commit_rows_count{traces}"] == 2
    assert found["observatory_commit_rows_sum{traces}"] == 6
    assert 0 < found["observatory_commit_duration_seconds_sum{traces}"] < PATIENCE_SECONDS
    assert found["observatory_queue_rows{logs}"] == 0
    assert found["observatory_pool_max_connections{reads}"] == 8


@pytest.mark.editions("postgres")
@pytest.mark.usefixtures("tireless_writers")
async def test_what_waits_and_what_is_tried_again(database_url: str) -> None:
    """A database that cannot keep up shows as a queue, before senders are turned away."""
    async with serving(database_url, writers=1, lock_timeout_seconds=0.2) as service:
        await service.send(Signal.LOGS, logs(log("before")))
        with _locked(database_url, "logs"):
            sending = []
            for n in range(4):
                sent = logs(log(str(n)), log(f"{n}."))
                sending.append(asyncio.create_task(service.send(Signal.LOGS, sent)))
                # The one writer has the first, and the others wait.
                await service.reaches('observatory_commit_retries_total{signal="logs"}', 1)
            await service.reaches('observatory_queue_requests{signal="logs"}', 3)
            found = await _samples(service)
        assert found["observatory_queue_requests{logs}"] == 3
        assert found["observatory_queue_rows{logs}"] == 6
        assert found["observatory_held_requests"] == 4
        assert found["observatory_held_bytes"] > 0
        assert [(await task).status_code for task in sending] == [200] * 4
        found = await _samples(service)
        assert found["observatory_commit_retries_total{logs}"] >= 1
        assert found["observatory_queue_requests{logs}"] == found["observatory_held_bytes"] == 0
        assert found["observatory_rows_total{committed,logs}"] == await service.count("logs") == 9


@pytest.mark.editions("postgres")
async def test_rows_that_were_given_up(database_url: str) -> None:
    """Otherwise an outage would show only as silence."""
    async with serving(database_url) as service:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE observatory.spans RENAME TO elsewhere")
            assert (await service.send(Signal.TRACES, _some_spans())).status_code == 503
            connection.execute("ALTER TABLE observatory.elsewhere RENAME TO spans")
        assert (await _samples(service))["observatory_rows_total{failed,traces}"] == 2


@pytest.mark.usefixtures("at_once")
async def test_the_database_is_measured(service: Service, edition: str) -> None:
    """Growth and lag are seen on every edition."""
    await service.send(Signal.TRACES, _some_spans())
    found = await _samples(service)
    assert found["observatory_database_up"] == 1
    assert found["observatory_relation_bytes{spans}"] > 8192
    assert found["observatory_relation_bytes{projects}"] > 0
    pending = 0 if edition == "community" else 1
    assert (found["observatory_rollup_pending_buckets"] > 0) == (pending > 0)
    assert 0 <= found["observatory_rollup_oldest_pending_seconds"] < PATIENCE_SECONDS
    assert ("observatory_relation_chunks{spans,row}" in found) == (edition != "postgres")
    if edition != "postgres":
        assert found["observatory_relation_chunks{spans,row}"] == 1
        assert found["observatory_relation_chunks{logs,row}"] == 0
        assert found["observatory_relation_chunks{spans,columnstore}"] == 0
    jobs = {name for name in found if name.startswith("observatory_job_failing")}
    assert ("observatory_job_failing{retention,spans}" in jobs) == (edition == "community")
    assert ("observatory_job_failing{refresh,llm_usage_15m}" in jobs) == (edition == "community")


@pytest.mark.editions("community")
@pytest.mark.usefixtures("at_once")
async def test_columnstore_chunks_are_told_apart(service: Service) -> None:
    """A columnstore policy that stands still shows before the disk is full."""
    await service.send(Signal.TRACES, _some_spans())
    before = await _samples(service)
    await service.fetch("SELECT compress_chunk(c) FROM show_chunks('observatory.spans') AS c")
    found = await _samples(service)
    assert before["observatory_relation_chunks{spans,row}"] == 1
    assert found["observatory_relation_chunks{spans,columnstore}"] == 1
    assert found["observatory_relation_chunks{spans,row}"] == 0


@pytest.mark.editions("postgres")
@pytest.mark.usefixtures("at_once")
async def test_a_locked_table_does_not_hold_a_scrape_up(database_url: str) -> None:
    """During a migration of hours the service is still watched."""
    never = 2 * HANGING_SECONDS
    async with serving(
        database_url, lock_timeout_seconds=never, statement_timeout_seconds=never
    ) as service:
        with _locked(database_url, "spans"):
            found = await _samples(service)
        assert found["observatory_database_up"] == 1
        assert "observatory_relation_bytes{spans}" not in found
        assert "observatory_rollup_pending_buckets" in found
        assert "observatory_relation_bytes{spans}" in await _samples(service)


@pytest.mark.editions("postgres")
async def test_scrapes_ask_the_database_seldom(service: Service, database_url: str) -> None:
    """Four replicas of Prometheus must not become a load."""
    first = await _samples(service)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE observatory.another ()")
    again = await _samples(service)
    assert "observatory_relation_bytes{another}" not in again
    names = {name for name in first if name.startswith("observatory_relation")}
    assert names == {name for name in again if name.startswith("observatory_relation")}


async def test_a_database_that_is_away() -> None:
    """The alert that matters most is the one for which the database cannot be asked."""
    async with serving(NOWHERE) as service:
        found = await _samples(service)
    assert found["observatory_database_up"] == 0
    assert not any(
        name.startswith(("observatory_relation", "observatory_rollup")) for name in found
    )
    assert "observatory_pool_connections{ingest}" in found


@pytest.mark.usefixtures("at_once")
async def test_a_database_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that swallows packets must not make the scrapes time out, or pile up."""
    monkeypatch.setattr(database_measurements, "WAIT_SECONDS", 0.2)
    taken: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"postgresql://somebody@127.0.0.1:{port}/none?connect_timeout={2 * HANGING_SECONDS}"
    async with serving(url) as service:
        before = len(taken)  # by the prices, which are loaded first
        for _ in range(2):
            assert (await _samples(service))["observatory_database_up"] == 0
        assert len(taken) == before + 1
        for writer in taken:
            writer.close()
        server.close()


@pytest.mark.editions("postgres")
@pytest.mark.usefixtures("at_once")
async def test_a_database_without_the_schema(empty_database_url: str) -> None:
    """Before the first migration the service is watched already."""
    async with serving(empty_database_url) as service:
        found = await _samples(service)
    assert found["observatory_database_up"] == 1
    assert "observatory_rollup_pending_buckets" not in found
