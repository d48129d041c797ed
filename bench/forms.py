"""The records of one measurement in every form that is measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.message import Message

from bench.load import as_json, requests
from bench.load_signals import log_requests, metric_requests
from observatory_store.ingest import span_columns
from observatory_store.otlp import (
    Decoded,
    MediaType,
    Signal,
    decode_logs,
    decode_metrics,
    decode_traces,
    slices,
)
from observatory_store.otlp.decoded import Tally
from observatory_store.pricing import GenAIPrices

_PRICED = span_columns(GenAIPrices())

DECODE: dict[Signal, Callable[[bytes, MediaType], Decoded[Any]]] = {
    Signal.TRACES: lambda body, media: decode_traces(body, media, _PRICED),
    Signal.LOGS: decode_logs,
    Signal.METRICS: decode_metrics,
}
_MAKE: dict[Signal, Callable[..., Sequence[Message]]] = {
    Signal.TRACES: requests,
    Signal.LOGS: log_requests,
    Signal.METRICS: metric_requests,
}


class Load:
    """So many records of one signal, as bodies and as rows."""

    def __init__(self, signal: Signal, records: int, *, size: int | None, seed: int) -> None:
        messages = _MAKE[signal](records, size=size, seed=seed)
        self.signal = signal
        self.records = records
        self.bodies = {
            MediaType.PROTOBUF: [message.SerializeToString() for message in messages],
            MediaType.JSON: [as_json(message) for message in messages],
        }
        self.rows: list[Any] = [
            row
            for body in self.bodies[MediaType.PROTOBUF]
            for part in slices(signal, body, MediaType.PROTOBUF, Tally())
            for row in DECODE[signal](part, MediaType.PROTOBUF).rows
        ]
