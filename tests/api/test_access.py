"""Keys and tenants: who may do what, and that nobody sees another project."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from google.rpc import status_pb2

from api.service import serving
from api.telemetry import (
    everything_in_logs,
    everything_in_metrics,
    everything_in_traces,
    span,
    traces,
)
from observatory_store.api import authentication
from observatory_store.database import open_pool
from observatory_store.otlp import Signal
from observatory_store.repositories import KeyRepository, ProjectRepository
from observatory_store.settings import AuthMode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

READS = (
    *("traces", "spans", "logs", "metrics", "metrics/m/points", "usage", "budgets"),
    "traces/" + "1" * 32,
)


@asynccontextmanager
async def _catalogue(url: str) -> AsyncIterator[tuple[ProjectRepository, KeyRepository]]:
    async with open_pool(url) as pool:
        yield ProjectRepository(pool), KeyRepository(pool)


@pytest.mark.editions("postgres")
async def test_each_scope_opens_its_routes_only(database_url: str) -> None:
    """Otherwise a key that leaked from an application could read the prompts of everybody."""
    async with (
        _catalogue(database_url) as (projects, keys),
        serving(database_url, auth=AuthMode.REQUIRED) as service,
    ):
        project = await projects.create("p")
        past = datetime.now(UTC) - timedelta(seconds=1)
        texts = {
            scope: (await keys.create(project.project_id, scope, [scope]))[1]
            for scope in ("write", "read", "admin")
        }
        expired = (await keys.create(project.project_id, "old", ["admin"], expires_at=past))[1]
        http = service.http
        cases: list[tuple[dict[str, str], int, int]] = [
            ({}, 401, 401),
            ({"authorization": "Bearer obs_wrong"}, 401, 401),
            ({"authorization": "Bearer"}, 401, 401),
            ({"authorization": "Basic " + texts["admin"]}, 401, 401),
            ({"x-api-key": expired}, 401, 401),
            ({"x-api-key": "\xe9"}, 401, 401),
            ({"x-api-key": texts["write"]}, 200, 403),
            ({"Authorization": "bearer " + texts["read"]}, 403, 200),
            ({"authorization": "Bearer " + texts["admin"]}, 200, 200),
        ]
        for headers, sends, reads in cases:
            encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
            for signal in Signal:
                kind = {b"content-type": b"application/x-protobuf"}
                response = await http.post(f"/v1/{signal}", content=b"", headers=encoded | kind)
                assert response.status_code == sends, (headers, response.content)
                if sends != 200:
                    code = status_pb2.Status.FromString(response.content).code
                    assert code == {401: 16, 403: 7}[sends]
            for path in READS:
                response = await http.get(f"/api/v1/{path}", headers=encoded)
                expected = 404 if reads == 200 and path == READS[-1] else reads
                assert response.status_code == expected, (headers, path)
                challenge = response.headers.get("www-authenticate")
                assert challenge == ("Bearer" if reads == 401 else None)
        for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"):
            assert (await http.get(path)).status_code == 200


@pytest.mark.editions("postgres")
async def test_a_revoked_key_is_refused_soon(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a leaked key would work until every service is restarted."""
    clock = 1000.0
    monkeypatch.setattr(authentication, "time", SimpleNamespace(monotonic=lambda: clock))
    async with (
        _catalogue(database_url) as (projects, keys),
        serving(database_url, auth=AuthMode.REQUIRED) as service,
    ):
        project = await projects.create("p")
        key, text = await keys.create(project.project_id, "k", ["read"])
        service.http.headers["x-api-key"] = text
        assert (await service.http.get("/api/v1/metrics")).status_code == 200
        await keys.revoke(project.project_id, key.api_key_id)
        assert (await service.http.get("/api/v1/metrics")).status_code == 200
        clock += authentication.CACHE_SECONDS
        assert (await service.http.get("/api/v1/metrics")).status_code == 401


async def test_projects_never_see_each_other(database_url: str) -> None:
    """Otherwise one tenant could read the prompts, the names or the bill of another."""
    async with (
        _catalogue(database_url) as (projects, keys),
        serving(database_url, auth=AuthMode.REQUIRED) as service,
    ):
        texts = []
        for name in ("a", "b"):
            project = await projects.create(name)
            texts.append((await keys.create(project.project_id, "k", ["read", "write"]))[1])
        mine, theirs = ({"x-api-key": text} for text in texts)
        sent = everything_in_traces()
        first = sent.resource_spans[0].scope_spans[0].spans[0]
        trace_id = first.trace_id.hex()
        second = span("second", start_time_unix_nano=first.start_time_unix_nano)
        for signal, request in (
            (Signal.TRACES, sent),
            (Signal.TRACES, traces(second)),
            (Signal.METRICS, everything_in_metrics()),
            (Signal.LOGS, everything_in_logs()),
        ):
            response = await service.send(signal, request, x_api_key=texts[0])
            assert response.status_code == 200
        http = service.http
        reads = {
            "traces": "traces",
            "spans": "spans",
            "logs": "logs",
            "metrics": "metrics",
            "metrics/a/gauge/points": "points",
        }
        for path, relation in reads.items():
            page = (await http.get(f"/api/v1/{path}?limit=1", headers=mine)).json()
            assert len(page[relation]) == 1
            assert (await http.get(f"/api/v1/{path}", headers=theirs)).json()[relation] == []
            response = await http.get(
                f"/api/v1/{path}",
                params={"limit": 1, "cursor": page["next_cursor"]},
                headers=theirs,
            )
            assert response.json()[relation] == [], path
        assert (await http.get("/api/v1/usage", headers=mine)).json()["rows"][0]["requests"] == 1
        assert (await http.get("/api/v1/usage", headers=theirs)).json()["rows"] == []
        for query in ("", "?format=otlp"):
            url = f"/api/v1/traces/{trace_id}{query}"
            assert (await http.get(url, headers=mine)).status_code == 200
            assert (await http.get(url, headers=theirs)).status_code == 404
        response = await http.get("/api/v1/traces?project=a", headers=theirs)
        assert response.status_code == 422
        # The same ids in another project are other spans, and stay apart.
        await service.send(Signal.TRACES, sent, x_api_key=texts[1])
        tree = (await http.get(f"/api/v1/traces/{trace_id}", headers=theirs)).json()
        assert len(tree["spans"]) == 2
        assert await service.count("spans") == 5
        key_ids = {one["api_key_id"] for one in tree["spans"]}
        records = await service.fetch("SELECT api_key_id FROM observatory.api_keys ORDER BY 1")
        assert key_ids == {records[1][0]}
