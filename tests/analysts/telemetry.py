"""Two weeks of an agent's traffic: what the cookbook and the dashboards are asked about."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from observatory_store import LogRecord, Payload, Span, Store
from observatory_store.database import open_pool
from observatory_store.maintenance import Rollups
from observatory_store.pricing import Tariff
from observatory_store.repositories import PriceRepository
from storage.samples import log, now, span

MODELS = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("house", "tiny-1"))
"""The last has no price."""
QUESTIONS = (
    "What is the refund policy?",
    "A test of the refund policy",
    "Policy of refund, please",
)
TRACES = 240


async def store_telemetry(url: str) -> None:
    """Store spans, logs and prices, as the service would, and refresh the rollups."""
    end = now()
    async with open_pool(url) as pool:
        prices = PriceRepository(pool)
        for rate, days in (("0.000002", 60), ("0.000003", 3)):
            tariff = Tariff(input=Decimal(rate), output=Decimal("0.00001"))
            await prices.set("openai", "gpt-4o", tariff, start=end - timedelta(days=days))
        async with Store.open(url) as store:
            made = _traffic(end)
            await store.write_spans(made[::2])
            await Rollups(pool).refresh()
            await store.write_spans(made[1::2])
            await store.write_logs(_logs(end))
        await Rollups(pool).refresh()


def _logs(end: datetime) -> list[LogRecord]:
    return [log(f"line {n}", time=end - timedelta(minutes=n)) for n in range(1, 30)]


def _traffic(end: datetime) -> list[Span]:
    """Return traces that are more the nearer they are: half of them of the last three days."""
    chance = random.Random(8)
    return [
        one
        for trace in range(1, TRACES + 1)
        for one in _trace(chance, trace, end - timedelta(minutes=3, days=12 * chance.random() ** 2))
    ]


def _trace(chance: random.Random, trace: int, start: datetime) -> list[Span]:
    """Return an agent's span and those of its calls, failed ones tried again, and of its tools."""
    provider, model = chance.choice(MODELS)
    shared: dict[str, Any] = {
        "trace_id": f"{trace:032x}",
        "cost_usd": None,
        "user_id": chance.choice([None, "ann", "bob", "cem"]),
        "session_id": f"session-{trace % 40}" if trace % 5 else None,
        "agent_name": chance.choice([None, "researcher", "writer"]),
        "tags": chance.choice([None, ("team=ads",), ("feature=x", "team=search"), ("feature=x",)]),
        "service_name": chance.choice(["gateway", "search"]),
        "environment": chance.choice(["production", "test", None]),
    }
    root = f"{trace * 100:016x}"
    spans: list[Span] = []
    moment = start
    while len(spans) < 2 or chance.random() < 0.5:
        fails = chance.random() < 0.2
        took = int(chance.lognormvariate(14, 0.8))
        fields = _failure(chance) if fails else _answer(chance, took)
        spans.append(
            span(
                trace * 100 + len(spans) + 1,
                parent_span_id=root,
                start_time=moment,
                duration_us=took,
                provider=provider,
                request_model=model,
                response_model=f"{model}-2024-08-06" if model == "gpt-4o" and not fails else None,
                **shared,
                **fields,
            )
        )
        moment += timedelta(microseconds=took)
    spans += [_tool(chance, trace * 100 + 50 + n, root, moment, shared) for n in range(trace % 3)]
    whole = (moment - start) // timedelta(microseconds=1)
    agent = {
        "name": "invoke_agent",
        "kind": "internal",
        "is_inference": False,
        "operation": "invoke_agent",
        "provider": None,
        "request_model": None,
        "input_tokens": None,
        "output_tokens": None,
    }
    return [
        span(trace * 100, span_id=root, start_time=start, duration_us=whole, **agent, **shared),
        *spans,
    ]


def _failure(chance: random.Random) -> dict[str, Any]:
    limited = chance.random() < 0.7
    message = f"Rate limit reached, wait {chance.randrange(60)} s" if limited else "Timed out"
    return {
        "status": "error",
        "status_message": message,
        "attributes": {"error.type": "429" if limited else "timeout"},
        "input_tokens": None,
        "output_tokens": None,
    }


def _answer(chance: random.Random, took: int) -> dict[str, Any]:
    prompt = chance.randrange(200, 20_000)
    return {
        "input_tokens": prompt,
        "output_tokens": chance.randrange(1, 900),
        "cache_read_tokens": chance.choice([None, prompt // 2]),
        "time_to_first_token_ms": chance.choice([None, took / 4000]),
        "finish_reasons": chance.choice([("stop",), ("stop",), ("length",)]),
        "max_tokens": 900,
        "usage_conflict": "sources_disagree,total_mismatch" if chance.random() < 0.05 else None,
        "payload": Payload(
            input_messages=f'[{{"role": "user", "parts": ["{chance.choice(QUESTIONS)}"]}}]',
            system_instructions=chance.choice([None, '["Be brief."]', '["Be polite."]']),
        ),
    }


def _tool(
    chance: random.Random, number: int, root: str, start: datetime, shared: dict[str, Any]
) -> Span:
    return span(
        number,
        name="execute_tool",
        is_inference=False,
        operation="execute_tool",
        parent_span_id=root,
        start_time=start,
        duration_us=chance.randrange(1, 900_000),
        status="error" if chance.random() < 0.3 else "unset",
        tool_name=chance.choice(["browse", "calculate"]),
        provider=None,
        request_model=None,
        input_tokens=None,
        output_tokens=None,
        **shared,
    )
