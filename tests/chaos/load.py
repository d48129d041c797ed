"""A seeded load of spans, metric points and log records, and what of it must be stored."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api import telemetry
from observatory_store.otlp import MediaType, Signal

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

SIGNALS = (Signal.TRACES, Signal.METRICS, Signal.TRACES, Signal.LOGS)
RECORDS = 12
"""Records that a request has of its own."""
TRACES = 60
"""So few that requests which are stored at the same time change the same traces."""

_MINUTE = 60 * telemetry.SECOND
_DAY = 24 * 60 * _MINUTE
_LATE = 87 * _DAY
_MESSAGES = "gen_ai.input.messages"
_MODELS = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("in-house", "router-1b"))


@dataclass(slots=True)
class Expected:
    """What is stored when some requests are, however often each was sent."""

    spans: set[tuple[str, str, int]] = field(default_factory=set)
    """Trace, span, start in microseconds."""
    payloads: set[tuple[str, str]] = field(default_factory=set)
    points: dict[tuple[str, int], int] = field(default_factory=dict)
    """Value by series and time in nanoseconds."""
    logs: Counter[str] = field(default_factory=Counter)
    """How often a request has each body: that often it is stored."""


@dataclass(frozen=True, slots=True)
class Request:
    """One body, the same however often it is sent."""

    signal: Signal
    body: bytes
    media_type: MediaType


class Load:
    """Requests by number, each the same whenever it is asked for.

    A request has records of its own and some of an earlier one, as where an exporter and a
    Collector both tried again, in other batches.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._end = time.time_ns() // 1000 * 1000 - 5 * telemetry.SECOND

    def request(self, number: int) -> Request:
        """Return a request."""
        signal = SIGNALS[number % len(SIGNALS)]
        message = self._message(signal, self._numbers(number))
        if number % 5 == 0:
            return Request(signal, telemetry.to_json(message), MediaType.JSON)
        return Request(signal, message.SerializeToString(), MediaType.PROTOBUF)

    def expected(self, numbers: Iterable[int]) -> Expected:
        """Return what is stored of requests that were all acknowledged."""
        expected = Expected()
        own = {one for number in numbers for one in self._numbers(number)}
        for number, count in own:
            match SIGNALS[number % len(SIGNALS)]:
                case Signal.TRACES:
                    for span in self._spans(number)[:count]:
                        ids = (span.trace_id.hex(), span.span_id.hex())
                        expected.spans.add((*ids, span.start_time_unix_nano // 1000))
                        if any(one.key == _MESSAGES for one in span.attributes):
                            expected.payloads.add(ids)
                case Signal.METRICS:
                    for point in self._points(number)[:count]:
                        series = point.attributes[0].value.string_value
                        expected.points[series, point.time_unix_nano] = point.as_int
                case Signal.LOGS:
                    records = self._logs(number)[:count]
                    expected.logs |= Counter(one.body.string_value for one in records)
        return expected

    def _numbers(self, number: int) -> list[tuple[int, int]]:
        """Say of which requests a request has records, and how many of each."""
        earlier = number - len(SIGNALS) * self._chance(number, "earlier").randrange(1, 6)
        return [(number, RECORDS), *([(earlier, RECORDS // 3)] if earlier >= 0 else [])]

    def _message(self, signal: Signal, numbers: list[tuple[int, int]]) -> Message:
        match signal:
            case Signal.TRACES:
                spans = [one for number, count in numbers for one in self._spans(number)[:count]]
                return telemetry.traces(*spans)
            case Signal.METRICS:
                points = [one for number, count in numbers for one in self._points(number)[:count]]
                requests = metrics_pb2.Sum(
                    data_points=points,
                    aggregation_temporality=metrics_pb2.AGGREGATION_TEMPORALITY_DELTA,
                )
                return telemetry.metrics(metrics_pb2.Metric(name="requests", sum=requests))
            case Signal.LOGS:
                records = [one for number, count in numbers for one in self._logs(number)[:count]]
                return telemetry.logs(*records)

    def _spans(self, number: int) -> list[Span]:
        chance = self._chance(number, "spans")
        return [self._span(chance, number << 8 | n + 1) for n in range(RECORDS)]

    def _span(self, chance: random.Random, identity: int) -> Span:
        ago = chance.choices([0, _DAY, _LATE], [94, 5, 1])[0]
        start = self._end - ago - chance.randrange(120 * _MINUTE)
        fields: dict[str, Any] = {
            "trace_id": (self._seed << 64 | chance.randrange(TRACES) + 1).to_bytes(16, "big"),
            "span_id": identity.to_bytes(8, "big"),
            "parent_span_id": b"" if chance.random() < 0.2 else chance.randbytes(8),
            "start_time_unix_nano": start,
            "end_time_unix_nano": start + chance.randrange(1000, 10**10, 1000),
            "status": Status(code=chance.choice(Status.StatusCode.values())),
            "flags": chance.choice([0, 1, 0x301]),
        }
        attributes = _call(chance)
        if ago == _LATE:
            # Payloads are not kept that long, and the answer would tell of it.
            attributes.pop(_MESSAGES, None)
        return telemetry.span("work", attributes=attributes, **fields)

    def _points(self, number: int) -> list[metrics_pb2.NumberDataPoint]:
        return [
            metrics_pb2.NumberDataPoint(
                attributes=telemetry.pairs({"series": f"series-{n % 5}"}),
                time_unix_nano=self._end - (number * RECORDS + n) * 1000,
                as_int=number * RECORDS + n,
            )
            for n in range(RECORDS)
        ]

    def _logs(self, number: int) -> list[LogRecord]:
        # The first two are alike in everything, and both are to be stored.
        return [
            telemetry.log(
                f"{self._seed}/{number}/{max(n, 1)}", time_unix_nano=self._end - number * 1000
            )
            for n in range(RECORDS)
        ]

    def _chance(self, number: int, purpose: str) -> random.Random:
        return random.Random(f"{self._seed}/{number}/{purpose}")


def _call(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        return {"own": chance.randrange(10)}
    provider, model = chance.choice(_MODELS)
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": chance.randrange(2000),
        "gen_ai.usage.output_tokens": chance.randrange(500),
        "gen_ai.conversation.id": f"session-{chance.randrange(9)}",
        "user.id": f"user-{chance.randrange(9)}",
    }
    if chance.random() < 0.5:
        attributes[_MESSAGES] = '[{"role": "user", "content": "hello"}]'
    return attributes
