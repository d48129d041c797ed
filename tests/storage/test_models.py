"""The catalogue of models, brought in from the sources again and again."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from observatory_store.database import open_pool
from observatory_store.errors import InvalidCursorError, NotFoundError
from observatory_store.pricing import genai, litellm
from observatory_store.pricing.listing import Source
from observatory_store.repositories import ModelRepository, ModelSyncReport, sync_models
from storage.samples import query

THEN = datetime(2026, 3, 1, tzinfo=UTC)
LATER = THEN + timedelta(days=1)
COUNTS = "SELECT count(*), count(DISTINCT (provider, model)) FROM observatory.model_listings"


def source(**rows: Any) -> Source:
    """Return a file of these rows of OpenAI's chat models."""
    common = {"litellm_provider": "openai", "mode": "chat"}
    return litellm.read(
        json.dumps(
            {key: {**common, **row} if isinstance(row, dict) else row for key, row in rows.items()}
        ).encode()
    )


def counts(report: ModelSyncReport) -> tuple[int, int, int, int, int]:
    """Return how many models were added, changed, unchanged, refused, absent."""
    return (
        len(report.added),
        len(report.changed),
        report.unchanged,
        len(report.refused),
        len(report.absent),
    )


async def test_all_that_genai_prices_knows(database_url: str) -> None:
    """The whole of it goes in, with models that are not sold by the token; and only once."""
    found = genai.read()
    async with open_pool(database_url) as pool:
        first = await sync_models(pool, found)
        second = await sync_models(pool, found)
        page = await ModelRepository(pool).list(provider="openai", q="GPT-4o")
    assert counts(first) == (len(found.models), 0, 0, 0, 0)
    assert counts(second) == (0, 0, len(found.models), 0, 0)
    assert len(found.models) > len(found.listings)
    assert query(database_url, COUNTS) == [(len(found.models),) * 2]
    known = {row.model: row for row in page.items}
    assert known["gpt-4o"].context_window == 128_000
    assert known["gpt-4o"].capabilities == {}
    assert all("gpt-4o" in row.model or "4o" in (row.display_name or "") for row in page.items)


async def test_two_sources_make_one_model(database_url: str) -> None:
    """Whoever asks for a model gets all that is known of it, and who says what."""
    file = source(
        **{
            "gpt-4o": {
                "max_input_tokens": 7,
                "max_output_tokens": 16_384,
                "supports_vision": True,
                "supports_reasoning": False,
                "deprecation_date": "2099-01-31",
            }
        }
    )
    async with open_pool(database_url) as pool:
        await sync_models(pool, file)
        models = ModelRepository(pool)
        alone, _ = await models.get("OpenAI", "GPT-4o")
        await sync_models(pool, genai.read())
        both, said = await models.get("openai", "gpt-4o")
    assert (alone.context_window, alone.display_name, alone.sources) == (7, None, ["litellm"])
    assert (both.context_window, both.display_name) == (128_000, "gpt 4o")
    assert both.sources == ["genai-prices", "litellm"]
    assert (both.mode, both.max_output_tokens) == ("chat", 16_384)
    assert (both.input_modalities, both.output_modalities) == (["text", "image"], ["text"])
    assert both.capabilities == {"vision": True, "reasoning": False}
    assert (both.deprecated, both.deprecation_date) == (False, date(2099, 1, 31))
    assert json.loads(bytes(said))["litellm"]["key"] == "gpt-4o"
    assert json.loads(bytes(said))["genai-prices"]["id"] == "gpt-4o"


async def test_what_changes_and_what_is_listed_no_more(database_url: str) -> None:
    """The report says what changed; a model that is gone stays, with when it was last seen."""
    async with open_pool(database_url) as pool:
        await sync_models(
            pool, source(a={"max_input_tokens": 1}, b={}, c={}, d={"rpm": 1}), now=THEN
        )
        report = await sync_models(
            pool, source(a={"max_input_tokens": 2}, c={}, d={"rpm": 2}, e={}), now=LATER
        )
        rows = (await ModelRepository(pool).list()).items
    assert counts(report) == (1, 1, 2, 0, 1)
    assert (report.added, report.absent) == (["openai/e"], ["openai/b"])
    (changed,) = report.changed
    assert changed.model == "openai/a"
    assert {name: (said.before, said.after) for name, said in changed.fields.items()} == {
        "context_window": (1, 2)
    }
    assert [(row.model, row.synced_at, row.last_seen_at) for row in rows] == [
        ("a", LATER, LATER),
        ("b", THEN, THEN),
        ("c", THEN, LATER),
        ("d", LATER, LATER),
        ("e", LATER, LATER),
    ]
    assert query(
        database_url, "SELECT source_row -> 'rpm' FROM observatory.model_listings WHERE model = 'd'"
    ) == [(2,)]


async def test_a_row_whose_price_is_wrong(database_url: str) -> None:
    """What it says of the model is kept, and all that it says beside it, whatever that is."""
    odd = {"input_cost_per_token": float("nan"), "huge": 10**300, "names": ["\U0001f600"]}
    async with open_pool(database_url) as pool:
        report = await sync_models(pool, source(a={**odd, "max_input_tokens": 8192.0}, b={}))
        again = await sync_models(pool, source(a={**odd, "max_input_tokens": 8192.0}, b={}))
        row, _ = await ModelRepository(pool).get("openai", "a")
    assert (counts(report), counts(again)) == ((2, 0, 0, 0, 0), (0, 0, 2, 0, 0))
    assert row.context_window == 8192
    assert query(
        database_url, "SELECT source_row ->> 'huge' FROM observatory.model_listings LIMIT 1"
    ) == [(str(10**300),)]


async def test_wrong_rows(database_url: str) -> None:
    """The good rows go in; of a wrong one the catalogue keeps what it had, and knows it listed."""
    async with open_pool(database_url) as pool:
        await sync_models(pool, source(a={"max_input_tokens": 1}, b={}), now=THEN)
        report = await sync_models(
            pool,
            source(a={"max_input_tokens": -1}, b={"max_input_tokens": 2}, c=7),
            now=LATER,
        )
        rows = (await ModelRepository(pool).list()).items
    assert counts(report) == (0, 1, 0, 2, 0)
    assert [(row.model, row.context_window, row.synced_at, row.last_seen_at) for row in rows] == [
        ("a", 1, THEN, LATER),
        ("b", 2, LATER, LATER),
    ]


@pytest.mark.editions("postgres")
async def test_a_dry_run_changes_nothing(database_url: str) -> None:
    """Whoever looks first sees the same report, and the catalogue as before."""
    async with open_pool(database_url) as pool:
        shown = await sync_models(pool, source(a={}), dry_run=True)
    assert counts(shown) == (1, 0, 0, 0, 0)
    assert query(database_url, COUNTS) == [(0, 0)]


@pytest.mark.editions("postgres")
async def test_deprecated_models(database_url: str) -> None:
    """By date, from the day itself on; or by the source's word."""
    dates = {"old": "2020-01-31", "ending": "2099-01-31", "today": f"{datetime.now(UTC):%Y-%m-%d}"}
    file = source(**{name: {"deprecation_date": text} for name, text in dates.items()}, stays={})
    async with open_pool(database_url) as pool:
        await sync_models(pool, file)
        await sync_models(pool, genai.read())
        models = ModelRepository(pool)
        gone = (await models.list(deprecated=True)).items
        left = (await models.list(deprecated=False)).items
    assert {row.model for row in gone if row.provider == "openai"} >= {"old", "today"}
    assert {row.model for row in left if row.provider == "openai"} >= {"ending", "stays"}
    assert any(row.sources == ["genai-prices"] for row in gone)
    assert query(database_url, COUNTS)[0][1] == len(gone) + len(left)


@pytest.mark.editions("postgres")
async def test_pages_of_models(database_url: str) -> None:
    """Page by page comes what comes at once, each model once; a cursor fits its query only."""
    async with open_pool(database_url) as pool:
        await sync_models(pool, source(**{f"m{number}é": {} for number in range(7)}))
        models = ModelRepository(pool)
        pages: list[list[str]] = []
        cursor: str | None = None
        while True:
            page = await models.list(limit=3, cursor=cursor)
            pages.append([row.model for row in page.items])
            last, cursor = cursor, page.next_cursor
            if cursor is None:
                break
        assert pages == [["m0é", "m1é", "m2é"], ["m3é", "m4é", "m5é"], ["m6é"]]
        with pytest.raises(InvalidCursorError):
            await models.list(limit=3, q="m", cursor=last)
        assert [row.model for row in (await models.list(q="M3")).items] == ["m3é"]
        assert (await models.list(q="%")).items == []
        with pytest.raises(NotFoundError, match="no model 'm9' of openai"):
            await models.get("openai", "m9")
