"""Who produced the telemetry: an OTLP resource together with an instrumentation scope."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import msgspec

from observatory_store.rows.attributes import Attributes, to_json


class Resource(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A resource and a scope: one row of ``resources`` for each distinct pair."""

    attributes: Attributes = {}
    dropped_attributes_count: int = 0
    schema_url: str = ""
    entity_refs: list[dict[str, Any]] = []
    scope_name: str = ""
    scope_version: str = ""
    scope_attributes: Attributes = {}
    scope_dropped_attributes_count: int = 0
    scope_schema_url: str = ""

    @cached_property
    def resource_id(self) -> int:
        """Content hash: equal content has the equal id, in any process, on any day."""
        return content_hash(to_json(msgspec.structs.asdict(self)))

    @cached_property
    def service_name(self) -> str:
        """``service.name``, or empty when the sender gave none."""
        return text_attribute(self.attributes, "service.name") or ""

    @cached_property
    def environment(self) -> str | None:
        """``deployment.environment.name``, under its present or its former name."""
        return text_attribute(self.attributes, "deployment.environment.name") or text_attribute(
            self.attributes, "deployment.environment"
        )


def text_attribute(attributes: Attributes, key: str) -> str | None:
    """Return the attribute if it is a string that is not empty."""
    value = attributes.get(key)
    return value if isinstance(value, str) and value else None


_canonical = msgspec.json.Encoder(order="deterministic")


def content_hash(document: Any) -> int:  # noqa: ANN401 - a JSON document
    """Return a signed 64-bit hash of a JSON document, whatever the order of its keys."""
    digest = hashlib.blake2b(_canonical.encode(document), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


NO_RESOURCE = Resource()
