"""The columns that a span's attributes and its price give."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from observatory_store import llm
from observatory_store.otlp import SpanColumns
from observatory_store.pricing import CostSource, Pricer, Usage, choose
from observatory_store.rows import Attributes, Event, Resource, Span


def span_columns(pricer: Pricer, source: CostSource = CostSource.COMPUTED) -> SpanColumns:
    """Return the function that turns a span's attributes and events into columns.

    It takes out of the attributes what the columns restore exactly, and what was said.
    """

    def columns(
        attributes: Attributes, _: Resource, start_time: datetime, events: tuple[Event, ...]
    ) -> dict[str, Any]:
        fields = llm.read(attributes, start_time, events)
        if fields.get("is_inference"):
            computed = pricer.price(
                Usage(
                    time=start_time,
                    provider=fields.get("provider"),
                    **{name: fields.get(name) for name in _PRICED_BY},
                )
            )
            price = choose(source, computed, fields.get("sent_cost_usd"))
            if price is not None:
                fields["cost_usd"] = price.cost_usd
                fields["price_ref"] = price.reference
        return fields

    return columns


_PRICED_BY = tuple(name for name in Usage.__struct_fields__ if name not in {"time", "provider"})


def priced(span: Span, pricer: Pricer, source: CostSource = CostSource.COMPUTED) -> Span:
    """Return the span with its cost, if it is a call of a model that has none yet."""
    if not span.is_inference or span.cost_usd is not None:
        return span
    price = choose(source, pricer.price(Usage.of(span)), span.sent_cost_usd)
    if price is None:
        return span
    return msgspec.structs.replace(span, cost_usd=price.cost_usd, price_ref=price.reference)
