"""Routes that sum: their answers, and what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from api.service import Service
from api.telemetry import SECOND, llm_attributes, span, traces
from observatory_store.api.answers.base import micro_time
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


async def test_two_periods_side_by_side(service: Service) -> None:
    """What went up, what is new and what is gone; by default since the period just before."""
    edge = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    hour = timedelta(hours=1)
    calls = (("gpt-4o", 2), ("new", 1)), (("gpt-4o", 1), ("gone", 1))
    for period, models in zip((edge, edge - hour), calls, strict=True):
        for model, count in models:
            attributes = llm_attributes() | {"gen_ai.response.model": model}
            began = int((period + hour / 2).timestamp()) * SECOND
            await service.send(
                Signal.TRACES,
                traces(
                    *(
                        span(
                            attributes=attributes,
                            start_time_unix_nano=began,
                            end_time_unix_nano=began + SECOND,
                        )
                        for _ in range(count)
                    )
                ),
            )
    asked = {"from_": edge.isoformat(), "to": (edge + hour).isoformat(), "group_by": "model"}
    found = await service.get("usage/comparison", **asked)
    assert found["before_to"] == found["from"] == micro_time(edge)
    assert found["before_from"] == micro_time(edge - hour)
    rows = {row["model"]: row for row in found["rows"]}
    requests = {
        model: (row["now"]["requests"], row["before"]["requests"]) for model, row in rows.items()
    }
    assert requests == {"gpt-4o": (2, 1), "new": (1, 0), "gone": (0, 1)}
    changes = {model: row["requests_change"] for model, row in rows.items()}
    assert changes == {"gpt-4o": 1.0, "new": None, "gone": -1.0}
    assert found["rows"][0]["model"] == "gpt-4o"
    assert found["rows"][0]["cost_change"] == pytest.approx(1)
    costs = [Decimal(found["rows"][0][when]["cost_usd"]) for when in ("now", "before")]
    assert Decimal(found["rows"][0]["cost_change_usd"]) == costs[0] - costs[1] > 0
    (total,) = (
        await service.get("usage/comparison", **asked | {"group_by": []}, before=edge.isoformat())
    )["rows"]
    assert total["now"] == total["before"]
    assert (total["model"], total["requests_change"], total["cost_change"]) == (None, 0, 0)


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
