"""A log record."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property

import msgspec

from observatory_store.rows.attributes import Attributes, AttributeValue, to_json
from observatory_store.rows.resource import NO_RESOURCE, Resource, content_hash

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One row of ``logs``, but for its ordinal, which the writer counts."""

    time: datetime
    """When it happened, or, where the sender did not know, when it was observed."""
    time_nanos: int = 0
    time_is_observed: bool = False
    observed_time: datetime | None = None
    observed_nanos: int = 0
    severity_number: int = 0
    severity_text: str = ""
    body: AttributeValue = None
    event_name: str = ""
    trace_id: str | None = None
    span_id: str | None = None
    flags: int = 0
    attributes: Attributes = {}
    dropped_attributes_count: int = 0
    service_name: str = ""
    resource: Resource = NO_RESOURCE

    @cached_property
    def content_hash(self) -> int:
        """Content hash of everything, with the resource: what makes a replay harmless."""
        return content_hash(
            [
                self.resource.resource_id,
                self.service_name,
                _instant(self.time),
                self.time_nanos,
                self.time_is_observed,
                None if self.observed_time is None else _instant(self.observed_time),
                self.observed_nanos,
                self.severity_number,
                self.severity_text,
                to_json(self.body),
                self.event_name,
                self.trace_id,
                self.span_id,
                self.flags,
                to_json(self.attributes),
                self.dropped_attributes_count,
            ]
        )


def _instant(time: datetime) -> tuple[int, int, int]:
    """Return what is equal for equal times, whatever their zones."""
    since = time - _EPOCH
    return since.days, since.seconds, since.microseconds
