"""Routes that sum: their answers, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from api.service import Service
from api.telemetry import llm_attributes, span, traces
from observatory_store.otlp import Signal


async def test_latency_by_model(service: Service) -> None:
    """Each quantile stands with its number, and times are milliseconds."""
    await service.send(Signal.TRACES, traces(*(span(attributes=llm_attributes()) for _ in "abc")))
    found = await service.get("latency", group_by="model", quantile=[0.5, 1], histogram="true")
    (row,) = found["rows"]
    assert (row["requests"], [one["quantile"] for one in row["quantiles"]]) == (3, [0.5, 1.0])
    longest = row["max_duration_ms"]
    assert row["quantiles"][1]["duration_ms"] == pytest.approx(longest, rel=0.0101)
    assert sum(one["requests"] for one in row["histogram"]) == 3
    assert (await service.get("latency", model="none"))["rows"] == []


async def test_errors_and_their_rates(service: Service) -> None:
    """How many of the calls failed, and what they said."""
    failed = [
        span(
            attributes=llm_attributes(),
            status=Status(code=Status.STATUS_CODE_ERROR, message=f"no answer in {n} ms"),
        )
        for n in range(2)
    ]
    await service.send(Signal.TRACES, traces(*failed, span(attributes=llm_attributes())))
    found = await service.get("errors", group_by="provider", limit=1)
    (rate,) = found["rates"]
    assert (rate["requests"], rate["errors"]) == (3, 2)
    assert rate["error_rate"] == pytest.approx(2 / 3)
    (top,) = found["top"]
    assert (top["errors"], top["sample_message"]) == (2, "no answer in 0 ms")


async def test_a_forecast_says_how_it_is_made(service: Service) -> None:
    """Numbers of which nobody knows the method are not believed."""
    found = await service.get("costs/forecast", days=3, confidence=0.9)
    assert "weekdays" in found["method"]
    assert (len(found["days"]), found["total"]["cost_usd"]) == (3, "0.0000")
    assert found["confidence"] == pytest.approx(0.9)


async def test_sessions_page_by_page(service: Service) -> None:
    """Each conversation once, with the sums of its traces."""
    for number in range(5):
        attributes = llm_attributes() | {
            "session.id": f"s{number % 3}",
            "gen_ai.conversation.id": f"s{number % 3}",
        }
        await service.send(Signal.TRACES, traces(span(attributes=attributes)))
    sessions: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = await service.get("sessions", limit=1, **({"cursor": cursor} if cursor else {}))
        sessions += page["sessions"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(one["session"] for one in sessions) == ["s0", "s1", "s2"]
    assert sorted(one["traces"] for one in sessions) == [1, 2, 2]
    assert [one["last_start"] for one in sessions] == sorted(
        (one["last_start"] for one in sessions), reverse=True
    )
    (one,) = (await service.get("sessions", session="s1"))["sessions"]
    assert (one["traces"], one["requests"]) == (2, 2)


HOSTILE = "'; DROP TABLE observatory.spans; --"
ROUTES = ("usage", "latency", "errors", "sessions", "costs/forecast")


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("path", ROUTES)
async def test_hostile_questions(service: Service, path: str) -> None:
    """No parameter reaches SQL as text, and none is a fault of the service."""
    await service.send(Signal.TRACES, traces(span(attributes=llm_attributes())))
    document = (await service.http.get("/openapi.json")).json()
    parameters = document["paths"][f"/api/v1/{path}"]["get"]["parameters"]
    names = [one["name"] for one in parameters]
    for name in names:
        values: list[Any] = [HOSTILE, "\0", "", "x" * 5000, [str(n) for n in range(10_000)]]
        for value in values:
            # In parts, because no server takes a URL of so many.
            asked = value[:1500] if isinstance(value, list) else value
            response = await service.http.get(f"/api/v1/{path}", params={name: asked})
            assert response.status_code in {200, 400, 422}, (name, value, response.text)
            if response.status_code != 200:
                assert response.headers["content-type"] == "application/problem+json"
                assert name in response.json()["detail"]
    assert await service.count("spans") == 1
    for bad in (
        ()
        if path == "costs/forecast"
        else (
            {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
            {"from": "2016-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"},
        )
    ):
        response = await service.http.get(f"/api/v1/{path}", params=bad)
        assert response.status_code == 400
        assert "range" in response.json()["detail"]
