"""One call of a model, as a gateway hands it over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.llm import validation
from observatory_store.llm.mapping import canonical_attribute, read
from observatory_store.rows import NO_RESOURCE, Attributes, Resource, Span
from observatory_store.rows.span import SpanStatus
from observatory_store.rows.text import storable

_TEXTS = (
    "operation",
    "provider",
    "response_model",
    "response_id",
    "user_id",
    "session_id",
    "agent_name",
    "tool_name",
    "service_tier",
    "deployment",
)
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
    "web_search_requests",
    "max_tokens",
)
_NUMBERS = ("temperature", "top_p")
_PAYLOAD = (
    "input_messages",
    "output_messages",
    "system_instructions",
    "tool_definitions",
    "tool_arguments",
    "tool_result",
)

_MICROSECOND = timedelta(microseconds=1)


class LLMCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. Everything is optional; what is not known stays None.

    Nothing is checked before :meth:`to_span`, so that making one never fails a request.

    An own field goes before the same thing in ``attributes``. Messages, instructions and
    definitions are a string, or anything that is JSON once its dataclasses, structs and pydantic
    models are.

    A call without times ends now; one with ``start_time`` alone ends now as well.
    """

    provider: str | None = None
    """As in ``gen_ai.provider.name``: ``openai``, ``anthropic``, ``aws.bedrock``, …"""
    model: str | None = None
    """The model that was asked for."""
    response_model: str | None = None
    """The model that answered."""
    response_id: str | None = None
    operation: str = "chat"
    """As in ``gen_ai.operation.name``: ``chat``, ``embeddings``, ``execute_tool``, …"""
    name: str | None = None
    """The span's name; by default the operation and what it was done with."""

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
    """How often the provider searched the web."""
    service_tier: str | None = None
    """The class of service that answered: ``default``, ``flex``, ``batch``, …"""

    start_time: datetime | None = None
    end_time: datetime | None = None
    duration_ms: float | None = None
    """Instead of one of the two times."""
    time_to_first_token_ms: float | None = None
    streaming: bool | None = None

    status: SpanStatus = "unset"
    error: str | None = None
    """What went wrong; makes the status ``error``, whatever ``status`` says."""

    finish_reasons: list[str] | tuple[str, ...] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None

    user_id: str | None = None
    session_id: str | None = None
    agent_name: str | None = None
    tool_name: str | None = None
    service_name: str = ""
    environment: str | None = None
    deployment: str | None = None
    tags: Mapping[str, str] = {}

    input_messages: Any = None
    output_messages: Any = None
    system_instructions: Any = None
    tool_definitions: Any = None
    tool_arguments: Any = None
    tool_result: Any = None

    attributes: Mapping[str, Any] = {}
    trace_id: str | None = None
    """32 hex digits; a new trace by default."""
    span_id: str | None = None
    """16 hex digits."""
    parent_span_id: str | None = None

    def to_span(self, now: datetime, new_ids: Callable[[], tuple[str, str]]) -> Span:
        """Return the call as a span.

        ``new_ids`` gives a trace id and a span id, for those that the call does not bring.
        NUL and lone surrogates in texts become U+FFFD.

        Raises :class:`InvalidInputError` that names the field and what is allowed.
        """
        trace_id, span_id, parent_span_id = self._ids(new_ids)
        start_time, duration_us = self._times(now)
        attributes = self._attributes()
        fields = read(attributes, start_time)
        if self.time_to_first_token_ms is not None:
            # Not by way of the attribute, whose seconds would round it.
            fields["time_to_first_token_ms"] = validation.milliseconds(
                "time_to_first_token_ms", self.time_to_first_token_ms
            )
        service_name = validation.own_text("service_name", self.service_name) or ""
        environment = validation.own_text("environment", self.environment)
        error = self.error
        return Span(
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=parent_span_id,
            start_time=start_time,
            duration_us=duration_us,
            name=storable(validation.text("name", self.name)) if self.name else _name(fields),
            kind="client" if "is_inference" in fields else "internal",
            status=validation.status(self.status) if error is None else "error",
            status_message="" if error is None else storable(validation.text("error", error)),
            service_name=service_name,
            environment=environment,
            resource=_resource(service_name, environment),
            attributes=attributes,
            **fields,
        )

    def _attributes(self) -> Attributes:
        attributes = validation.plain_map(self.attributes)
        own: dict[str, Any] = {
            name: validation.own_text(name, getattr(self, name)) for name in _TEXTS
        }
        own["request_model"] = validation.own_text("model", self.model)
        own |= {name: validation.count(name, getattr(self, name)) for name in _COUNTS}
        own |= {name: validation.number(name, getattr(self, name)) for name in _NUMBERS}
        own["streaming"] = validation.flag("streaming", self.streaming)
        own["finish_reasons"] = validation.finish_reasons(self.finish_reasons)
        own["tags"] = validation.tags(self.tags)
        own |= {name: validation.plain(name, getattr(self, name)) for name in _PAYLOAD}
        for column, value in own.items():
            if value is not None:
                attributes[canonical_attribute(column)] = value
        if self.time_to_first_token_ms is not None:
            attributes.pop(canonical_attribute("time_to_first_token_ms"), None)
        return attributes

    def _ids(self, new_ids: Callable[[], tuple[str, str]]) -> tuple[str, str, str | None]:
        trace_id = validation.trace_id(self.trace_id)
        span_id = validation.span_id("span_id", self.span_id)
        if trace_id is None or span_id is None:
            new_trace_id, new_span_id = new_ids()
            trace_id, span_id = trace_id or new_trace_id, span_id or new_span_id
        return trace_id, span_id, validation.span_id("parent_span_id", self.parent_span_id)

    def _times(self, now: datetime) -> tuple[datetime, int]:
        start = validation.utc("start_time", self.start_time)
        end = validation.utc("end_time", self.end_time)
        if self.duration_ms is None:
            if end is None:
                # The clock that gave start_time may be ahead of this one.
                end = now if start is None else max(now, start)
            start = end if start is None else start
            if end < start:
                raise InvalidInputError(f"end_time {end} is before start_time {start}")
            return start, (end - start) // _MICROSECOND
        if start is not None and end is not None:
            raise InvalidInputError("give two of start_time, end_time and duration_ms, not all")
        try:
            duration = timedelta(
                milliseconds=validation.milliseconds("duration_ms", self.duration_ms)
            )
            start = (end or now) - duration if start is None else start
        except OverflowError:
            raise InvalidInputError(
                f"duration_ms is too large: {validation.shown(self.duration_ms)}"
            ) from None
        return start, duration // _MICROSECOND


def _name(fields: Mapping[str, Any]) -> str:
    operation: str = fields.get("operation", "call")
    for subject in ("request_model", "response_model", "tool_name", "agent_name"):
        if subject in fields:
            return f"{operation} {fields[subject]}"
    return operation


@lru_cache(maxsize=1024)
def _resource(service_name: str, environment: str | None) -> Resource:
    attributes: Attributes = {}
    if service_name:
        attributes["service.name"] = service_name
    if environment:
        attributes["deployment.environment.name"] = environment
    return Resource(attributes=attributes) if attributes else NO_RESOURCE
