"""What a connection remembers of what it wrote."""

from __future__ import annotations

import pytest

from observatory_store.database import open_pool

pytestmark = pytest.mark.editions("postgres")


async def test_a_connection_remembers_the_latest_keys_and_not_all(database_url: str) -> None:
    """Otherwise it would write each resource again and again, or end in filling the memory."""
    async with open_pool(database_url) as pool, pool.acquire() as connection:
        for number in range(200_000):
            connection.remember([(1, number)])
        kept = [number for number in range(200_000) if connection.remembers((1, number))]
        assert kept[-1] == 199_999
        assert kept == list(range(kept[0], 200_000))
        assert 10_000 <= len(kept) <= 50_000
        assert not connection.remembers((2, 199_999))
