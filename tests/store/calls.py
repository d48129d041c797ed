"""Calls to record, and what became of them."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from observatory_store import LLMCall
from storage.samples import query

NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere"
"""A port on which nobody listens: a database that is away."""


def call(number: int, **fields: Any) -> LLMCall:
    """Return a call whose ids come from ``number``, which is not 0."""
    defaults: dict[str, Any] = {
        "provider": "openai",
        "model": "gpt-4o",
        "input_tokens": 812,
        "output_tokens": 64,
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "service_name": "gateway",
        "tags": {"number": str(number)},
        "input_messages": [{"role": "user", "content": f"question {number}"}],
    }
    return LLMCall(**{**defaults, **fields})


def stored(url: str) -> list[int]:
    """Return the numbers of the spans in the database, each as often as it is there."""
    rows = query(url, "SELECT observatory.span_hex(span_id) FROM observatory.spans ORDER BY 1")
    return [int(row[0], 16) for row in rows]


def at_once(work: Coroutine[Any, Any, None]) -> None:
    """Run what must wait for nothing, to its end.

    Raises:
        AssertionError: it waits for something.

    """
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise AssertionError("it waits")
