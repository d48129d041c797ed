"""Between a span's attributes and its LLM columns, both ways, without loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from observatory_store.llm import messages
from observatory_store.llm.canonical import ExactAttributes
from observatory_store.llm.conflicts import (
    SOURCES_DISAGREE,
    TOTAL_MISMATCH,
    UNUSABLE_COUNT,
    is_total_wrong,
    joined,
    part_conflicts,
)
from observatory_store.llm.convention import (
    FIRST_TOKEN_TIME,
    TOTAL_TOKENS,
    UNCOUNTED_INPUT,
    UNUSABLE,
    Convention,
    Field,
)
from observatory_store.llm.deprecated import DEPRECATED
from observatory_store.llm.dialects import Dialects, milliseconds_between
from observatory_store.llm.gateway import GATEWAY
from observatory_store.llm.inference import INFERENCE_OPERATIONS, is_inference
from observatory_store.llm.langfuse import LANGFUSE
from observatory_store.llm.litellm import LITELLM, LITELLM_USAGE
from observatory_store.llm.logfire import LOGFIRE
from observatory_store.llm.openinference import OPENINFERENCE
from observatory_store.llm.openllmetry import OPENLLMETRY
from observatory_store.llm.opentelemetry import OPENTELEMETRY
from observatory_store.llm.vercel import VERCEL
from observatory_store.rows import Attributes, Event, Span
from observatory_store.rows.attributes import decode

CONVENTIONS: Final = (
    OPENTELEMETRY,
    LITELLM_USAGE,
    DEPRECATED,
    OPENINFERENCE,
    OPENLLMETRY,
    LANGFUSE,
    VERCEL,
    LOGFIRE,
    LITELLM,
    GATEWAY,
)
"""In order of precedence."""


def _canonical(conventions: Iterable[Convention]) -> dict[str, Field]:
    by_column: dict[str, Field] = {}
    for convention in conventions:
        for entry in convention.entries:
            if isinstance(entry, Field):
                by_column.setdefault(entry.column, entry)
    return by_column


# Only the current conventions are put back: a column without an attribute there gives none.
_CANONICAL_OF_COLUMN: Final = _canonical([OPENTELEMETRY])
_CANONICAL: Final = {field.attribute: field for field in _CANONICAL_OF_COLUMN.values()}
_EXACT: Final = ExactAttributes(_CANONICAL.values())
_DIALECTS: Final = Dialects(CONVENTIONS, frozenset(_CANONICAL))
_PAYLOAD_ATTRIBUTES: Final = {field: name for name, field in messages.CANONICAL.items()}
_KNOWN: Final = frozenset(_CANONICAL) | _DIALECTS.names

_PARTS: Final = frozenset({"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"})
_COUNTS: Final = _PARTS | {"input_tokens", "output_tokens"}
"""Columns about which two sources can disagree."""
_ALL_PARTS: Final = _PARTS | {
    f"{direction}_{medium}_tokens"
    for direction in ("input", "output")
    for medium in ("audio", "image")
}


def read(
    attributes: Attributes,
    start_time: datetime | None = None,
    events: tuple[Event, ...] = (),
) -> dict[str, Any]:
    """Return the fields of :class:`Span` that the attributes give, and take these out of the map.

    If there are events, they are among the fields, without what was said in them.

    ``attributes`` is changed: an attribute leaves it if its column alone restores it, name, value
    and type. One that is usable in another type (a count sent as a string) or under another
    dialect's name fills its column and stays; one that is not usable (a negative count) only stays.
    So ``Span(attributes=attributes, **read(attributes))`` has everything, and :func:`restore` gives
    back what was there.

    The start and the events tell the time to the first token, where a dialect has it so. The texts
    must be storable already (:mod:`observatory_store.rows.text`).
    """
    found = _columns(attributes, start_time, events)
    payload, others = messages.take(attributes, events)
    if payload is not None:
        found["payload"] = payload
    if others:
        found["events"] = others
    return found


def _columns(
    attributes: Attributes, start_time: datetime | None, events: Sequence[Event]
) -> dict[str, Any]:
    if _KNOWN.isdisjoint(attributes):
        return {}
    found = _EXACT.take(attributes)
    conflicts = _read_rest(attributes, found, start_time, events)
    if not _ALL_PARTS.isdisjoint(found):
        conflicts += part_conflicts(found)
    if conflicts:
        found["usage_conflict"] = joined(conflicts)
    # A dialect may say itself that a span is no call.
    if found.pop("is_inference", True) and _is_inference(found):
        found["is_inference"] = True
    return found


def _read_rest(
    attributes: Attributes,
    found: dict[str, Any],
    start_time: datetime | None,
    events: Sequence[Event],
) -> list[str]:
    others: list[str] = []
    unusable = False
    for name in _KNOWN.intersection(attributes):
        field = _CANONICAL.get(name)
        if field is None:
            others.append(name)
            continue
        attribute = attributes[name]
        value = field.convert(attribute)
        if value is not None:
            found[field.column] = value
            if field.is_exact(value, attribute):
                del attributes[name]
        elif field.fails(attribute):
            unusable = True
    conflicts = _read_dialects(attributes, found, others, start_time, events) if others else []
    if unusable and UNUSABLE_COUNT not in conflicts:
        conflicts.append(UNUSABLE_COUNT)
    return conflicts


def restore(span: Span) -> Attributes:
    """Return all attributes of a span: its own, and those that its LLM columns stand for.

    What is derived (``cost_usd``, ``price_ref``, ``is_inference``, ``usage_conflict``), what only
    another dialect says (``sent_cost_usd``) and what belongs to the resource (``environment``)
    gives no attribute.
    """
    attributes = messages.kept_attributes(span.payload) | span.attributes
    explained = _columns(dict(attributes), span.start_time, span.events)
    restored: Attributes = {}
    for column, field in _CANONICAL_OF_COLUMN.items():
        value = getattr(span, column)
        if value is not None and explained.get(column) != value:
            restored[field.attribute] = field.attribute_of(value)
    if span.payload is not None:
        for name, attribute in _PAYLOAD_ATTRIBUTES.items():
            text: str | None = getattr(span.payload, name)
            if text is not None:
                restored[attribute] = decode(text) if name in span.payload.structured else text
    restored.update(attributes)
    return restored


def canonical_attribute(column: str) -> str:
    """Return the name of the attribute that fills a column, or a field of the payload, first."""
    field = _CANONICAL_OF_COLUMN.get(column)
    return field.attribute if field is not None else _PAYLOAD_ATTRIBUTES[column]


def _read_dialects(
    attributes: Attributes,
    found: dict[str, Any],
    names: Iterable[str],
    start_time: datetime | None,
    events: Sequence[Event],
) -> list[str]:
    """Fill the columns that canonical attributes do not; say how the sources disagree."""
    first: dict[str, Any] = {}
    counts: list[tuple[str, int]] = []
    for column, value in _DIALECTS.candidates(attributes, names):
        first.setdefault(column, value)
        if column in _COUNTS:
            counts.append((column, value))
    total = first.pop(TOTAL_TOKENS, None)
    unusable = first.pop(UNUSABLE, False)
    uncounted_input = first.pop(UNCOUNTED_INPUT, None)
    _complete_input(attributes, found, first, uncounted_input, counts)
    first_token = first.pop(FIRST_TOKEN_TIME, None) or _DIALECTS.first_token(events)
    if first_token is not None and start_time is not None:
        waited = milliseconds_between(start_time, first_token)
        if waited is not None:
            first.setdefault("time_to_first_token_ms", waited)
    for column, value in first.items():
        if column not in found:
            found[column] = value
        elif found[column] == value and column in _CANONICAL_OF_COLUMN:
            # `restore` takes a column that a remaining attribute explains as filled by that one,
            # so the canonical attribute has to remain too.
            canonical = _CANONICAL_OF_COLUMN[column]
            attributes.setdefault(canonical.attribute, canonical.attribute_of(value))
    conflicts = [UNUSABLE_COUNT] if unusable else []
    if any(
        found[column] != count and (column != "input_tokens" or count != uncounted_input)
        for column, count in counts
    ):
        conflicts.append(SOURCES_DISAGREE)
    if total is not None and is_total_wrong(found, total, uncounted_input):
        conflicts.append(TOTAL_MISMATCH)
    return conflicts


def _complete_input(
    attributes: Attributes,
    found: dict[str, Any],
    first: dict[str, Any],
    uncounted_input: int | None,
    counts: Iterable[tuple[str, int]],
) -> None:
    """Take the input of a usage object that says what the number sent beside it leaves out."""
    name = "input_tokens"
    if uncounted_input is None or found.get(name, first.get(name)) != uncounted_input:
        return
    complete = [count for column, count in counts if column == name and count > uncounted_input]
    if complete:
        first[name] = complete[0]
        if name in found:
            # The column no longer stands for the attribute, which has to remain.
            attributes.setdefault(canonical_attribute(name), found[name])
            found[name] = complete[0]


def _is_inference(found: dict[str, Any]) -> bool:
    operation = found.get("operation")
    return operation in INFERENCE_OPERATIONS or is_inference(
        operation,
        found.get("response_model") or found.get("request_model"),
        found.get("input_tokens", found.get("output_tokens")),
    )
