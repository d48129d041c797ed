"""Every field of every OTLP message is stored, or named in docs/otlp.md as not stored.

A field that a new version of opentelemetry-proto brings fails here, until it is mapped.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import EntityRef

from api.telemetry import (
    everything_in_logs,
    everything_in_metrics,
    everything_in_traces,
    to_json,
)
from observatory_store.otlp import MediaType, decode_logs, decode_metrics, decode_traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from google.protobuf.message import Message

DOCUMENT = (Path(__file__).parents[2] / "docs" / "otlp.md").read_text()
NOT_STORED = {"AnyValue.string_value_strindex", "KeyValue.key_strindex"}
"""These index a table that only profiles have."""

ENTITY = EntityRef(schema_url="u", type="service", id_keys=["i"], description_keys=["d"])


def _traces() -> Message:
    request = everything_in_traces()
    request.resource_spans[0].resource.entity_refs.append(ENTITY)
    return request


def _logs() -> Message:
    request = everything_in_logs()
    request.resource_logs[0].resource.entity_refs.append(ENTITY)
    return request


def _metrics() -> Message:
    request = everything_in_metrics()
    entry = request.resource_metrics[0]
    entry.resource.entity_refs.append(ENTITY)
    point = entry.scope_metrics[0].metrics[0].gauge.data_points[1]
    point.exemplars.add(time_unix_nano=1, as_int=7)
    return request


REQUESTS: dict[str, tuple[Message, Any]] = {
    "traces": (_traces(), partial(decode_traces, columns=lambda *_: {})),
    "logs": (_logs(), decode_logs),
    "metrics": (_metrics(), decode_metrics),
}


def _descriptors(descriptor: Any, found: dict[str, Any]) -> dict[str, Any]:
    if descriptor.full_name not in found:
        found[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                _descriptors(field.message_type, found)
    return found


def _fields() -> Iterator[Any]:
    for signal, (request, _) in REQUESTS.items():
        for name, descriptor in sorted(_descriptors(request.DESCRIPTOR, {}).items()):
            for field in descriptor.fields:
                yield pytest.param(
                    signal, name, field.name, id=f"{signal}-{descriptor.name}.{field.name}"
                )


def _clear(message: Message, name: str, field: str) -> int:
    """Clear a field wherever the message has it; return in how many places."""
    cleared = 0
    for each, content in message.ListFields():
        if message.DESCRIPTOR.full_name == name and each.name == field:
            message.ClearField(field)
            cleared += 1
        elif each.message_type is not None:
            for part in content if each.is_repeated else [content]:
                cleared += _clear(part, name, field)
    return cleared


def _decoded(signal: str, request: Message, media_type: MediaType) -> str:
    body = to_json(request) if media_type is MediaType.JSON else request.SerializeToString()
    # As text, because a NaN is not equal to itself.
    return repr(REQUESTS[signal][1](body, media_type).rows)


@pytest.mark.parametrize("media_type", list(MediaType))
@pytest.mark.parametrize(("signal", "name", "field"), list(_fields()))
def test_field(signal: str, name: str, field: str, media_type: MediaType) -> None:
    """Otherwise what a sender says in this field is lost, and nobody knows."""
    short = f"{name.rpartition('.')[2]}.{field}"
    if short in NOT_STORED:
        assert f"`{field}`" in DOCUMENT
        return
    request = REQUESTS[signal][0]
    without = type(request)()
    without.CopyFrom(request)
    assert _clear(without, name, field), f"{short} is new: store it, or name it in docs/otlp.md"
    whole = _decoded(signal, request, media_type)
    assert whole == _decoded(signal, request, media_type)
    assert _decoded(signal, without, media_type) != whole, f"{short} is read by nobody"
