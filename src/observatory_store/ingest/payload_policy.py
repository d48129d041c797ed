"""How much of what was said is stored: all of it, the beginning of each text, or nothing.

A row of which less is stored than was sent says so in its attribute :data:`MARK`.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from observatory_store.llm import messages
from observatory_store.llm.messages.events import content_of
from observatory_store.llm.messages.normal import encoded, parsed, repeats_key
from observatory_store.rows import Attributes, AttributeValue, LogRecord, Payload, Span

MARK: Final = "observatory.payload"
"""Attribute of a row that was ``truncated``, or whose content was ``dropped``."""

_MOST_LEVELS: Final = 64
_LONGEST_NOTE: Final = 40
_CUT: Final = re.compile(r"…\[\d{1,12} characters cut\]\Z")


def without_payload(span: Span) -> Span:
    """Return a span without what was said in it."""
    span = _separated(span)
    if span.payload is None:
        return span
    attributes: Attributes = {**span.attributes, MARK: "dropped"}
    return msgspec.structs.replace(span, payload=None, attributes=attributes)


def truncated_span(span: Span, longest: int) -> Span:
    """Return a span whose payload is :func:`truncated`."""
    span = _separated(span)
    if span.payload is None:
        return span
    payload = truncated(span.payload, longest)
    if payload == span.payload:
        return span
    attributes: Attributes = {**span.attributes, MARK: "truncated"}
    return msgspec.structs.replace(span, payload=payload, attributes=attributes)


def without_content(record: LogRecord) -> LogRecord:
    """Return a log record without its body, if it is a message, and attributes with content."""
    content = _content(record)
    has_body = record.body is not None and _is_message(record)
    if not content and not has_body:
        return record
    attributes = {name: each for name, each in record.attributes.items() if name not in content}
    return msgspec.structs.replace(
        record,
        body=None if has_body else record.body,
        attributes={**attributes, MARK: "dropped"},
    )


def truncated_log(record: LogRecord, longest: int) -> LogRecord:
    """Return a log record in which the texts that :func:`without_content` leaves out are cut."""
    content = {name: _cut(each, longest) for name, each in _content(record).items()}
    body = _cut(record.body, longest) if _is_message(record) else record.body
    attributes: Attributes = {**record.attributes, **content}
    if body == record.body and attributes == record.attributes:
        return record
    attributes[MARK] = "truncated"
    return msgspec.structs.replace(record, body=body, attributes=attributes)


def truncated(payload: Payload, longest: int) -> Payload:
    """Return a payload in which each text is cut after that many characters.

    What was valid JSON stays so, and the texts are those in it; each that was cut says at its end
    how much is missing. To truncate again changes nothing.
    """
    texts = {
        name: text if text is None or len(text) <= longest else _cut_text(text, longest)
        for name in (*messages.FIELDS, "content_attributes")
        for text in [getattr(payload, name)]
    }
    return msgspec.structs.replace(payload, **texts)


def _separated(span: Span) -> Span:
    """Return a span without content in its attributes and events; one that OTLP gave has none."""
    attributes = dict(span.attributes)
    taken, events = messages.take(attributes, span.events)
    if taken is None:
        return span
    payload = taken
    if span.payload is not None:
        missing = {
            name: getattr(taken, name)
            for name in (*messages.FIELDS, "content_attributes")
            if getattr(span.payload, name) is None
        }
        payload = msgspec.structs.replace(span.payload, **missing)
    return msgspec.structs.replace(span, attributes=attributes, events=events, payload=payload)


def _is_message(record: LogRecord) -> bool:
    return messages.event_name(record.event_name, record.attributes) in messages.EVENT_NAMES


def _content(record: LogRecord) -> Attributes:
    """Return the attributes of a log record that carry content."""
    rest = dict(record.attributes)
    messages.take(rest, ())
    name = messages.event_name(record.event_name, record.attributes)
    saying = content_of(name, record.attributes)
    return {
        key: value for key, value in record.attributes.items() if key not in rest or key in saying
    }


def _cut_text(text: str, longest: int) -> str:
    document = parsed(text)
    if document is None:
        return _shortened(text, longest)
    cut = _cut(document, longest)
    if cut == document and not repeats_key(text):
        return text
    return encoded(cut) or _shortened(text, longest)


def _cut(
    value: AttributeValue,
    longest: int,
    level: int = 0,
) -> Any:  # noqa: ANN401 - of the type that it was
    if isinstance(value, str):
        return value if len(value) <= longest else _cut_text(value, longest)
    if isinstance(value, bytes):
        return value[:longest]
    if isinstance(value, dict | list) and level == _MOST_LEVELS:
        return _shortened(str(value), 0)
    if isinstance(value, list):
        return [_cut(item, longest, level + 1) for item in value]
    if not isinstance(value, dict):
        return value
    cut = {key: _cut(item, longest, level + 1) for key, item in value.items()}
    content = value.get("content")
    if value.get("type") == "blob" and isinstance(content, str) and len(content) > longest:
        # The beginning of an image's base64 shows nothing.
        cut["content"] = _shortened(content, 0)
    return cut


def _shortened(text: str, length: int) -> str:
    if len(text) < length + _LONGEST_NOTE and _CUT.search(text, max(0, len(text) - _LONGEST_NOTE)):
        return text
    return f"{text[:length]}…[{len(text) - length} characters cut]"
