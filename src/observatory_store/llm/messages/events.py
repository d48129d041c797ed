"""Messages that came as events, of a span or as log records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeAlias

from observatory_store.llm.messages.documents import Found, read_input, read_output
from observatory_store.llm.messages.message import message_of
from observatory_store.llm.messages.normal import parsed
from observatory_store.llm.messages.sources import (
    CANONICAL,
    canonical_content,
    document_of,
)
from observatory_store.rows import Attributes, AttributeValue, Event
from observatory_store.rows.attributes import to_json

MessageEvent: TypeAlias = tuple[str, AttributeValue, Attributes]
"""Name, body (None for an event of a span), and attributes."""

_ROLES: Final[Mapping[str, str]] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}
_WHOLE: Final[Mapping[str, str]] = {
    "gen_ai.content.prompt": "gen_ai.prompt",
    "gen_ai.content.completion": "gen_ai.completion",
}
DETAILS: Final = "gen_ai.client.inference.operation.details"
NAMES: Final = frozenset((*_ROLES, *_WHOLE, DETAILS))
NAME_ATTRIBUTES: Final = ("event.name", "event_name")
"""Where older senders put the name of a log record's event."""

_CONTENT: Final = "gen_ai.event.content"
_SAYING: Final = frozenset({_CONTENT, "content", "message", "tool_calls"})
_NOTHING: Final = Found({}, whole=False)
_FRAME: Final = frozenset({"role", "id", "name", "index", "finish_reason", "tool_call_id"})
_KEPT: Final = re.compile(r"event\.(\d{1,9})\.(.+)", re.DOTALL)


def carries(events: Iterable[Event]) -> bool:
    """Tell whether any event may carry a message."""
    return any(
        event.name in NAMES or not CANONICAL.keys().isdisjoint(event.attributes) for event in events
    )


def event_name(name: str, attributes: Attributes) -> str:
    """Return the name of a log record's event, wherever it stands."""
    if name:
        return name
    found = next((attributes[key] for key in NAME_ATTRIBUTES if key in attributes), "")
    return found if isinstance(found, str) else ""


def content_of(name: str, attributes: Attributes) -> Collection[str]:
    """Return the names of an event's attributes that carry content."""
    saying = {_WHOLE[name]} if name in _WHOLE else _SAYING if name in _ROLES else frozenset()
    return (saying | CANONICAL.keys()) & attributes.keys()


def kept_name(place: int, key: str) -> str:
    """Return what an event's attribute is called among the attributes that are kept."""
    return f"event.{place}.{key}"


def kept_place(name: str) -> tuple[int, str] | None:
    """Return place and key of what :func:`kept_name` was given; None if it is another name."""
    match = _KEPT.fullmatch(name)
    return None if match is None else (int(match[1]), match[2])


def read(events: Iterable[MessageEvent]) -> Found | None:
    """Return the messages of events.

    It is whole if every event could be read, and says no more.
    """
    fields: dict[str, list[dict[str, Any]]] = {}
    whole = True
    for event in events:
        try:
            found = _read_one(*event)
        except Exception:  # noqa: BLE001 - what nobody thought of may not fail a whole trace
            found = _NOTHING
        whole = whole and found.whole
        for field, said in found.fields.items():
            fields.setdefault(field, []).extend(said)
    return Found(fields, whole=whole) if fields else None


def _read_one(name: str, body: AttributeValue, attributes: Attributes) -> Found:
    content = content_of(name, attributes)
    if name in _ROLES:
        said = _message(name, body, attributes)
        if said is None:
            return Found({}, whole=not content)
        side = "output_messages" if name == "gen_ai.choice" else "input_messages"
        known = {_CONTENT} if _CONTENT in attributes else _SAYING
        return Found({side: [said]}, whole=known.issuperset(content))
    if name in _WHOLE:
        read_side = read_input if name == "gen_ai.content.prompt" else read_output
        document = document_of(attributes.get(_WHOLE[name], body))
        found = None if document is None else read_side(document)
        return found._replace(whole=found.whole and len(content) == 1) if found else _NOTHING
    contents = {
        CANONICAL[key]: canonical_content(CANONICAL[key], document_of(attributes[key]))
        for key in content
    }
    return Found(
        {field: content for field, content in contents.items() if content},
        whole=None not in contents.values(),
    )


def _message(name: str, body: AttributeValue, attributes: Attributes) -> dict[str, Any] | None:
    said = attributes.get(_CONTENT, body)
    node = document_of(said)
    if isinstance(node, str | list):
        node = {"content": node}
    elif node is None:
        if said is not None or _SAYING.isdisjoint(attributes):
            return None
        node = {
            key: to_json(value)
            for key, value in attributes.items()
            if key in _SAYING or key in _FRAME
        }
        for key in ("content", "message", "tool_calls"):
            text = node.get(key)
            if isinstance(text, str) and (inner := parsed(text)) is not None:
                node[key] = inner
    return message_of(node, _ROLES[name])
