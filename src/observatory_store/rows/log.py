"""A log record."""

from __future__ import annotations

from datetime import datetime

import msgspec

from observatory_store.rows.attributes import Attributes, AttributeValue
from observatory_store.rows.resource import NO_RESOURCE, Resource


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``logs``.

    ``content_hash`` and ``ordinal`` make a replay harmless: the hash is over the whole record with
    its resource, and the ordinal counts the records of one request that are alike in everything.
    """

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
    content_hash: int = 0
    ordinal: int = 0
    resource: Resource = NO_RESOURCE
