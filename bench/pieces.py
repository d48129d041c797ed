"""What the pieces of turning a request into rows take, without any database."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from bench.forms import Load
from observatory_store import llm
from observatory_store.otlp import MediaType, Signal, decode_traces, slices
from observatory_store.otlp.decoded import Tally
from observatory_store.pricing import DatabasePrices, GenAIPrices, PriceRow, Usage, genai
from observatory_store.pricing.history import periods
from observatory_store.rows import Attributes, Event, Resource

DECODE: Final = "decode, protobuf"
DECODE_JSON: Final = "decode, JSON"
COLUMNS: Final = "columns"
MESSAGES: Final = "messages"
PRICE: Final = "price"

_MESSAGES: Final = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
)


class _Read(NamedTuple):
    """What the mapping is given of a span."""

    attributes: Attributes
    start_time: datetime
    events: tuple[Event, ...]


def measure(load: Load, rounds: int) -> dict[str, list[float]]:
    """Return µs of processor time that each piece takes a span, averaged over all spans.

    Spans that are no call of a model count too, as they do for the service. The price is looked up
    among all that genai-prices has.
    """
    spans = _spans(load.bodies[MediaType.PROTOBUF])
    silent = [
        span._replace(attributes={k: v for k, v in span.attributes.items() if k not in _MESSAGES})
        for span in spans
    ]
    pricer, usages = _prices(), _usages(spans)
    found: dict[str, list[float]] = {
        name: [] for name in (DECODE, DECODE_JSON, COLUMNS, MESSAGES, PRICE)
    }
    for number in range(rounds + 1):
        taken = {
            DECODE: _decoding(load, MediaType.PROTOBUF),
            DECODE_JSON: _decoding(load, MediaType.JSON),
            COLUMNS: _reading(silent),
            PRICE: _seconds(lambda: [pricer.price(usage) for usage in usages]),
        }
        taken[MESSAGES] = _reading(spans) - taken[COLUMNS]
        if number:
            for name, seconds in taken.items():
                found[name].append(seconds / load.records * 1e6)
    return found


def _decoding(load: Load, media: MediaType) -> float:
    def decode() -> None:
        for body in load.bodies[media]:
            for part in slices(Signal.TRACES, body, media, Tally()):
                decode_traces(part, media, lambda *_: {})

    return _seconds(decode)


def _reading(spans: Sequence[_Read]) -> float:
    # The mapping takes out of the attributes what it understands.
    fresh = [span._replace(attributes=dict(span.attributes)) for span in spans]
    return _seconds(lambda: [llm.read(*span) for span in fresh])


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    start = time.process_time()
    work()
    taken = time.process_time() - start
    gc.enable()
    return taken


def _spans(bodies: Sequence[bytes]) -> list[_Read]:
    """Return what the mapping is given of each span."""
    found: list[_Read] = []

    def note(
        attributes: Attributes, _: Resource, start_time: datetime, events: tuple[Event, ...]
    ) -> dict[str, Any]:
        found.append(_Read(dict(attributes), start_time, events))
        return {}

    for body in bodies:
        for part in slices(Signal.TRACES, body, MediaType.PROTOBUF, Tally()):
            decode_traces(part, MediaType.PROTOBUF, note)
    return found


def _usages(spans: Sequence[_Read]) -> list[Usage]:
    names = [name for name in Usage.__struct_fields__ if name != "time"]
    read = [
        (span.start_time, llm.read(dict(span.attributes), span.start_time, span.events))
        for span in spans
    ]
    return [
        Usage(time=start_time, **{name: fields.get(name) for name in names})
        for start_time, fields in read
        if fields.get("is_inference")
    ]


def _prices() -> DatabasePrices:
    prices = DatabasePrices(GenAIPrices())
    prices.use(
        PriceRow(
            price_id=number,
            source=genai.NAME,
            provider=listing.provider,
            model=listing.model,
            names=period.names,
            valid_from=period.valid_from,
            valid_to=period.valid_to,
            tariff=period.tariff,
        )
        for number, listing in enumerate(genai.read().listings)
        for period in periods(listing)
    )
    return prices
