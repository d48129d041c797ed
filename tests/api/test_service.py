"""What the service says of itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from api.service import Service, serving
from api.telemetry import log, logs, span, traces
from observatory_store.ingest import Receiver
from observatory_store.otlp import Signal
from observatory_store.repositories.analytics import DIMENSIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable


async def test_ready_names_the_edition(service: Service, edition: str) -> None:
    """Otherwise an operator could not see that TimescaleDB is not in use."""
    response = await service.http.get("/readyz")
    assert (response.status_code, response.json()) == (
        200,
        {
            "ready": True,
            "checks": {"database": "ok", "schema": "ok", "writable": "ok"},
            "edition": edition,
        },
    )


@pytest.mark.editions("postgres")
async def test_measurements_count_what_happened(service: Service) -> None:
    """Otherwise nobody could be alerted when records are rejected."""
    await service.send(Signal.TRACES, traces(span(), span(), span(trace_id=b"\1")))
    await service.send(Signal.LOGS, logs(log()))
    await service.http.get("/api/v1/traces/" + "1" * 32)
    await service.http.get("/api/v1/nothing/" + "1" * 32)
    lines = (await service.http.get("/metrics")).text.splitlines()
    for line in (
        'observatory_records_total{outcome="accepted",signal="traces"} 2.0',
        'observatory_records_total{outcome="rejected",signal="traces"} 1.0',
        'observatory_records_total{outcome="accepted",signal="logs"} 1.0',
        'observatory_http_requests_total{method="POST",route="/v1/traces",status="200"} 1.0',
        (
            'observatory_http_requests_total{method="GET",route="/api/v1/traces/{trace_id}",'
            'status="404"} 1.0'
        ),
        'observatory_http_requests_total{method="any",route="none",status="404"} 1.0',
        'observatory_receive_duration_seconds_count{signal="traces"} 1.0',
        'observatory_pool_connections{pool="ingest"} 1.0',
        'observatory_pool_connections{pool="reads"} 1.0',
    ):
        assert line in lines
    assert any(line.startswith('observatory_body_bytes_total{signal="logs"}') for line in lines)


@pytest.mark.editions("postgres")
async def test_a_fault_is_a_status_that_is_not_retried(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a sender would send the body that meets a fault again and again."""

    def fails(*_: Any, **__: Any) -> Awaitable[None]:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(Receiver, "receive", fails)
    async with serving(database_url) as service:
        response = await service.send(Signal.TRACES, b"{}", "application/json")
        assert response.status_code == 500
        assert response.json()["code"] == 13
        assert "secret" not in response.text
        metrics = (await service.http.get("/metrics")).text
        assert 'route="/v1/traces",status="500"' in metrics


@pytest.mark.editions("postgres")
async def test_the_description_names_every_route(service: Service) -> None:
    """Otherwise a reader of /docs would not learn of a route, a parameter or a field."""
    document = (await service.http.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        *("/v1/traces", "/v1/metrics", "/v1/logs", "/healthz", "/readyz", "/metrics"),
        *("/api/v1/traces", "/api/v1/traces/{trace_id}", "/api/v1/spans", "/api/v1/logs"),
        *("/api/v1/metrics", "/api/v1/metrics/{name}/points", "/api/v1/usage", "/api/v1/latency"),
        *("/api/v1/usage/comparison", "/api/v1/errors", "/api/v1/sessions"),
        "/api/v1/costs/forecast",
        *("/api/v1/prices", "/api/v1/prices/unpriced"),
        *("/api/v1/models", "/api/v1/models/{provider}/{model_name}"),
        *("/api/v1/budgets", "/api/v1/budgets/{name}"),
    }
    parameters = document["paths"]["/api/v1/usage"]["get"]["parameters"]
    names = {"from", "to", "interval", "tz", "fill", "group_by", *DIMENSIONS}
    assert {one["name"] for one in parameters} == names
    assert document["components"]["schemas"]["TreeSpan"]["properties"]["depth"]["description"]


@pytest.mark.editions("postgres")
async def test_a_page_of_1000_spans_is_quick(service: Service) -> None:
    """Otherwise other requests would wait while one page is written."""
    attributes = {f"key{n}": n for n in range(20)}
    await service.send(Signal.TRACES, traces(*(span(attributes=attributes) for _ in range(1000))))
    begin = time.process_time()
    page = await service.get("spans", limit=1000)
    assert len(page["spans"]) == 1000
    # Of this process alone, whatever else the machine does.
    assert time.process_time() - begin < 1
