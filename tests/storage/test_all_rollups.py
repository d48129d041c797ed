"""Every rollup says what a recount of the spans says: late, doubled, out of order, dropped."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from observatory_store import Span, Store
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError, RefreshError
from observatory_store.maintenance import Rollups, maintain
from observatory_store.rows import Resource
from patience import until
from storage.samples import JOBS_AT_WORK, now, query, span, traffic

USAGE_COLUMNS = """
    count(*), count(*) FILTER (WHERE status = 'error'),
    count(*) FILTER (WHERE cost_usd IS NULL AND (status <> 'error' OR input_tokens > 0)),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
    coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0),
    coalesce(sum(reasoning_tokens), 0), coalesce(sum(cost_usd), 0), sum(duration_us)
"""
SPAN_COLUMNS = (
    "count(*), count(*) FILTER (WHERE status = 'error'), sum(duration_us), max(duration_us)"
)
WAITING = """
    coalesce(sum(greatest(duration_us - coalesce(round(time_to_first_token_ms * 1000), 0), 0))
        FILTER (WHERE output_tokens > 0), 0),
    coalesce(sum(round(time_to_first_token_ms * 1000)), 0), count(time_to_first_token_ms),
    coalesce(sum(input_audio_tokens), 0), coalesce(sum(output_audio_tokens), 0),
    coalesce(sum(input_image_tokens), 0), coalesce(sum(output_image_tokens), 0),
    coalesce(sum(web_search_requests), 0)
"""
BY_MODEL = "provider, coalesce(response_model, request_model), service_name, environment"
ERROR_TYPE = "attributes ->> 'error.type'"
FINGERPRINT = f"observatory.error_fingerprint(status_message, {ERROR_TYPE})"
CALLS = "is_inference"
STARTS = "min(start_time), max(start_time)"
USAGE_SUMS = f"{USAGE_COLUMNS}, max(duration_us), {WAITING}"
DURATION = "ceil(ln(duration_us::float8) / ln(1.01::float8 / 0.99))::integer"
WAIT = "ceil(ln(round(time_to_first_token_ms * 1000)) / ln(1.01::float8 / 0.99))::integer"
CUTS = {
    "": BY_MODEL,
    "model_": "provider, coalesce(response_model, request_model), environment",
    "service_": "service_name, environment",
}
HISTOGRAMS = {
    "latency": (DURATION, CALLS),
    "first_token": (WAIT, f"{CALLS} AND time_to_first_token_ms IS NOT NULL"),
}
ROLLUPS: dict[str, tuple[str, tuple[str, str, str]]] = {
    "llm_usage_1m": ("1 minute", (BY_MODEL, USAGE_SUMS, CALLS)),
    "llm_usage_15m": ("15 minutes", (BY_MODEL, USAGE_SUMS, CALLS)),
    "llm_usage_1h": ("1 hour", (BY_MODEL, USAGE_SUMS, CALLS)),
    "llm_usage_1d": ("1 day", (BY_MODEL, USAGE_SUMS, CALLS)),
    "llm_model_usage_30m": ("30 minutes", (CUTS["model_"], USAGE_SUMS, CALLS)),
    "llm_service_usage_30m": ("30 minutes", (CUTS["service_"], USAGE_SUMS, CALLS)),
    **{
        f"llm_{cut}{name}_{suffix}": (
            width,
            (
                f"{dimensions}, {bucket}",
                "count(*), count(*) FILTER (WHERE status = 'error')",
                condition,
            ),
        )
        for cut, dimensions in CUTS.items()
        for name, (bucket, condition) in HISTOGRAMS.items()
        for suffix, width in (("1h", "1 hour"), ("1d", "1 day"))
    },
    **{
        name: (
            width,
            (
                f"{BY_MODEL}, {ERROR_TYPE}, {FINGERPRINT}",
                f"count(*), {STARTS}, min(left(status_message, 1000))",
                f"{CALLS} AND status = 'error'",
            ),
        )
        for name, width in (("llm_errors_1h", "1 hour"), ("llm_errors_1d", "1 day"))
    },
    "llm_user_usage_1d": (
        "1 day",
        (
            "user_id, provider, coalesce(response_model, request_model)",
            f"{USAGE_COLUMNS}, {STARTS}",
            f"{CALLS} AND user_id IS NOT NULL",
        ),
    ),
    "llm_session_usage_1d": (
        "1 day",
        ("session_id", f"{USAGE_COLUMNS}, {STARTS}", f"{CALLS} AND session_id IS NOT NULL"),
    ),
    "llm_agent_usage_1d": (
        "1 day",
        (
            "agent_name, provider, coalesce(response_model, request_model)",
            f"{USAGE_COLUMNS}, {STARTS}",
            f"{CALLS} AND agent_name IS NOT NULL",
        ),
    ),
    "llm_tag_usage_1d": (
        "1 day",
        ("tag", f"{USAGE_COLUMNS}, {STARTS}", f"{CALLS} AND tag IS NOT NULL"),
    ),
    "tool_usage_1d": (
        "1 day",
        ("tool_name, agent_name, service_name, environment", SPAN_COLUMNS, "tool_name IS NOT NULL"),
    ),
    "service_spans_1h": ("1 hour", ("service_name, environment, kind", SPAN_COLUMNS, "true")),
}
"""How wide each rollup's buckets are; and what it is grouped by, sums and counts, written anew."""

KEPT = {"llm_usage_1m": 7, "llm_latency_1h": 14, "llm_first_token_1h": 14}
"""Days of the rollups that are kept for less long than the spans."""


def recounted(url: str, name: str) -> list[tuple[Any, ...]]:
    """Return what the rollup should hold."""
    width, (dimensions, measures, condition) = ROLLUPS[name]
    tags = "LEFT JOIN LATERAL (SELECT DISTINCT t FROM unnest(tags) AS t) AS one (tag) ON true"
    source = f"observatory.spans {tags if dimensions == 'tag' else ''}"
    return query(
        url,
        f"SELECT date_bin('{width}', start_time, '2000-01-01Z'),"
        f" project_id, {dimensions}, {measures} FROM {source} WHERE {condition}"
        f" AND {_kept(name, 'start_time')} GROUP BY 1, 2, {dimensions}",
    )


def rolled_up(url: str, name: str) -> list[tuple[Any, ...]]:
    """Return what the rollup holds."""
    return query(url, f"SELECT * FROM observatory.{name} WHERE {_kept(name, 'bucket')}")


def _kept(name: str, column: str) -> str:
    days = KEPT.get(name, 1000)
    return f"{column} >= date_bin('1 day', now(), '2000-01-01Z') - interval '{days - 1} days'"


def values(rows: list[tuple[Any, ...]]) -> list[str]:
    """Return rows that can be compared."""
    return sorted(repr([_plain(value) for value in row]) for row in rows)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, int | Decimal) else value


def check(url: str) -> None:
    """Compare every rollup with a recount."""
    for name in ROLLUPS:
        expected = recounted(url, name)
        assert expected, name
        assert values(rolled_up(url, name)) == values(expected), name


def rich(count: int, *, seed: int, **options: Any) -> list[Span]:
    """Return traffic with all that a rollup has a dimension for."""
    chance = random.Random(seed)
    return [
        msgspec.structs.replace(
            one,
            agent_name=chance.choice([None, "planner", "writer"]),
            tool_name=chance.choice([None, None, "search", "calculator"]),
            tags=chance.choice([None, ("a=1",), ("b=2", "a=1"), ("a=1", "a=1")]),
            time_to_first_token_ms=chance.choice([None, 0.001, 12.5, chance.expovariate(0.01) + 1]),
            output_audio_tokens=chance.choice([None, 5]),
            status_message=chance.choice(["", f"retry in {chance.random()} s", "no"]),
            attributes=chance.choice([{}, {"error.type": "timeout"}]),
        )
        for one in traffic(count, seed=seed, **options)
    ]


async def test_every_rollup_equals_a_recount(database_url: str) -> None:
    """At once, after a refresh, after more of it came late, and when it came twice."""
    spans = rich(400, seed=1, over=timedelta(days=6))
    late = rich(200, seed=2, over=timedelta(days=60), ago=timedelta(days=1))
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        await store.write_spans(spans)
        check(database_url)
        await Rollups(pool).refresh()
        check(database_url)
        await store.write_spans([*late, *spans[:50]])
        await store.write_spans(late[::-1])
        await Rollups(pool).refresh()
        check(database_url)


async def test_every_rollup_amid_writers(database_url: str) -> None:
    """Refreshes and the service's own loop run while spans come in; nothing is lost or doubled."""
    spans = rich(900, seed=3, over=timedelta(days=3))
    async with Store.open(database_url, pool_size=4) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)

        async def write(part: list[Span]) -> None:
            for position in range(0, len(part), 15):
                await store.write_spans(part[position : position + 15])

        writing = asyncio.gather(*(write(spans[start::3]) for start in range(3)))
        while not writing.done():
            await asyncio.gather(rollups.refresh(), rollups.refresh_noted())
        await writing
        await rollups.refresh()
    check(database_url)


async def test_backfill_counts_what_no_refresh_knows_of(database_url: str, edition: str) -> None:
    """A rollup that was damaged, or made after its spans, is whole again, day by day."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans(rich(200, seed=4, over=timedelta(days=4)))
        await rollups.refresh()
        for name in ROLLUPS:
            _damage(database_url, edition, name)
        await rollups.refresh()
        done = [progress async for progress in rollups.backfill()]
        assert [one.days_done for one in done] == list(range(1, done[-1].days + 1))
        assert done[-1].day == now().date()
        check(database_url)
        start = now() - timedelta(days=2)
        assert len([one async for one in rollups.backfill(start, start + timedelta(hours=1))]) < 3


def _damage(url: str, edition: str, name: str) -> None:
    """Delete the half of what is materialized."""
    if name not in {"llm_usage_1h", "llm_tag_usage_1d"}:
        table = _table(url, edition, name)
        query(url, f"DELETE FROM {table} WHERE bucket < now() - interval '2 days'")


def _table(url: str, edition: str, name: str) -> str:
    """Return the table that holds the rollup's rows."""
    if edition != "community":
        return f"observatory_private.{name}_history"
    ((table,),) = query(
        url,
        "SELECT format('%%I.%%I', materialization_hypertable_schema,"
        " materialization_hypertable_name)"
        " FROM timescaledb_information.continuous_aggregates WHERE view_name = %s",
        name,
    )
    return str(table)


async def test_no_rollup_loses_what_its_spans_were(database_url: str, edition: str) -> None:
    """Spans are dropped, more come late, all is refreshed and counted anew: no row is lost."""
    names = ROLLUPS.keys() - KEPT.keys()
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans(rich(200, seed=5, over=timedelta(days=30)))
        await rollups.refresh()
        before = {name: values(rolled_up(database_url, name)) for name in names}
        query(
            database_url,
            "UPDATE observatory.policies SET retention = '10 days'"
            " WHERE relation IN ('spans', 'span_payloads')",
        )
        if edition == "community":
            query(database_url, "SELECT remove_retention_policy('observatory.spans')")
            query(
                database_url,
                "SELECT add_retention_policy('observatory.spans', '10 days'::interval)",
            )
            query(
                database_url,
                "SELECT drop_chunks('observatory.spans',"
                " date_bin('1 day', now() - interval '10 days', '2000-01-01Z'))",
            )
        await maintain(pool)
        ((left,),) = query(database_url, "SELECT count(*) FROM observatory.spans")
        assert left < 150
        for _ in range(2):
            await rollups.refresh()
            assert [one async for one in rollups.backfill()] != []
        assert {name: values(rolled_up(database_url, name)) for name in names} == before


async def test_a_rollup_that_the_server_refuses(database_url: str, edition: str) -> None:
    """It is named, with what the server said; the others are refreshed all the same."""
    async with Store.open(database_url) as store, open_pool(database_url) as pool:
        rollups = Rollups(pool)
        await store.write_spans(rich(100, seed=6, over=timedelta(days=3)))
        # Of characters that do not compress, and longer than an index takes.
        name = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(12_000))
        resource = Resource(attributes={"service.name": name})
        long = span(1, start_time=now() - timedelta(hours=30), service_name=name, resource=resource)
        await store.write_spans([long])
        kept_in = "llm_usage_15m" if edition == "community" else "llm_usage_15m_history"
        query(
            database_url, f"CREATE INDEX unlikely ON observatory_private.{kept_in} (service_name)"
        )
        with pytest.raises(RefreshError, match=r"^llm_usage_15m could not be refreshed: index row"):
            await rollups.refresh()
        ((others,),) = query(
            database_url,
            f"SELECT count(*) FROM {_table(database_url, edition, 'service_spans_1h')}",
        )
        assert others > 0
        schema = "_timescaledb_internal" if edition == "community" else "observatory_private"
        query(database_url, f"DROP INDEX {schema}.unlikely")
        # What a job of TimescaleDB has begun to count is no longer there for others to count.
        await until(lambda: query(database_url, JOBS_AT_WORK) == [(0,)])
        await rollups.refresh()
        with pytest.raises(InvalidInputError, match="begins after its end"):
            await anext(rollups.backfill(now(), now() - timedelta(days=1)))
    check(database_url)


async def test_the_documented_queries_give_rows(database_url: str) -> None:
    """What docs/rollups.md offers to copy runs as it stands, on every edition."""
    text = (Path(__file__).parents[2] / "docs" / "rollups.md").read_text()
    block = r"(?:^    (?:--|SELECT|FROM|GROUP|WHERE|ARRAY|    ).*\n)+"
    queries = [found for found in re.findall(block, text, re.MULTILINE) if "FROM" in found]
    assert len(queries) == 4
    async with Store.open(database_url) as store:
        await store.write_spans(rich(50, seed=7, over=timedelta(hours=2)))
    for text in queries:
        year_ago = f"{now() - timedelta(days=365):%Y-%m-%d}Z"
        assert query(database_url, text.replace("2026-11-01Z", year_ago)), text


@pytest.mark.editions("postgres")
@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("retry in 12 s", "retry in 7 s", True),
        ("request req_4f2a-77 failed", "request req_0c11-9 failed", True),
        (
            "no 550e8400-e29b-41d4-a716-446655440000",
            "no 6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            True,
        ),
        ("status 429", "status 500", False),
        ("connection refused", "connection reset", False),
    ],
)
def test_errors_of_one_kind_have_one_fingerprint(
    database_url: str,
    one: str,
    other: str,
    alike: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """What differs only in numbers and ids is one row of the top errors."""
    ((found,),) = query(
        database_url,
        "SELECT observatory.error_fingerprint(%s, 'x') = observatory.error_fingerprint(%s, 'x')",
        one,
        other,
    )
    assert found is alike
