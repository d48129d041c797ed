"""Resource and scope of a batch, as a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from observatory_store.rows import Resource

if TYPE_CHECKING:
    from observatory_store.otlp.reader import Message, Reader


def read_resource(entry: Message, scope_entry: Message, reader: Reader) -> Resource:
    """Return the resource of an entry together with the scope of a scope entry.

    Raises ``InvalidRecordError`` if an attribute of either cannot be stored.
    """
    text = reader.text
    resource, scope = entry.resource, scope_entry.scope
    return Resource(
        attributes=reader.attributes(resource.attributes),
        dropped_attributes_count=resource.dropped_attributes_count,
        schema_url=text(entry.schema_url),
        entity_refs=[
            {
                "schema_url": text(entity.schema_url),
                "type": text(entity.type),
                "id_keys": [text(key) for key in entity.id_keys],
                "description_keys": [text(key) for key in entity.description_keys],
            }
            for entity in resource.entity_refs
        ],
        scope_name=text(scope.name),
        scope_version=text(scope.version),
        scope_attributes=reader.attributes(scope.attributes),
        scope_dropped_attributes_count=scope.dropped_attributes_count,
        scope_schema_url=text(scope_entry.schema_url),
    )
