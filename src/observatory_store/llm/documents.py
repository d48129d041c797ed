"""Attributes that hold a whole object as text: what was asked for, what it cost, what was used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from observatory_store.llm import conversion
from observatory_store.llm.usage_object import read_usage
from observatory_store.rows import AttributeValue

Columns: TypeAlias = dict[str, Any]

_MAX_OBJECT: Final = 64 * 1024
_MAX_MESSAGE: Final = 4 * 1024 * 1024
"""Most characters of a text that holds messages too."""

_json = msgspec.json.Decoder()


class _Request(msgspec.Struct):
    """What is of interest of a request's body; its messages are skipped, not decoded."""

    model: Any = None
    temperature: Any = None
    top_p: Any = None
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    stream: Any = None
    service_tier: Any = None
    encoding_format: Any = None
    messages: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    usage: Any = None


class _OfAnthropic(msgspec.Struct):
    usage: Any = None


class _ProviderMetadata(msgspec.Struct):
    """What Vercel's SDK passes on of the provider's answer."""

    anthropic: _OfAnthropic | None = None


_request = msgspec.json.Decoder(_Request)
_response = msgspec.json.Decoder(_Response)
_provider_metadata = msgspec.json.Decoder(_ProviderMetadata)

_REQUEST_COLUMNS: Final = (
    ("model", "request_model", conversion.text),
    ("temperature", "temperature", conversion.number),
    ("top_p", "top_p", conversion.number),
    ("max_completion_tokens", "max_tokens", conversion.count),
    ("max_output_tokens", "max_tokens", conversion.count),
    ("max_tokens", "max_tokens", conversion.count),
    ("stream", "streaming", conversion.flag),
)


def usage(value: AttributeValue) -> Columns:
    """Read a provider's usage object: JSON, Python's notation of it, or a map."""
    return read_usage(value if isinstance(value, dict) else _object(value))


def usage_of_response(value: AttributeValue) -> Columns:
    """Read the member ``usage`` of a response's JSON."""
    found = _decoded(_response, value)
    return {} if found is None else read_usage(found.usage)


def usage_of_provider(value: AttributeValue) -> Columns:
    """Read Claude's usage object of Vercel's provider metadata."""
    found = _decoded(_provider_metadata, value)
    return {} if found is None or found.anthropic is None else read_usage(found.anthropic.usage)


def parameters(value: AttributeValue) -> Columns:
    """Read the JSON of a request, or of its parameters."""
    found = _decoded(_request, value)
    return {} if found is None else _parameters(found)


def parameters_with_tier(value: AttributeValue) -> Columns:
    """Like :func:`parameters`, where ``service_tier`` is what the response said of it."""
    found = _decoded(_request, value)
    if found is None:
        return {}
    columns = _parameters(found)
    tier = conversion.service_tier(found.service_tier)
    return columns if tier is None else {**columns, "service_tier": tier}


def request(value: AttributeValue) -> Columns:
    """Like :func:`parameters`, for a whole request, which also tells the operation."""
    found = _decoded(_request, value)
    if found is None:
        return {}
    columns = _parameters(found)
    if bytes(found.messages):
        columns["operation"] = "chat"
    elif found.encoding_format is not None:
        columns["operation"] = "embeddings"
    return columns


def cost_details(value: AttributeValue) -> Columns:
    """Read Langfuse's costs: the total, or the sum of the parts.

    All zero means that none was worked out: so it is on a call that failed.
    """
    found = value if isinstance(value, dict) else _object(value)
    if not isinstance(found, Mapping):
        return {}
    costs = {name: conversion.cost(item) for name, item in found.items()}
    parts = [cost for name, cost in costs.items() if name != "total" and cost is not None]
    total = costs["total"] if "total" in costs else sum(parts) if parts else None
    return {"sent_cost_usd": total} if total else {}


def _parameters(found: _Request) -> Columns:
    columns: Columns = {}
    for name, column, convert in _REQUEST_COLUMNS:
        value = getattr(found, name)
        if value is not None and column not in columns:
            converted = convert(value)
            if converted is not None:
                columns[column] = converted
    return columns


def _decoded(decoder: msgspec.json.Decoder[Any], value: AttributeValue) -> Any | None:  # noqa: ANN401
    if type(value) is not str or len(value) > _MAX_MESSAGE:
        return None
    return _quietly(decoder.decode, value)


def _object(value: AttributeValue) -> Any | None:  # noqa: ANN401 - a JSON document
    if type(value) is not str or len(value) > _MAX_OBJECT:
        return None
    if not value.startswith("{'"):
        return _quietly(_json.decode, value)
    # Python's notation of a plain object. Only what these replacements turn into JSON is read,
    # so that nothing is ever evaluated; a text with both kinds of quotes is not.
    if '"' in value or "\\" in value:
        return None
    for python, json in (("'", '"'), ("None", "null"), ("True", "true"), ("False", "false")):
        value = value.replace(python, json)
    return _quietly(_json.decode, value)


def _quietly(decode: Callable[[str], Any], value: str) -> Any | None:  # noqa: ANN401
    try:
        return decode(value)
    except (ValueError, RecursionError):
        return None
