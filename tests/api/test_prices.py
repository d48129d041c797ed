"""The routes of prices."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from api.telemetry import llm_attributes, span, traces
from observatory_store.database import open_pool
from observatory_store.otlp import Signal
from observatory_store.pricing import litellm
from observatory_store.pricing.rate_text import read_rates
from observatory_store.repositories import PriceRepository, sync_prices

if TYPE_CHECKING:
    from api.service import Service

pytestmark = pytest.mark.editions("postgres")

FILE = {
    name: {
        "litellm_provider": "openai",
        "input_cost_per_token": rate,
        "output_cost_per_token": 1e-5,
    }
    for name, rate in {"m1": 2.5e-6, "m2": 1e-6}.items()
}
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def test_prices_page_by_page(service: Service, database_url: str) -> None:
    """With plain decimals, and the history of a price that was set."""
    async with open_pool(database_url) as pool:
        await sync_prices(pool, litellm.read(json.dumps(FILE).encode()), origin="f")
        mine = read_rates(["input=2", "batch.input=1"])
        await PriceRepository(pool).set("openai", "m1", mine, start=MARCH)
    first = await service.get("prices", limit=2)
    second = await service.get("prices", limit=2, cursor=first["next_cursor"])
    assert second["next_cursor"] is None
    assert [(one["source"], one["model"]) for one in first["prices"] + second["prices"]] == [
        ("litellm", "m1"),
        ("user", "m1"),
        ("litellm", "m2"),
    ]
    assert first["prices"][0]["rates"] == {"input": "0.0000025", "output": "0.00001"}
    assert first["prices"][1]["rates"] == {
        "input": "0.000002",
        "service_tiers": {"batch": {"input": "0.000001"}},
    }
    assert first["prices"][1]["valid_from"] == "2026-03-01T00:00:00.000000Z"
    before = await service.get("prices", model="M1", at="2026-02-28T23:59:59Z")
    assert [one["source"] for one in before["prices"]] == ["litellm"]
    assert (await service.get("prices", provider="azure"))["prices"] == []


async def test_models_without_a_price(service: Service) -> None:
    """What `unpriced_requests` of the usage counts is named here."""
    unknown = {**llm_attributes(), "gen_ai.request.model": "acme-1"}
    del unknown["gen_ai.response.model"]
    await service.send(
        Signal.TRACES, traces(span(attributes=llm_attributes()), span(attributes=unknown))
    )
    found = await service.get("prices/unpriced")
    (model,) = found["models"]
    assert (model["provider"], model["model"], model["requests"]) == ("openai", "acme-1", 1)
    assert model["first_seen"] == model["last_seen"]
    assert found["from"] < model["first_seen"] < found["to"]
    assert model["without_tokens"] == 0


async def test_calls_without_one_of_their_numbers(service: Service) -> None:
    """A price would be set for nothing: one number of tokens is as good as none."""
    half = llm_attributes()
    del half["gen_ai.usage.output_tokens"]
    await service.send(Signal.TRACES, traces(span(attributes=half)))
    (model,) = (await service.get("prices/unpriced"))["models"]
    assert (model["requests"], model["without_tokens"]) == (1, 1)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"limit": 0}, 422),
        ({"source": "me"}, 422),
        ({"at": "now"}, 422),
        ({"cursor": "1"}, 400),
        ({"model": "m\0"}, 422),
    ],
)
async def test_what_is_refused(service: Service, parameters: dict[str, str], status: int) -> None:
    """Never a page of something else."""
    response = await service.http.get("/api/v1/prices", params=parameters)
    assert response.status_code == status
