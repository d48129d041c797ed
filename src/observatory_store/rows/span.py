"""A span, its events and links, and its payload."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from observatory_store.rows.attributes import Attributes
from observatory_store.rows.resource import NO_RESOURCE, Resource

SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
SpanStatus = Literal["unset", "ok", "error"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at one moment of a span."""

    time_unix_nano: int
    name: str = ""
    attributes: Attributes = {}
    dropped_attributes_count: int = 0


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A reference to another span, of this trace or of another one. Ids are W3C hex."""

    trace_id: str
    span_id: str
    trace_state: str = ""
    attributes: Attributes = {}
    dropped_attributes_count: int = 0
    flags: int = 0


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The private texts of a span: one row of ``span_payloads``.

    Messages, instructions and definitions are JSON in the normal form of the GenAI conventions
    (:mod:`observatory_store.llm.messages`). Arguments and result of a tool are what the sender
    gave: a string as it was, or JSON. A field that the sender gave as a structure, and not as text,
    and that was taken as it came, is named in ``structured``.
    """

    input_messages: str | None = None
    output_messages: str | None = None
    system_instructions: str | None = None
    tool_definitions: str | None = None
    tool_arguments: str | None = None
    tool_result: str | None = None
    structured: tuple[str, ...] = ()
    content_attributes: str | None = None
    """JSON of a map: attributes that carry content, but are not the above, or say more."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``spans``.

    ``start_time`` and ``duration_us`` have microseconds, as PostgreSQL has; ``start_nanos`` and
    ``duration_nanos`` (0 to 999) hold what that leaves of OTLP's nanoseconds.
    """

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str | None = None
    start_time: datetime
    start_nanos: int = 0
    duration_us: int = 0
    duration_nanos: int = 0
    name: str = ""
    kind: SpanKind = "internal"
    status: SpanStatus = "unset"
    status_message: str = ""
    service_name: str = ""
    trace_state: str = ""
    flags: int = 0
    dropped_attributes_count: int = 0
    dropped_events_count: int = 0
    dropped_links_count: int = 0

    is_inference: bool = False
    """Whether this span is one call of a model, so that its tokens and cost count."""
    operation: str | None = None
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    input_tokens: int | None = None
    """Includes the cached tokens."""
    output_tokens: int | None = None
    """Includes the reasoning tokens."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    web_search_requests: int | None = None
    """How often the provider searched the web for the call: a fee for each, beside the tokens."""
    service_tier: str | None = None
    """The provider's class of service that answered: ``default``, ``flex``, ``batch``, …"""
    cost_usd: Decimal | None = None
    """None where no price is known; never 0 for that reason."""
    price_ref: str | None = None
    """Which price gave ``cost_usd``."""
    sent_cost_usd: Decimal | None = None
    """What the sender says that it cost; ``cost_usd`` is this only where a setting says so."""
    usage_conflict: str | None = None
    """How the numbers contradict each other, or repeat another span's: the words of
    :mod:`observatory_store.llm.conflicts`, sorted, with a comma between."""
    time_to_first_token_ms: float | None = None
    finish_reasons: tuple[str, ...] | None = None
    streaming: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    tool_name: str | None = None
    environment: str | None = None
    tags: tuple[str, ...] | None = None
    """Each ``key=value``."""
    api_key_id: int | None = None
    deployment: str | None = None
    source: str = "store"
    attributes: Attributes = {}
    """What found no column."""
    events: tuple[Event, ...] = ()
    links: tuple[Link, ...] = ()
    resource: Resource = NO_RESOURCE
    payload: Payload | None = None
