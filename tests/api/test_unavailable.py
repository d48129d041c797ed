"""While the database cannot serve, senders are told to try again, and nobody is told a lie."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from google.rpc import status_pb2
from psycopg import sql

from api.service import Service, serving
from api.telemetry import span, traces
from observatory_store.database import open_pool
from observatory_store.otlp import Signal
from observatory_store.repositories import KeyRepository
from observatory_store.schema import Migrator
from observatory_store.settings import AuthMode
from patience import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import LiteralString

pytestmark = pytest.mark.editions("postgres")

NOWHERE = "postgresql://somebody@127.0.0.1:9/none"


async def _refuses(service: Service) -> None:
    response = await service.send(Signal.TRACES, traces(span()))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    status = status_pb2.Status.FromString(response.content)
    assert status.code == 14
    assert "127.0.0.1" not in status.message


async def _ready(service: Service) -> tuple[int, dict[str, Any]]:
    response = await service.http.get("/readyz")
    assert (await service.http.get("/healthz")).json() == {"status": "ok"}
    assert response.json()["ready"] is (response.status_code == 200)
    return response.status_code, response.json()["checks"]


@pytest.mark.parametrize("auth", list(AuthMode))
async def test_a_database_that_is_down(auth: AuthMode) -> None:
    """Otherwise the service would not start before its database, or lose what arrives meanwhile."""
    async with serving(NOWHERE, auth=auth) as service:
        service.http.headers["x-api-key"] = "obs_any"
        await _refuses(service)
        response = await service.http.get("/api/v1/traces")
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) > 0
        assert "127.0.0.1" not in response.text
        failed = {"database": "failed", "schema": "unknown", "writable": "unknown"}
        assert await _ready(service) == (503, failed)
        metrics = (await service.http.get("/metrics")).text
        assert 'route="/v1/traces",status="503"' in metrics


async def test_a_schema_that_is_not_applied(empty_database_url: str) -> None:
    """Otherwise an operator who forgot the migration would see a fault instead of the remedy."""
    async with serving(empty_database_url) as service:
        await _refuses(service)
        response = await service.http.get("/api/v1/usage")
        assert response.status_code == 503
        assert "schema apply" in response.json()["detail"]
        checks = {"database": "ok", "schema": "failed", "writable": "ok"}
        assert await _ready(service) == (503, checks)


@pytest.mark.parametrize("latest", ["0001_schema", "0004_spans"])
async def test_a_schema_that_is_applied_in_part(database_url: str, latest: str) -> None:
    """Otherwise a balancer would send traffic to it, or an operator see a fault without a cause."""
    await asyncio.to_thread(Migrator(database_url).rollback, to=latest)
    async with serving(database_url) as service:
        checks = {"database": "ok", "schema": "failed", "writable": "ok"}
        assert await _ready(service) == (503, checks)


async def test_slow_queries_do_not_keep_senders_waiting(database_url: str) -> None:
    """Otherwise a few heavy dashboards would stop the telemetry of every application."""
    async with open_pool(database_url) as pool:
        _, key = await KeyRepository(pool).create(1, "both", ["admin"])
    async with serving(
        database_url,
        auth=AuthMode.REQUIRED,
        pool_size=2,
        query_timeout_seconds=PATIENCE_SECONDS,
        lock_timeout_seconds=PATIENCE_SECONDS,
    ) as service:
        service.http.headers["x-api-key"] = key
        with _locked(database_url, "logs"):
            reads = [asyncio.create_task(service.http.get("/api/v1/logs")) for _ in range(2)]
            await _waiting_for_locks(service, 2)
            for number in range(20):
                response = await service.send(Signal.TRACES, traces(span(str(number))))
                assert response.status_code == 200
            assert (await service.http.get("/readyz")).status_code == 200
            assert not any(read.done() for read in reads)
        assert [(await read).status_code for read in reads] == [200, 200]
        assert await service.count("spans") == 20


async def test_a_query_that_takes_too_long_is_not_tried_again(database_url: str) -> None:
    """Otherwise the same query would come again and again, and be stopped each time."""
    async with serving(database_url, query_timeout_seconds=0.2, lock_timeout_seconds=60) as service:
        with _locked(database_url, "logs"):
            response = await service.http.get("/api/v1/logs")
        assert response.status_code == 400
        assert "narrow the range or the filter" in response.json()["detail"]
        assert "retry-after" not in response.headers

        # Once nobody keeps it waiting, it is quick enough soon, on whatever machine.
        async def answers() -> bool:
            return (await service.http.get("/api/v1/logs")).status_code == 200

        await until(answers)


@pytest.mark.parametrize("ending", ["pg_cancel_backend", "pg_terminate_backend"])
async def test_a_query_that_somebody_stops_may_be_tried_again(
    database_url: str, ending: str
) -> None:
    """Otherwise a restart of the database would tell readers that their queries are too large."""
    async with serving(
        database_url, query_timeout_seconds=PATIENCE_SECONDS, lock_timeout_seconds=PATIENCE_SECONDS
    ) as service:
        with _locked(database_url, "logs"):
            read = asyncio.create_task(service.http.get("/api/v1/logs"))
            (pid,) = await _waiting_for_locks(service, 1)
            await service.fetch(f"SELECT {ending}($1)", pid)
            response = await read
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) > 0


async def test_a_database_that_is_read_only(database_url: str) -> None:
    """Otherwise a failover to a standby would lose data, or stop the queries that it can answer."""
    _alter(database_url, "ALTER DATABASE {} SET default_transaction_read_only = on")
    sent = traces(span("kept"))
    async with serving(database_url) as service:
        response = await service.send(Signal.TRACES, sent)
        assert response.status_code == 503
        assert (await service.get("traces"))["traces"] == []
        checks = {"database": "ok", "schema": "ok", "writable": "failed"}
        assert await _ready(service) == (503, checks)
    _alter(database_url, "ALTER DATABASE {} RESET default_transaction_read_only")
    async with serving(database_url) as service:
        assert (await service.send(Signal.TRACES, sent)).status_code == 200
        assert [one["root_name"] for one in (await service.get("traces"))["traces"]] == ["kept"]


async def test_the_service_recovers_by_itself(service: Service, database_url: str) -> None:
    """Otherwise a restart of the database would need a restart of every service."""
    assert (await service.send(Signal.TRACES, traces(span("before")))).status_code == 200
    with psycopg.connect(_maintenance(database_url), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [urlsplit(database_url).path.lstrip("/")],
        )
    sent = traces(span("after"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (status := (await service.send(Signal.TRACES, sent)).status_code) != 200:
            assert status == 503
    assert await service.count("spans") == 2


@contextmanager
def _locked(database_url: str, relation: str) -> Iterator[None]:
    """Keep everybody else from reading a relation of schema observatory."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            sql.SQL("LOCK TABLE observatory.{} IN ACCESS EXCLUSIVE MODE").format(
                sql.Identifier(relation)
            )
        )
        yield


async def _waiting_for_locks(service: Service, count: int) -> list[int]:
    """Return the servers' processes that wait for a lock, as soon as there are that many."""
    while True:
        waiting = await service.fetch(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        if len(waiting) == count:
            return [row["pid"] for row in waiting]
        await asyncio.sleep(0.01)


def _maintenance(database_url: str) -> str:
    return urlsplit(database_url)._replace(path="/postgres").geturl()


def _alter(database_url: str, statement: LiteralString) -> None:
    name = urlsplit(database_url).path.lstrip("/")
    with psycopg.connect(_maintenance(database_url), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
