"""Between a span's attributes and its LLM columns, both ways, without loss."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from observatory_store.llm.convention import Convention, Field
from observatory_store.llm.inference import is_inference
from observatory_store.llm.opentelemetry import OPENTELEMETRY
from observatory_store.rows import Attributes, Payload, Span
from observatory_store.rows.attributes import decode, encode

CONVENTIONS: Final = (OPENTELEMETRY,)
"""In order of precedence."""


def _canonical(conventions: Iterable[Convention]) -> dict[str, Field]:
    by_column: dict[str, Field] = {}
    for convention in conventions:
        for field in convention.fields:
            by_column.setdefault(field.column, field)
    return {field.attribute: field for field in by_column.values()}


def _alternates(conventions: Iterable[Convention]) -> dict[str, tuple[Field, ...]]:
    by_column: dict[str, tuple[Field, ...]] = {}
    for convention in conventions:
        for field in convention.fields:
            if field.attribute not in _CANONICAL:
                by_column[field.column] = (*by_column.get(field.column, ()), field)
    return by_column


_CANONICAL: Final = _canonical(CONVENTIONS)
_CANONICAL_OF_COLUMN: Final = {field.column: field for field in _CANONICAL.values()}
_ALTERNATES: Final = _alternates(CONVENTIONS)
_ALTERNATE_NAMES: Final = frozenset(
    field.attribute for fields in _ALTERNATES.values() for field in fields
)
_PAYLOAD: Final = {
    attribute: field
    for convention in CONVENTIONS
    for attribute, field in convention.payload.items()
}
_PAYLOAD_ATTRIBUTES: Final = {field: attribute for attribute, field in _PAYLOAD.items()}
_KNOWN: Final = frozenset(_CANONICAL) | _ALTERNATE_NAMES | frozenset(_PAYLOAD)


def read(attributes: Attributes) -> dict[str, Any]:
    """Return the fields of :class:`Span` that the attributes give, and take these out of the map.

    ``attributes`` is changed: an attribute leaves it if its column alone restores it, name, value
    and type. One that is usable in another type (a count sent as a string) fills its column and
    stays; one that is not usable (a negative count) only stays. So ``Span(attributes=attributes,
    **read(attributes))`` has everything, and :func:`restore` gives back what was there.

    The texts must be storable already (:mod:`observatory_store.rows.text`).
    """
    if _KNOWN.isdisjoint(attributes):
        return {}
    found: dict[str, Any] = {}
    others: list[str] = []
    for name in _KNOWN.intersection(attributes):
        field = _CANONICAL.get(name)
        if field is None:
            others.append(name)
            continue
        attribute = attributes[name]
        value = field.convert(attribute)
        if value is not None:
            found[field.column] = value
            if value is attribute or field.is_exact(value, attribute):
                del attributes[name]
    if others:
        _read_payload(attributes, found, others)
        if not _ALTERNATE_NAMES.isdisjoint(others):
            _read_alternates(attributes, found)
    if _is_inference(found):
        found["is_inference"] = True
    return found


def restore(span: Span) -> Attributes:
    """Return all attributes of a span: its own, and those that its LLM columns stand for.

    What is derived (``cost_usd``, ``price_ref``, ``is_inference``) or belongs to the resource
    (``environment``) gives no attribute.
    """
    explained = read(dict(span.attributes))
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
    restored.update(span.attributes)
    return restored


def canonical_attribute(column: str) -> str:
    """Return the name of the attribute that fills a column, or a field of the payload, first."""
    field = _CANONICAL_OF_COLUMN.get(column)
    return field.attribute if field is not None else _PAYLOAD_ATTRIBUTES[column]


def _read_alternates(attributes: Attributes, found: dict[str, Any]) -> None:
    for column, fields in _ALTERNATES.items():
        for field in fields:
            if field.attribute not in attributes:
                continue
            value = field.convert(attributes[field.attribute])
            if value is None:
                continue
            if column not in found:
                found[column] = value
            elif found[column] == value:
                # `restore` takes a column that a remaining attribute explains as filled by that
                # one, so the canonical attribute has to remain too.
                canonical = _CANONICAL_OF_COLUMN[column]
                attributes.setdefault(canonical.attribute, canonical.attribute_of(value))
            break


def _read_payload(attributes: Attributes, found: dict[str, Any], names: Iterable[str]) -> None:
    fields: dict[str, Any] = {}
    structured: list[str] = []
    for name in names:
        field = _PAYLOAD.get(name)
        if field is None:
            continue
        value = attributes.pop(name)
        if type(value) is str:
            fields[field] = value
        else:
            fields[field] = encode(value).decode()
            structured.append(field)
    if fields:
        found["payload"] = Payload(structured=tuple(sorted(structured)), **fields)


def _is_inference(found: dict[str, Any]) -> bool:
    return is_inference(
        found.get("operation"),
        found.get("response_model") or found.get("request_model"),
        found.get("input_tokens", found.get("output_tokens")),
    )
