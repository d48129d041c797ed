"""Who produced the telemetry."""

from __future__ import annotations

from typing import Any

from observatory_store import rows
from observatory_store.api.answers.base import Answer, TaggedMap
from observatory_store.rows.attributes import to_json


class Scope(Answer):
    """An OTLP instrumentation scope."""

    name: str
    version: str
    attributes: TaggedMap
    dropped_attributes_count: int
    schema_url: str


class Resource(Answer):
    """An OTLP resource, with the scope that the telemetry came through."""

    attributes: TaggedMap
    dropped_attributes_count: int
    schema_url: str
    entity_refs: list[dict[str, Any]]
    scope: Scope


class Resources:
    """Makes each distinct resource of an answer once."""

    def __init__(self) -> None:
        self._made: dict[int, Resource] = {}

    def of(self, row: rows.Resource) -> Resource:
        """Return the resource of a row."""
        made = self._made.get(id(row))
        if made is None:
            made = self._made[id(row)] = _resource(row)
        return made


def _resource(row: rows.Resource) -> Resource:
    return Resource(
        attributes=to_json(row.attributes),
        dropped_attributes_count=row.dropped_attributes_count,
        schema_url=row.schema_url,
        entity_refs=row.entity_refs,
        scope=Scope(
            name=row.scope_name,
            version=row.scope_version,
            attributes=to_json(row.scope_attributes),
            dropped_attributes_count=row.scope_dropped_attributes_count,
            schema_url=row.scope_schema_url,
        ),
    )
