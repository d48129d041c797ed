"""Failures of any range are those of a recount, and sessions are sums of their traces."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from analytics.recount import random_range, rich, where
from observatory_store import Store, TimeRange
from observatory_store.database import open_pool
from observatory_store.errors import InvalidCursorError, InvalidInputError
from observatory_store.maintenance import Rollups
from observatory_store.repositories import SessionFilter
from observatory_store.repositories.page import encode_cursor, scope_of
from storage.samples import now, query, span

RECOUNT = """
    SELECT observatory.error_fingerprint(status_message, attributes ->> 'error.type'),
        attributes ->> 'error.type', min(left(status_message, 1000)), count(*),
        min(start_time), max(start_time),
        coalesce(array_agg(DISTINCT provider) FILTER (WHERE provider IS NOT NULL), '{}'),
        coalesce(array_agg(DISTINCT coalesce(response_model, request_model))
            FILTER (WHERE coalesce(response_model, request_model) IS NOT NULL), '{}'),
        array_agg(DISTINCT service_name)
    FROM observatory.spans
"""


async def test_errors_equal_a_recount(database_url: str) -> None:
    """Of any range and filter, with first, last and a sample."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(rich(400, seed=1, over=timedelta(days=13)))
        await Rollups(pool).refresh()
        for seed in range(40):
            chance = random.Random(seed)
            start, end = random_range(chance, now(), chance.choice([0.2, 14]))
            filters: dict[str, Any] = chance.choice([{}, {"model": "gpt-4o"}, {"user": "ann"}])
            rows = await store.analytics.errors(start, end, limit=1000, **filters)
            expected = query(
                database_url,
                f"{RECOUNT} WHERE {where(start, end, filters, ())} AND status = 'error'"
                " GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2",
            )
            found = [tuple(getattr(row, name) for name in row.__struct_fields__) for row in rows]
            assert found == [(*row[:6], *map(tuple, row[6:])) for row in expected]


@pytest.mark.editions("postgres")
async def test_sessions_are_sums_of_their_traces(database_url: str) -> None:
    """Also of two that began at once: no page repeats or leaves one out."""
    range_ = TimeRange(now() - timedelta(hours=1), now())
    calls = [
        span(n, session_id=f"s{n % 4}", user_id="ann" if n % 2 else "bob") for n in range(1, 9)
    ]
    async with Store.open(database_url) as store:
        await store.write_spans([*calls, span(9)])
        found, cursor = [], None
        for _ in range(4):
            page = await store.analytics.sessions(range_, limit=1, cursor=cursor)
            found += page.items
            cursor = page.next_cursor
        assert cursor is None
        assert [(one.session, one.traces) for one in found] == [
            ("s3", 2),
            ("s2", 2),
            ("s1", 2),
            ("s0", 2),
        ]
        assert {one.input_tokens for one in found} == {200}
        (one, other) = (await store.analytics.sessions(range_, SessionFilter(user="ann"))).items
        assert {one.session, other.session} == {"s1", "s3"}
        scope = scope_of("sessions", range_, SessionFilter())
        for key in ("ff", "00"):
            forged = encode_cursor(scope, (now(), key))
            with pytest.raises((InvalidCursorError, InvalidInputError)):
                await store.analytics.sessions(range_, cursor=forged)
        with pytest.raises(InvalidInputError, match="31 days"):
            await store.analytics.sessions(TimeRange(now() - timedelta(days=32), now()))
        with pytest.raises(InvalidInputError, match="limit"):
            await store.analytics.sessions(range_, limit=1001)
