"""What was said in a span, taken out of its attributes and events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from observatory_store.llm.messages import events as message_events
from observatory_store.llm.messages import normal
from observatory_store.llm.messages.documents import Found
from observatory_store.llm.messages.indexed import unflattened
from observatory_store.llm.messages.sources import (
    CANONICAL,
    CONDITIONAL,
    DOCUMENTS,
    FAMILIES,
    RAW,
    RAW_PATTERN,
    RESPONSES,
    TEXTS_OF_TOOL_SPANS,
    TOOL_TEXTS,
    Read,
    canonical_content,
    document_of,
    is_tool,
    read_response,
)
from observatory_store.rows import Attributes, AttributeValue, Event, Payload
from observatory_store.rows.attributes import encode

_EXACT: Final = frozenset((*CANONICAL, *DOCUMENTS, *RESPONSES, *TOOL_TEXTS, *RAW))
_PREFIXES: Final = tuple(FAMILIES)
_ORDER: Final = {name: place for place, name in enumerate((*FAMILIES, *RESPONSES, *DOCUMENTS))}
_CONVERSATIONS: Final = frozenset({"all_messages_events", "pydantic_ai.all_messages"})

_VALID: Final = {
    "input_messages": normal.is_messages,
    "output_messages": normal.is_messages,
    "system_instructions": normal.is_parts,
    "tool_definitions": normal.is_definitions,
}

_OTHERS: set[str] = set()
"""Names of attributes that were seen to carry no content: most spans have no others."""
_MOST_OTHERS: Final = 10_000
_LONGEST_OTHER: Final = 100


def take(
    attributes: Attributes, events: tuple[Event, ...] = ()
) -> tuple[Payload | None, tuple[Event, ...]]:
    """Return what was said in a span, and its events without what was said.

    ``attributes`` is changed: everything that carries content leaves it. What the normal form says
    wholly is there alone; what could not be converted, or says more, is kept as it was in
    ``content_attributes``. The texts must be storable (:mod:`observatory_store.rows.text`).
    """
    has_messages = events and message_events.carries(events)
    carriers = [name for name in attributes if name not in _OTHERS and _carries(name)]
    if not carriers and not has_messages:
        return None, events
    taken = Taken()
    taken.take_attributes(attributes, carriers)
    if has_messages:
        events = taken.take_events(events)
    return taken.payload(), events


class Taken:
    """A payload in the making."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._structured: list[str] = []
        self._converted: dict[str, list[dict[str, Any]]] = {}
        self._kept: Attributes = {}
        self._read: Attributes = {}

    def take_attributes(self, attributes: Attributes, carriers: Iterable[str]) -> None:
        """Take what the named attributes say out of them."""
        remaining = []
        for name in carriers:
            if (field := CANONICAL.get(name)) is not None:
                self._take_canonical(name, field, attributes.pop(name))
            else:
                remaining.append(name)
        if remaining:
            self._take_dialects(attributes, remaining)

    def take_events(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Take what events say out of them."""
        found = message_events.read([(event.name, None, event.attributes) for event in events])
        is_whole = found is not None and self.add(found) and found.whole
        said = self._read if is_whole else self._kept
        left = []
        for place, event in enumerate(events):
            content = message_events.content_of(event.name, event.attributes)
            if not content:
                left.append(event)
                continue
            attributes = {k: v for k, v in event.attributes.items() if k not in content}
            left.append(msgspec.structs.replace(event, attributes=attributes))
            for key in content:
                said[message_events.kept_name(place, key)] = event.attributes[key]
        return tuple(left)

    def add(self, found: Found) -> bool:
        """Fill the fields that are empty; tell whether all that was found is there now."""
        fields = dict(found.fields)
        whole = True
        # A request as a whole names the instructions again that are among the messages already.
        if "input_messages" in fields and self._has("input_messages"):
            whole = fields.pop("system_instructions", None) is None
        added = [self._add_field(*each) for each in fields.items()]
        return whole and all(added)

    def payload(self) -> Payload | None:
        """Return what was taken, if anything."""
        for field, said in self._converted.items():
            text = normal.encoded(said)
            if text is None:
                self._kept |= self._read
            else:
                self._texts[field] = text
        if not self._texts and not self._kept:
            return None
        return Payload(
            **self._texts,
            structured=tuple(sorted(self._structured)),
            content_attributes=encode(self._kept).decode() if self._kept else None,
        )

    def _take_canonical(self, name: str, field: str, value: AttributeValue) -> None:
        text = _text(value)
        is_valid = _VALID.get(field)
        if is_valid is None or is_valid(text):
            self._set_text(field, text, value)
            return
        self._kept[name] = value
        try:
            said = canonical_content(field, document_of(value))
        except Exception:  # noqa: BLE001 - what nobody thought of may not fail its batch
            said = None
        if said:
            self._converted[field] = said

    def _take_dialects(self, attributes: Attributes, names: list[str]) -> None:
        texts = TEXTS_OF_TOOL_SPANS if is_tool(attributes) else TOOL_TEXTS
        groups: dict[str, list[str]] = {}
        for name in names:
            if (field := texts.get(name)) is not None:
                self._take_text(name, field, attributes.pop(name))
            elif name in DOCUMENTS:
                if not _is_other(name, attributes):
                    groups[name] = [name]
            elif name in RESPONSES:
                groups.setdefault(f"ai.{RESPONSES[name][0]}.text", []).append(name)
            elif (family := _family(name)) is not None:
                groups.setdefault(family, []).append(name)
            else:
                self._kept[name] = attributes.pop(name)
        for group in sorted(groups, key=_ORDER.__getitem__):
            members = {name: attributes.pop(name) for name in groups[group]}
            self._take_group(group, members)

    def _take_group(self, group: str, members: Attributes) -> None:
        try:
            is_whole = self._add_group(group, members)
        except Exception:  # noqa: BLE001 - what nobody thought of may not fail its batch
            is_whole = False
        if is_whole:
            self._read |= members
        else:
            self._kept |= members

    def _add_group(self, group: str, members: Attributes) -> bool:
        """Add what a group says; tell whether nothing has to be kept beside it."""
        if group in DOCUMENTS:
            found = _read(DOCUMENTS[group], document_of(members[group]))
        elif group in RESPONSES:
            found = read_response({RESPONSES[name][1]: value for name, value in members.items()})
        else:
            if group == _VECTORS:
                vectors = {name: members.pop(name) for name in list(members) if _is_vector(name)}
                self._kept |= vectors
            nodes = unflattened(group, members) if members else None
            found = _read(FAMILIES[group], nodes)
        return found is not None and self.add(found) and found.whole

    def _take_text(self, name: str, field: str, value: AttributeValue) -> None:
        if field in self._texts:
            self._kept[name] = value
            return
        self._set_text(field, _text(value), value)

    def _set_text(self, field: str, text: str, value: AttributeValue) -> None:
        self._texts[field] = text
        if type(value) is not str:
            self._structured.append(field)

    def _has(self, field: str) -> bool:
        return field in self._texts or field in self._converted

    def _add_field(self, field: str, said: list[dict[str, Any]]) -> bool:
        had = self._converted.get(field)
        if had is None and field in self._texts:
            had = normal.parsed(self._texts[field])
        if had is None:
            self._converted[field] = said
            return True
        if field not in _MESSAGES or len(had) != len(said):
            return bool(had == said)
        if all(map(_says, had, said)):
            return True
        if any(one.get("parts") for one in had):
            return False
        # LiteLLM gives the answer's frame, and the call of a tool elsewhere.
        if field in self._structured:
            self._structured.remove(field)
        original = self._texts.pop(field, None)
        if original is not None:
            self._kept.setdefault(_ATTRIBUTES[field], original)
        self._converted[field] = [
            normal.merged(one, {**frame, "parts": one["parts"]})
            for frame, one in zip(had, said, strict=True)
        ]
        return True


_MESSAGES: Final = frozenset({"input_messages", "output_messages"})
_ATTRIBUTES: Final = {field: name for name, field in CANONICAL.items()}
_VECTORS: Final = "embedding.embeddings."


def _says(message: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether a message says all that another one says."""
    return all(message.get(key) == value for key, value in other.items())


def _text(value: AttributeValue) -> str:
    return normal.readable(value) if type(value) is str else encode(value).decode()


def _is_vector(name: str) -> bool:
    return not name.endswith(".text")


def _read(read: Read, document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    return None if document is None else read(document)


def _carries(name: str) -> bool:
    if name in _EXACT or _family(name) is not None or RAW_PATTERN.fullmatch(name):
        return True
    if len(_OTHERS) < _MOST_OTHERS and len(name) <= _LONGEST_OTHER:
        _OTHERS.add(name)
    return False


def _family(name: str) -> str | None:
    if not name.startswith(_PREFIXES):
        return None
    family = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
    return family if name[len(family) : len(family) + 1].isdecimal() else None


def _is_other(name: str, attributes: Attributes) -> bool:
    """Tell whether an attribute of a general name is not what it carries content under."""
    if name == "final_result":
        return _CONVERSATIONS.isdisjoint(attributes)
    condition = CONDITIONAL.get(name)
    if condition is None:
        return False
    value = attributes[name]
    return condition.search(value if type(value) is str else encode(value).decode()) is None
