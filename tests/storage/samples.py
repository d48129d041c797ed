"""Rows to store, and what is found stored."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import psycopg

from observatory_store import LogRecord, Metric, MetricPoint, MetricSeries, Payload, Resource, Span
from observatory_store.maintenance import Rollups

GATEWAY = Resource(
    attributes={"service.name": "gateway", "deployment.environment.name": "test"},
    scope_name="tests",
)
SEARCH = Resource(attributes={"service.name": "search"}, scope_name="tests")

TABLES = (
    "resources",
    "spans",
    "span_payloads",
    "trace_days",
    "metrics",
    "metric_series",
    "metric_points",
    "logs",
)


def now() -> datetime:
    """Return the present without microseconds that tests would have to think of."""
    return datetime.now(UTC).replace(microsecond=0)


RECENT = now() - timedelta(minutes=5)
"""When a sample happened that is given no time: the same for all of a run, as the same sample
made twice must be the same."""


def span(number: int = 1, **fields: Any) -> Span:
    """Return a call of a model; its ids come from ``number``."""
    defaults: dict[str, Any] = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "start_time": RECENT,
        "duration_us": 1000 * number,
        "name": "chat gpt-4o",
        "kind": "client",
        "service_name": "gateway",
        "environment": "test",
        "is_inference": True,
        "operation": "chat",
        "provider": "openai",
        "request_model": "gpt-4o",
        "input_tokens": 100,
        "output_tokens": 10,
        "cost_usd": Decimal("0.001"),
        "resource": GATEWAY,
    }
    return Span(**{**defaults, **fields})


def traffic(
    count: int,
    *,
    seed: int = 1,
    over: timedelta = timedelta(hours=6),
    ago: timedelta = timedelta(seconds=1),
) -> list[Span]:
    """Return spans of a few models and traces, with errors, unknown prices and payloads."""
    chance = random.Random(seed)
    end = now() - ago
    spans = []
    for number in range(1, count + 1):
        is_inference = chance.random() < 0.7
        trace = chance.randrange(1, count // 4 + 2)
        provider, model = chance.choice(
            [("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), (None, None)]
        )
        spans.append(
            span(
                seed * 1_000_000 + number,
                trace_id=f"{seed * 1_000_000 + trace:032x}",
                parent_span_id=None if chance.random() < 0.2 else f"{number:016x}",
                flags=chance.choice([0, 1, 0x100, 0x301]),
                start_time=end - over * chance.random(),
                duration_us=chance.randrange(1, 10_000_000),
                name=chance.choice(["chat", "embed", "rerank"]),
                status=chance.choice(["unset", "ok", "error"]),
                is_inference=is_inference,
                provider=provider,
                request_model=model,
                response_model=chance.choice([None, model]),
                cost_usd=chance.choice([None, Decimal(chance.randrange(1, 10**6)) / 10**7]),
                input_tokens=chance.choice([None, 0, 120]),
                reasoning_tokens=chance.choice([None, 7]),
                cache_read_tokens=chance.choice([None, 3]),
                user_id=chance.choice([None, "ann", "bob"]),
                session_id=chance.choice([None, "s1"]),
                resource=chance.choice([GATEWAY, SEARCH]),
                payload=chance.choice([None, Payload(input_messages="hello")]),
            )
        )
    return [msgspec.structs.replace(one, service_name=one.resource.service_name) for one in spans]


def log(body: str = "hello", **fields: Any) -> LogRecord:
    """Return a log record."""
    defaults: dict[str, Any] = {
        "time": RECENT,
        "body": body,
        "severity_number": 9,
        "service_name": "gateway",
        "resource": GATEWAY,
    }
    return LogRecord(**{**defaults, **fields})


def point(value: float = 1.0, *, series: str = "a", **fields: Any) -> MetricPoint:
    """Return a point of the metric ``requests``."""
    metric = Metric(name="requests", unit="1", type="sum", temporality="delta", is_monotonic=True)
    defaults: dict[str, Any] = {
        "series": MetricSeries(metric=metric, resource=GATEWAY, attributes={"series": series}),
        "time": RECENT,
        "value_double": value,
    }
    return MetricPoint(**{**defaults, **fields})


def query(url: str, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """Return what the database says."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql, arguments or None)
        return cursor.fetchall() if cursor.description else []


def content(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that is stored, but for when it was."""
    return {
        table: query(
            url,
            f"SELECT to_jsonb(t) - 'ingested_at' FROM observatory.{table} AS t"
            " ORDER BY (to_jsonb(t) - 'ingested_at')::text",
        )
        for table in TABLES
    } | {"usage": query(url, "SELECT * FROM observatory.llm_usage_15m ORDER BY 1, 2, 3, 4, 5, 6")}


async def pending(rollups: Rollups) -> int:
    """Return how many parts of all rollups wait for a refresh."""
    return sum(one.pending_buckets for one in await rollups.status())


JOBS_AT_WORK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name LIKE 'Refresh Continuous Aggregate%'
"""
"""Refreshes of TimescaleDB: what one has begun to count is no longer there for others to count."""

RECOUNT_TRACES = """
    SELECT project_id, trace_id, min(start_time),
        max(start_time + duration_us * interval '1 microsecond'),
        (array_agg(name ORDER BY CASE WHEN parent_span_id IS NULL THEN 0
            WHEN flags & 768 = 768 THEN 1 ELSE 2 END, start_time, span_id))[1],
        (array_agg(service_name ORDER BY CASE WHEN parent_span_id IS NULL THEN 0
            WHEN flags & 768 = 768 THEN 1 ELSE 2 END, start_time, span_id))[1],
        min(user_id), min(session_id), min(environment), count(*),
        count(*) FILTER (WHERE status = 'error'), count(*) FILTER (WHERE is_inference),
        count(*) FILTER (WHERE is_inference AND cost_usd IS NULL
            AND (status <> 'error' OR input_tokens > 0)),
        coalesce(sum(input_tokens) FILTER (WHERE is_inference), 0),
        coalesce(sum(reasoning_tokens) FILTER (WHERE is_inference), 0),
        coalesce(sum(cost_usd) FILTER (WHERE is_inference), 0),
        coalesce(array_agg(DISTINCT coalesce(response_model, request_model))
            FILTER (WHERE is_inference AND request_model IS NOT NULL), '{}')
    FROM observatory.spans GROUP BY 1, 2 ORDER BY 1, 2
"""
TRACES = """
    SELECT project_id, trace_id, start_time, end_time, root_name, service_name, user_id, session_id,
        environment, span_count, error_count, inference_count, unpriced_count, input_tokens,
        reasoning_tokens, cost_usd, models
    FROM observatory.traces ORDER BY 1, 2
"""
RECOUNT_USAGE = """
    SELECT date_bin('15 minutes', start_time, '2000-01-01Z'), project_id, provider,
        coalesce(response_model, request_model), service_name, environment, count(*),
        count(*) FILTER (WHERE status = 'error'),
        count(*) FILTER (WHERE cost_usd IS NULL AND (status <> 'error' OR input_tokens > 0)),
        coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
        coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_write_tokens), 0),
        coalesce(sum(reasoning_tokens), 0), coalesce(sum(cost_usd), 0), sum(duration_us),
        max(duration_us),
        coalesce(sum(greatest(duration_us - coalesce(round(time_to_first_token_ms * 1000), 0), 0))
            FILTER (WHERE output_tokens > 0), 0),
        coalesce(sum(round(time_to_first_token_ms * 1000)), 0), count(time_to_first_token_ms),
        coalesce(sum(input_audio_tokens), 0), coalesce(sum(output_audio_tokens), 0),
        coalesce(sum(input_image_tokens), 0), coalesce(sum(output_image_tokens), 0),
        coalesce(sum(web_search_requests), 0)
    FROM observatory.spans WHERE is_inference GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""
USAGE = "SELECT * FROM observatory.llm_usage_15m ORDER BY 1, 2, 3, 4, 5, 6"


def fail_at(url: str, state: str, condition: str) -> None:
    """Have the database fail, with this SQLSTATE, at spans for which the condition holds."""
    query(
        url,
        f"""
        CREATE SEQUENCE public.failures;
        CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {condition} THEN
                PERFORM nextval('public.failures');
                RAISE EXCEPTION 'a fault of the test' USING ERRCODE = '{state}';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON observatory.spans
            FOR EACH ROW EXECUTE FUNCTION public.fail();
        """,
    )


def failures(url: str) -> int:
    """Return how often it failed so."""
    return int(query(url, "SELECT last_value FROM public.failures")[0][0])
