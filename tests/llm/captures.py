"""The captures of real libraries, decoded as the service decodes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from observatory_store import llm
from observatory_store.ingest import span_columns
from observatory_store.llm import messages
from observatory_store.otlp import MediaType, decode_traces
from observatory_store.pricing import Price, Usage
from observatory_store.rows import Attributes, Span

FIXTURES = Path(__file__).parent / "fixtures"

CAPTURES = sorted(
    path.relative_to(FIXTURES).with_suffix("").as_posix()
    for path in FIXTURES.glob("*/*.json")
    if len(path.suffixes) == 1 and path.parent.name != "generate"
)
"""Each ``folder/scenario`` that has spans."""


class _NoPrices:
    def price(self, usage: Usage) -> Price | None:  # noqa: ARG002 - what a pricer gets
        return None


def capture(name: str) -> list[Span]:
    """Return the spans of a capture, in the order they were sent."""
    body = (FIXTURES / f"{name}.json").read_bytes()
    decoded = decode_traces(body, MediaType.JSON, span_columns(_NoPrices()))
    assert not decoded.rejected
    return llm.settle_repeats(decoded.rows)


def sent(name: str) -> list[Attributes]:
    """Return the attributes of a capture's spans as they were sent."""
    kept: list[Attributes] = []

    def keep(attributes: Attributes, *_: object) -> dict[str, Any]:
        kept.append(attributes)
        return {}

    decode_traces((FIXTURES / f"{name}.json").read_bytes(), MediaType.JSON, keep)
    return kept


def calls(name: str) -> list[Span]:
    """Return the spans of a capture that count as calls, the earliest first."""
    found = [span for span in capture(name) if span.is_inference]
    return sorted(found, key=lambda span: span.start_time)


def without_content(attributes: Attributes) -> Attributes:
    """Return a span's attributes but those that carry what was said."""
    rest = dict(attributes)
    messages.take(rest)
    return rest
