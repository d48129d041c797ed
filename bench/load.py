"""A seeded load that looks like a gateway's: OTLP requests of LLM spans."""

from __future__ import annotations

import base64
import itertools
import json
import math
import random
import time
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MODELS = (
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "o3"),
    ("openai", "o4-mini"),
    ("anthropic", "claude-opus-4-1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("mistral_ai", "mistral-large-latest"),
    ("mistral_ai", "mistral-small-latest"),
    ("cohere", "command-r-plus"),
    ("deepseek", "deepseek-chat"),
    ("groq", "llama-3.3-70b-versatile"),
    ("x_ai", "grok-4"),
    ("aws.bedrock", "amazon.nova-pro-v1:0"),
    ("in-house", "support-7b"),
    ("in-house", "router-1b"),
)
USERS = 2000
ERROR_SHARE = 0.02
CALL_SHARE = 0.6
"""Spans that are calls of a model; the others are servers, tools and retrievals around them."""
MEDIAN_CHARACTERS = 600

_IDS = {"traceId", "spanId", "parentSpanId"}
_LETTERS = "etaoinshrdlucmfwypvbgkjqxz"
_LETTER_WEIGHTS = [1 / (rank + 2) for rank in range(len(_LETTERS))]


def _vocabulary(size: int) -> tuple[list[str], list[float]]:
    """Return words and how often each comes: few often and most seldom, as in any language."""
    chance = random.Random(0)
    words = [
        "".join(chance.choices(_LETTERS, _LETTER_WEIGHTS, k=chance.randrange(2, 11)))
        for _ in range(size)
    ]
    return words, list(itertools.accumulate(1 / (rank + 10) for rank in range(size)))


_WORDS, _FREQUENCIES = _vocabulary(5000)


def requests(spans: int, *, size: int | None, seed: int) -> list[ExportTraceServiceRequest]:
    """Return requests that have so many spans together, over the last hour.

    Each has ``size`` spans, or if that is None: most are small and few large, as a gateway's own
    exporter and a Collector's batches are. Prompts and answers have a log-normal length.
    """
    chance = random.Random(seed)
    end = time.time_ns() - 10**9
    return [_request(chance, one, end) for one in request_sizes(chance, spans, size)]


def request_sizes(chance: random.Random, records: int, size: int | None) -> Iterator[int]:
    """Yield how many records each request has: ``size``, or 8, 40, 200 or 1,000."""
    while records > 0:
        wanted = min(size or chance.choices([8, 40, 200, 1000], [0.3, 0.3, 0.3, 0.1])[0], records)
        yield wanted
        records -= wanted


def as_json(request: Message) -> bytes:
    """Return a request as OTLP JSON, in which ids are hex and enums are numbers."""
    document = MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_with_hex_ids(document), separators=(",", ":")).encode()


def _with_hex_ids(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, list):
        return [_with_hex_ids(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64decode(item).hex() if key in _IDS else _with_hex_ids(item)
            for key, item in value.items()
        }
    return value


def resource(chance: random.Random) -> Resource:
    """Return one of the machines and services."""
    return Resource(
        attributes=[
            text("service.name", f"service-{chance.randrange(12)}"),
            text("service.version", "1.4.2"),
            text("deployment.environment.name", "production"),
            text("host.name", f"node-{chance.randrange(8)}"),
            text("telemetry.sdk.language", "python"),
        ]
    )


def _request(chance: random.Random, spans: int, end: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add(resource=resource(chance))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "gateway"
    trace_id, parent, user = b"", b"", 0
    for number in range(spans):
        if number % 8 == 0:
            trace_id, parent, user = chance.randbytes(16), b"", chance.randrange(USERS)
        span = scope_spans.spans.add()
        span.trace_id = trace_id
        span.span_id = chance.randbytes(8)
        span.parent_span_id = parent
        parent = parent or span.span_id
        span.start_time_unix_nano = end - chance.randrange(3600 * 10**9)
        span.end_time_unix_nano = span.start_time_unix_nano + int(
            chance.lognormvariate(math.log(8e8), 0.8)
        )
        span.flags = 0x101
        if chance.random() < ERROR_SHARE:
            span.status.code = Status.STATUS_CODE_ERROR
        if chance.random() < CALL_SHARE:
            _call(chance, span, user)
        else:
            _step(chance, span)
    return request


def _call(chance: random.Random, span: Span, user: int) -> None:
    provider, model = chance.choice(MODELS)
    span.name = f"chat {model}"
    span.kind = Span.SPAN_KIND_CLIENT
    span.attributes.extend(
        [
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", provider),
            text("gen_ai.request.model", model),
            text("gen_ai.response.model", model),
            text("gen_ai.response.id", f"chatcmpl-{chance.randbytes(12).hex()}"),
            integer("gen_ai.usage.input_tokens", chance.randrange(50, 8000)),
            integer("gen_ai.usage.output_tokens", chance.randrange(5, 1500)),
            KeyValue(
                key="gen_ai.request.temperature", value=AnyValue(double_value=chance.random())
            ),
            KeyValue(
                key="gen_ai.response.finish_reasons",
                value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="stop")])),
            ),
            text("gen_ai.conversation.id", f"session-{user}-{span.trace_id[0] % 5}"),
            text("user.id", f"user-{user}"),
            text("server.address", f"api.{provider}.example"),
            integer("server.port", 443),
            text("gen_ai.input.messages", _message(chance, "user")),
            text("gen_ai.output.messages", _message(chance, "assistant")),
        ]
    )


def _step(chance: random.Random, span: Span) -> None:
    span.name = chance.choice(["POST /v1/chat", "search documents", "execute_tool lookup"])
    span.kind = chance.choice([Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_SERVER])
    span.attributes.extend(
        [
            text("http.request.method", "POST"),
            text("url.path", f"/v1/tenants/{chance.randrange(500)}/chat"),
            integer("http.response.status_code", 200),
            text("network.protocol.version", "1.1"),
            text("user_agent.original", "python-httpx/0.28"),
            text("request.id", chance.randbytes(8).hex()),
        ]
    )


def _message(chance: random.Random, role: str) -> str:
    length = max(1, int(chance.lognormvariate(math.log(MEDIAN_CHARACTERS), 0.9) / 5))
    content = sentence(chance, length)
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": content}]}])


def sentence(chance: random.Random, words: int) -> str:
    """Return some text of so many words."""
    return " ".join(chance.choices(_WORDS, cum_weights=_FREQUENCIES, k=words))


def text(key: str, value: str) -> KeyValue:
    """Return an attribute with a string."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def integer(key: str, value: int) -> KeyValue:
    """Return an attribute with an integer."""
    return KeyValue(key=key, value=AnyValue(int_value=value))
