"""Rows as tables: typed, also if there are none, and money to the last digit."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from observatory_store import Store
from storage.samples import RECENT, now, span

pyarrow = pytest.importorskip("pyarrow")


@pytest.mark.editions("postgres")
async def test_rows_as_tables(database_url: str) -> None:
    """A notebook gets the types of the store, not what it guesses from the first row."""
    cost = Decimal("0.000000123456789012")
    start, end = now() - timedelta(hours=1), now()
    async with Store.open(database_url) as store:
        await store.write_spans([span(1, cost_usd=cost)])
        rows = await store.analytics.usage(start, end, group_by=["model"], interval="1m")
        table = rows.to_arrow()
        assert table.column_names[:3] == ["bucket", "provider", "model"]
        (row,) = table.to_pylist()
        assert (row["cost_usd"], row["model"], row["user"]) == (cost, "gpt-4o", None)
        assert row["bucket"] == RECENT.replace(second=0)
        none = await store.analytics.usage(start, end, model="none", interval="1m")
        assert none.to_arrow().schema == table.schema
        latency = (await store.analytics.latency(start, end, histogram=True)).to_arrow()
        assert latency.to_pylist()[0]["histogram"][0]["requests"] == 1
        assert (await store.analytics.errors(start, end)).to_arrow().num_rows == 0
        compared = (await store.analytics.compare(start, end, group_by=["model"])).to_arrow()
        (row,) = compared.to_pylist()
        assert (row["model"], row["cost_usd"], row["cost_usd_before"]) == ("gpt-4o", cost, 0)
        assert (row["cost_change"], row["cost_change_usd"]) == (None, cost)
        nothing = await store.analytics.compare(start, end, model="none")
        assert nothing.to_arrow().schema == compared.schema
        pytest.importorskip("polars")
        assert rows.to_polars()["cost_usd"].to_list() == [cost]
        pytest.importorskip("pandas")
        assert rows.to_pandas()["cost_usd"].tolist() == [cost]
