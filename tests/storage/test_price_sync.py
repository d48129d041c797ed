"""Bringing prices into the table from a source, again and again."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.pricing import genai, litellm
from observatory_store.pricing.listing import Source
from observatory_store.repositories import PriceRepository, SyncReport, sync_prices
from pricing.books import tariff
from storage.samples import now, query, span

COUNTS = "SELECT count(*), count(*) FILTER (WHERE valid_to IS NULL) FROM observatory.prices"
HOUR = timedelta(hours=1)


def source(**rates: Any) -> Source:
    """Return a file of models `a`, `b`, … at so many US dollars a million input tokens."""
    return litellm.read(
        json.dumps(
            {
                name: {
                    "litellm_provider": "openai",
                    "input_cost_per_token": rate if isinstance(rate, str) else rate / 10**6,
                    "output_cost_per_token": 1e-5,
                }
                for name, rate in rates.items()
            }
        ).encode()
    )


def counts(report: SyncReport) -> tuple[int, int, int, int, int]:
    """Return how many models were added, changed, unchanged, refused, absent."""
    return (
        len(report.added),
        report.changed_models,
        report.unchanged,
        len(report.refused),
        len(report.absent),
    )


async def test_all_that_genai_prices_knows(database_url: str) -> None:
    """The whole of it goes in, and a row of it prices a call; a second time adds nothing."""
    found = genai.read()
    async with open_pool(database_url) as pool:
        first = await sync_prices(pool, found, origin="genai-prices", by="tests")
        stored = query(database_url, COUNTS)
        second = await sync_prices(pool, found, origin="genai-prices", by="tests")
        assert counts(first) == (len(found.listings), 0, 0, 0, 0)
        assert counts(second) == (0, 0, len(found.listings), 0, 0)
        assert query(database_url, COUNTS) == stored
        page = await PriceRepository(pool).list(provider="openai", model="gpt-4o", at=now())
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, cost_usd=None, input_tokens=10**6, output_tokens=0)])
    (row,) = page.items
    expected = row.tariff.input
    assert expected is not None
    assert query(database_url, "SELECT cost_usd, price_ref FROM observatory.spans") == [
        (expected * 10**6, f"price:{row.price_id}")
    ]
    assert query(
        database_url,
        "SELECT source, version, origin, synced_by, added, unchanged FROM observatory.price_syncs "
        "ORDER BY price_sync_id",
    ) == [
        ("genai-prices", found.version, "genai-prices", "tests", len(found.listings), 0),
        ("genai-prices", found.version, "genai-prices", "tests", 0, len(found.listings)),
    ]


async def test_a_price_that_changes(database_url: str) -> None:
    """The old one is closed and stays; the report and the audit say what changed; a model that is
    listed no more keeps its price.
    """
    start = now() - 10 * HOUR
    async with open_pool(database_url) as pool:
        await sync_prices(pool, source(a=1, b=2, c=3), origin="f", now=start)
        report = await sync_prices(pool, source(a=1, b=4, d=5), origin="f", now=start + HOUR)
        rows = (await PriceRepository(pool).list()).items
    assert counts(report) == (1, 1, 1, 0, 1)
    assert (report.added, report.absent) == (["openai/d"], ["openai/c"])
    (changed,) = report.changed
    assert (changed.model, changed.valid_from) == ("openai/b", start + HOUR)
    assert changed.before == tariff(input="2", output="10")
    assert changed.after == tariff(input="4", output="10")
    assert [(row.model, row.valid_from, row.valid_to) for row in rows] == [
        ("a", None, None),
        ("b", None, start + HOUR),
        ("b", start + HOUR, None),
        ("c", None, None),
        ("d", None, None),
    ]
    ((audited,),) = query(
        database_url,
        "SELECT report FROM observatory.price_syncs ORDER BY price_sync_id DESC LIMIT 1",
    )
    assert (audited["added"], audited["absent"]) == (["openai/d"], ["openai/c"])
    assert audited["changed"][0]["after"]["input"] == 0.000004
    assert query(
        database_url, "SELECT source_row ->> 'key' FROM observatory.prices WHERE model = 'd'"
    ) == [("d",)]


async def test_a_dry_run_changes_nothing(database_url: str) -> None:
    """Whoever looks first sees the same report, and the table as before."""
    async with open_pool(database_url) as pool:
        await sync_prices(pool, source(a=1), origin="f")
        before = query(database_url, COUNTS)
        shown = await sync_prices(pool, source(a=2, b=1), origin="f", dry_run=True)
        assert (shown.price_sync_id, counts(shown)) == (None, (1, 1, 0, 0, 0))
        assert query(database_url, COUNTS) == before
        assert query(database_url, "SELECT count(*) FROM observatory.price_syncs") == [(1,)]


@pytest.mark.editions("postgres")
async def test_half_the_rows_are_wrong(database_url: str) -> None:
    """The good half goes in; of the wrong half the table keeps what it had."""
    names = [f"m{number}" for number in range(100)]
    async with open_pool(database_url) as pool:
        await sync_prices(pool, source(**dict.fromkeys(names, 1)), origin="f")
        broken: dict[str, Any] = {
            name: 2 if number % 2 else "two" for number, name in enumerate(names)
        }
        report = await sync_prices(pool, source(**broken), origin="f")
        rows = (await PriceRepository(pool).list(at=now() + HOUR)).items
    assert counts(report) == (0, 50, 0, 50, 0)
    rates = {row.model: row.tariff.input for row in rows}
    assert rates["m0"] == Decimal("0.000001")
    assert rates["m1"] == Decimal("0.000002")


@pytest.mark.editions("postgres")
async def test_a_row_with_what_json_does_not_have(database_url: str) -> None:
    """NaN beside a good price is kept as text, and does not take the sync along."""
    row = {"litellm_provider": "openai", "input_cost_per_token": 1e-6, "note": float("nan")}
    async with open_pool(database_url) as pool:
        await sync_prices(pool, litellm.read(json.dumps({"a": row}).encode()), origin="f")
    assert query(database_url, "SELECT source_row ->> 'note' FROM observatory.prices") == [("NaN",)]


async def test_a_users_price_is_left_alone_and_wins(database_url: str) -> None:
    """A contract's price outlives every sync."""
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        mine = await prices.set("openai", "gpt-4o", tariff(input="0.5", output="0"))
        await sync_prices(pool, source(**{"gpt-4o": 7}), origin="f")
        await sync_prices(pool, genai.read(), origin="genai-prices")
        assert (await prices.list(source="user")).items == [mine]
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, cost_usd=None, start_time=now() + HOUR)])
    assert query(database_url, "SELECT price_ref FROM observatory.spans") == [
        (f"price:{mine.price_id}",)
    ]


@pytest.mark.editions("postgres")
async def test_several_syncs_at_once(database_url: str) -> None:
    """Every replica may sync at its start: one brings the prices in, the others find them."""
    async with open_pool(database_url) as pool:
        reports = await asyncio.gather(
            *(sync_prices(pool, source(a=1, b=2), origin="f") for _ in range(6))
        )
    assert sorted(counts(report) for report in reports) == [(0, 0, 2, 0, 0)] * 5 + [(2, 0, 0, 0, 0)]
    assert query(database_url, COUNTS) == [(2, 2)]


@pytest.mark.editions("postgres")
async def test_pages_of_prices(database_url: str) -> None:
    """Page by page comes what comes at once, each price once."""
    async with open_pool(database_url) as pool:
        await sync_prices(pool, source(**{f"m{n}": n for n in range(1, 8)}), origin="f")
        prices = PriceRepository(pool)
        pages, cursor = [], None
        while True:
            page = await prices.list(limit=3, cursor=cursor)
            pages.append([row.model for row in page.items])
            if (cursor := page.next_cursor) is None:
                break
    assert pages == [["m1", "m2", "m3"], ["m4", "m5", "m6"], ["m7"]]


@pytest.mark.editions("postgres")
@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("gpt-4*", "gpt-4o", True),
        ("gpt_4*", "gpt-4o", False),
        ("gpt%", "gpt-4o", False),
        ("m-####", "m-2026", True),
        ("m-####", "m-abcd", False),
        ("m-2026-01-02", "M-20260102", True),
        ("a\\b*", "a\\bc", True),
    ],
)
async def test_prices_of_a_model(database_url: str, pattern: str, name: str, found: bool) -> None:  # noqa: FBT001
    """The list has the prices that the pricer would take, and no more."""
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        await prices.set("p", pattern, tariff(input="1"))
        assert bool((await prices.list(model=name)).items) is found
