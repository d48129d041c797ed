"""The routes of the catalogue of models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from observatory_store.database import open_pool
from observatory_store.pricing import litellm
from observatory_store.repositories import sync_models

if TYPE_CHECKING:
    from api.service import Service

pytestmark = pytest.mark.editions("postgres")

FILE: dict[str, dict[str, Any]] = {
    "gpt-9": {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": 128_000,
        "supports_vision": True,
        "deprecation_date": "2020-01-31",
    },
    "groq/meta/llama-9": {"litellm_provider": "groq"},
    "groq/qwen-9": {"litellm_provider": "groq"},
}


@pytest.fixture(autouse=True)
async def _synced(database_url: str) -> None:
    async with open_pool(database_url) as pool:
        await sync_models(pool, litellm.read(json.dumps(FILE).encode()))


async def test_models_page_by_page(service: Service) -> None:
    """Each once, with what is known; and only those that are asked for."""
    first = await service.get("models", limit=2)
    second = await service.get("models", limit=2, cursor=first["next_cursor"])
    assert second["next_cursor"] is None
    assert [one["model"] for one in first["models"] + second["models"]] == [
        "meta/llama-9",
        "qwen-9",
        "gpt-9",
    ]
    (gpt,) = second["models"]
    assert (gpt["context_window"], gpt["max_output_tokens"]) == (128_000, None)
    assert gpt["input_modalities"] == ["text", "image"]
    assert (gpt["deprecated"], gpt["deprecation_date"]) == (True, "2020-01-31")
    assert gpt["last_seen_at"].endswith("Z")
    for found in (
        await service.get("models", provider="OpenAI"),
        await service.get("models", q="GPT"),
        await service.get("models", deprecated="true"),
    ):
        assert found["models"] == [gpt]


async def test_one_model(service: Service) -> None:
    """Also of a name with slashes; all that the sources say comes with it."""
    found = await service.get("models/groq/meta/llama-9")
    key = "groq/meta/llama-9"
    assert found["source_rows"] == {"litellm": {"key": key, **FILE[key]}}
    response = await service.http.get("/api/v1/models/groq/gpt-9")
    assert response.status_code == 404
    assert "no model 'gpt-9' of groq" in response.json()["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("models?limit=0", 422),
        ("models?limit=1001", 422),
        ("models?deprecated=perhaps", 422),
        ("models?cursor=1", 400),
        ("models?q=%00", 422),
        ("models/groq/m%00", 422),
        ("models?family=gpt", 422),
    ],
)
async def test_what_is_refused(service: Service, path: str, status: int) -> None:
    """Never a page of something else."""
    response = await service.http.get(f"/api/v1/{path}")
    assert response.status_code == status


@pytest.mark.parametrize("name", ["google", "gemini", "google-gla", "gcp.gemini"])
async def test_models_by_any_name_of_their_provider(
    service: Service, database_url: str, name: str
) -> None:
    """Whoever asks by the name that the telemetry was sent with."""
    file = {"gemini/gemini-9": {"litellm_provider": "gemini", "mode": "chat"}}
    async with open_pool(database_url) as pool:
        await sync_models(pool, litellm.read(json.dumps(file).encode()))
    found = await service.get("models", provider=name)
    assert [(one["provider"], one["model"]) for one in found["models"]] == [
        ("gcp.gemini", "gemini-9")
    ]
