"""The price table: what users set, and what the store and the service make of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from observatory_store import Store
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.ingest import fresh_prices, prices_kept_fresh
from observatory_store.ingest.fresh_prices import PriceLoader
from observatory_store.pricing import CostSource, DatabasePrices, GenAIPrices, Tariff
from observatory_store.repositories import PriceRepository
from observatory_store.schema import Migrator
from patience import until
from pricing.books import NOON, NoPrices, tariff, usage
from storage.samples import now, query, span

HOUR = timedelta(hours=1)
TWICE = """
    INSERT INTO observatory.prices (price_sync_id, source, provider, model, names, context_tiers,
        service_tiers, hours, source_row)
    SELECT price_sync_id, source, provider, model, names, context_tiers, service_tiers, hours,
        source_row
    FROM observatory.prices ORDER BY price_id DESC LIMIT 1
"""
COSTS = "SELECT cost_usd, price_ref FROM observatory.spans ORDER BY span_id"


async def test_a_users_prices_by_hand(database_url: str) -> None:
    """Two changes within one day: each call costs what was set for its time. 1,000 input tokens x
    $2, $4 and $8 a million, 100 output x $10.
    """
    day = now() - timedelta(days=2)
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        for hour, rate in ((0, "2"), (6, "4"), (12, "8")):
            await prices.set(
                "openai", "gpt-4o", tariff(input=rate, output="10"), start=day + hour * HOUR
            )
        ids = [price.price_id for price in (await prices.list()).items]
    used = {"input_tokens": 1000, "output_tokens": 100, "cost_usd": None}
    async with Store.open(database_url) as store:
        await store.write_spans(
            [span(n, start_time=day + n * 6 * HOUR - HOUR, **used) for n in (1, 2, 3)]
        )
    assert query(database_url, COSTS) == [
        (Decimal("0.003"), f"price:{ids[0]}"),
        (Decimal("0.005"), f"price:{ids[1]}"),
        (Decimal("0.009"), f"price:{ids[2]}"),
    ]


async def test_a_price_comes_out_as_it_went_in(database_url: str) -> None:
    """A digit that is lost in the database is lost in every cost."""
    with_everything = Tariff(
        **{
            name: Decimal(n) / 3**n / 100
            for n, name in enumerate(["input", "output", "reasoning"], 1)
        },
        web_search=Decimal("0.0100000000000000000001"),
        context_tiers=tariff(context_tiers=()).context_tiers,
    )
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        stored = await prices.set("p", "m", with_everything, start=NOON, by="me")
        assert (stored.tariff, stored.created_by) == (with_everything, "me")
        (loaded,) = await prices.load()
        assert loaded.tariff == with_everything


async def test_nothing_is_changed_or_deleted(database_url: str) -> None:
    """What a call was charged by two years ago can be shown, whatever was set since."""
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        for rate in ("1", "2", "3"):
            await prices.set("p", "m", tariff(input=rate), start=NOON)
        assert [price.tariff for price in (await prices.list()).items] == [tariff(input="3")]
    assert query(database_url, "SELECT input * 1000000 FROM observatory.prices ORDER BY 1") == [
        (Decimal(n),) for n in (1, 2, 3)
    ]
    assert query(
        database_url, "SELECT source, added, changed FROM observatory.price_syncs ORDER BY 2 DESC"
    ) == [("user", 1, 0), ("user", 0, 1), ("user", 0, 1)]
    for statement in (
        "DELETE FROM observatory.prices",
        "TRUNCATE observatory.prices",
        "UPDATE observatory.prices SET input = 0",
        "UPDATE observatory.prices SET valid_to = NULL",
        "DELETE FROM observatory.price_syncs",
        "UPDATE observatory.price_syncs SET synced_by = 'nobody'",
        TWICE,
    ):
        with pytest.raises(psycopg.Error):
            query(database_url, statement)


@pytest.mark.editions("postgres")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("p", "m", tariff(input="-1")), "input is negative"),
        (("p", "m", tariff(output="1000001")), "output is absurd"),
        (("p", "m", Tariff(input=Decimal("NaN"))), "no number"),
        (("p", "m", Tariff(input=Decimal("1e-400"))), "30 digits"),
        (("p", "m", Tariff()), "at least one rate"),
        (("p", "", tariff(input="1")), "a model is a name"),
        (("p", "**", tariff(input="1")), "a model is a name"),
        (("p", "a*b*c*d*", tariff(input="1")), "at most 3 stars"),
        (("p", "m" * 1000, tariff(input="1")), "at most 256"),
        (("p", "m\0", tariff(input="1")), "printable"),
        ((" ", "m", tariff(input="1")), "a provider is a name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_prices_that_cannot_be(
    database_url: str, arguments: tuple[Any, ...], message: str
) -> None:
    """A slip of the hand must not become a bill."""
    async with open_pool(database_url) as pool:
        with pytest.raises(InvalidInputError, match=message):
            await PriceRepository(pool).set(*arguments)
    assert query(database_url, "SELECT count(*) FROM observatory.price_syncs") == [(0,)]


@pytest.mark.editions("postgres")
async def test_several_set_at_once(database_url: str) -> None:
    """Two operators at once: both prices are kept, one after the other."""
    async with open_pool(database_url) as pool:
        prices = PriceRepository(pool)
        await asyncio.gather(*(prices.set("p", "m", tariff(input=str(n))) for n in range(1, 9)))
        rows = (await prices.list()).items
    assert sum(row.valid_to is None for row in rows) == 1
    assert query(database_url, "SELECT count(*) FROM observatory.prices") == [(8,)]


@pytest.mark.editions("postgres")
async def test_a_price_that_is_set_is_noticed(database_url: str) -> None:
    """The service need not be restarted for a new price."""
    async with open_pool(database_url) as pool:
        prices = DatabasePrices(NoPrices())
        used = usage(time=now() + HOUR, input_tokens=10**6)
        async with prices_kept_fresh(pool, prices, seconds=0.01):
            assert prices.price(used) is None
            await PriceRepository(pool).set("p", "m", tariff(input="3"))
            await until(lambda: prices.price(used) is not None)
        loader = PriceLoader(pool, prices)
        assert [await loader.refresh(), await loader.refresh()] == [True, False]


@pytest.mark.editions("postgres")
async def test_a_schema_of_before_the_prices(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is newer than its schema goes on with the bundled prices, and takes those of
    the table once it is there.
    """
    monkeypatch.setattr(fresh_prices, "FIRST_SECONDS", 0.01)
    await asyncio.to_thread(Migrator(database_url).rollback, to="0008_rollups")
    async with open_pool(database_url) as pool:
        prices = DatabasePrices(GenAIPrices())
        used = usage(provider="openai", request_model="gpt-4o", input_tokens=1, time=now() + HOUR)
        async with prices_kept_fresh(pool, prices, seconds=0.01):
            found = prices.price(used)
            assert found is not None
            assert found.reference.startswith("genai-prices:")
            await asyncio.to_thread(Migrator(database_url).apply)
            await PriceRepository(pool).set("openai", "gpt-4o", tariff(input="3"))
            await until(lambda: "price:1" in str(prices.price(used)))


@pytest.mark.editions("postgres")
async def test_a_database_that_is_away_keeps_nobody_waiting() -> None:
    """A gateway starts without its database, and its calls have costs."""
    async with open_pool("postgresql://127.0.0.1:1/nowhere") as pool:
        prices = DatabasePrices(GenAIPrices())
        async with prices_kept_fresh(pool, prices):
            assert prices.price(usage(provider="openai", request_model="gpt-4o", input_tokens=1))


@pytest.mark.editions("postgres")
async def test_the_sent_cost_if_that_is_wished(database_url: str) -> None:
    """Whoever trusts a gateway's own cost has it, and can tell which one it is."""
    sent = {"cost_usd": None, "sent_cost_usd": Decimal("0.5")}
    async with Store.open(database_url, cost=CostSource.SENT_FIRST) as store:
        await store.write_spans([span(1, **sent), span(2, cost_usd=None)])
    (first, second) = query(database_url, COSTS)
    assert first == (Decimal("0.5"), "sent")
    assert second[1].startswith("genai-prices:")
