"""What OTLP JSON documents of every signal are made of.

The mapping is protobuf's JSON mapping with the differences of the OTLP specification, "JSON
Protobuf Encoding": ids in hex, enums as integers. Fields with their default value are left out.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from observatory_store.otlp.signal import JSON_NAMES, Signal
from observatory_store.rows.resource import content_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from observatory_store.rows import Attributes, AttributeValue, Resource

Document: TypeAlias = dict[str, Any]

Row = TypeVar("Row")


def any_value(value: AttributeValue) -> Document:  # noqa: PLR0911 - one for each type
    """Return an ``AnyValue``."""
    match value:
        case None:
            return {}
        case str():
            return {"stringValue": value}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": double(value)}
        case bytes():
            return {"bytesValue": base64.b64encode(value).decode("ascii")}
        case list():
            return {"arrayValue": {"values": [any_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": key_values(value)}}


def key_values(attributes: Attributes) -> list[Document]:
    """Return a list of ``KeyValue``."""
    return [{"key": key, "value": any_value(value)} for key, value in attributes.items()]


def double(value: float) -> float | str:
    """Return a double; NaN and the infinities are strings."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def set_fields(fields: Document) -> Document:
    """Return the fields that have another value than their default."""
    return {name: value for name, value in fields.items() if value not in (0, "", None, [], {})}


def group(
    signal: Signal,
    rows: Iterable[Row],
    resource_of: Callable[[Row], Resource],
    encode: Callable[[list[Row]], list[Document]],
) -> Document:
    """Return a document of rows by resource and scope, each in the order of its first row."""
    names = JSON_NAMES[signal]
    by_scope: dict[int, tuple[Resource, list[Row]]] = {}
    for row in rows:
        resource = resource_of(row)
        by_scope.setdefault(resource.resource_id, (resource, []))[1].append(row)
    entries: dict[int, Document] = {}
    for resource, members in by_scope.values():
        entry = _entry(resource)
        entry = entries.setdefault(content_hash(entry), {**entry, names.scopes: []})
        entry[names.scopes].append({**_scope_entry(resource), names.records: encode(members)})
    return {names.entries: list(entries.values())}


def _entry(resource: Resource) -> Document:
    return set_fields(
        {
            "resource": set_fields(
                {
                    "attributes": key_values(resource.attributes),
                    "droppedAttributesCount": resource.dropped_attributes_count,
                    "entityRefs": [_entity_ref(entity) for entity in resource.entity_refs],
                }
            ),
            "schemaUrl": resource.schema_url,
        }
    )


def _entity_ref(entity: dict[str, Any]) -> Document:
    return set_fields(
        {
            "schemaUrl": entity.get("schema_url"),
            "type": entity.get("type"),
            "idKeys": entity.get("id_keys"),
            "descriptionKeys": entity.get("description_keys"),
        }
    )


def _scope_entry(resource: Resource) -> Document:
    return set_fields(
        {
            "scope": set_fields(
                {
                    "name": resource.scope_name,
                    "version": resource.scope_version,
                    "attributes": key_values(resource.scope_attributes),
                    "droppedAttributesCount": resource.scope_dropped_attributes_count,
                }
            ),
            "schemaUrl": resource.scope_schema_url,
        }
    )
