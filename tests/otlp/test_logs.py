"""Log records: their times, ids, and what makes a replay of them harmless."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from observatory_store.otlp import Decoded, MediaType, decode_logs
from observatory_store.rows import LogRecord

TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def _json(*records: Any, service: str = "s") -> Decoded[LogRecord]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    entry = {"resource": resource, "scopeLogs": [{"logRecords": records}]}
    return decode_logs(msgspec.json.encode({"resourceLogs": [entry]}), MediaType.JSON)


def test_time() -> None:
    """Otherwise a record without a time of its own is lost, or its times are mixed up."""
    (record,) = _json({"timeUnixNano": "1001", "observedTimeUnixNano": "2002"}).rows
    assert (record.time, record.time_nanos) == (datetime(1970, 1, 1, 0, 0, 0, 1, UTC), 1)
    assert (record.observed_time, record.observed_nanos) == (
        datetime(1970, 1, 1, 0, 0, 0, 2, UTC),
        2,
    )
    assert not record.time_is_observed
    (record,) = _json({"observedTimeUnixNano": "2002"}).rows
    assert record.time == record.observed_time
    assert record.time_nanos == record.observed_nanos == 2
    assert record.time_is_observed
    (record,) = _json({"timeUnixNano": "1001"}).rows
    assert record.observed_time is None


def test_no_time() -> None:
    """Otherwise a time of ours makes a replayed record a second one."""
    decoded = _json({}, {"timeUnixNano": 1})
    assert (len(decoded.rows), decoded.rejected) == (1, 1)
    assert "observedTimeUnixNano" in decoded.problems[0]


@pytest.mark.parametrize("bad", ["", "0" * 32, "zz", TRACE_ID + "00", TRACE_ID[:30] + "zz"])
def test_invalid_ids_are_absent(bad: str) -> None:
    """Otherwise a log line is lost for an id that OTLP says to ignore."""
    decoded = _json({"timeUnixNano": 1, "traceId": bad, "spanId": bad})
    (record,) = decoded.rows
    assert (record.trace_id, record.span_id, decoded.rejected) == (None, None, 0)
    (record,) = _json({"timeUnixNano": 1, "traceId": TRACE_ID.upper(), "spanId": SPAN_ID}).rows
    assert (record.trace_id, record.span_id) == (TRACE_ID, SPAN_ID)


@pytest.mark.parametrize("number", [-1, 25, 40_000, 2**31 - 1])
def test_unknown_severity(number: int) -> None:
    """Otherwise a number that no column holds costs the batch."""
    decoded = _json({"timeUnixNano": 1, "severityNumber": number})
    assert decoded.rows[0].severity_number == 0
    assert "severity" in decoded.problems[0]


RECORD = {
    "timeUnixNano": "1000",
    "observedTimeUnixNano": "2000",
    "severityNumber": 9,
    "severityText": "INFO",
    "body": {"stringValue": "hello"},
    "attributes": [{"key": "a", "value": {"intValue": 1}}],
    "droppedAttributesCount": 1,
    "flags": 1,
    "traceId": TRACE_ID,
    "spanId": SPAN_ID,
    "eventName": "e",
}


def test_identical_records() -> None:
    """Otherwise two equal lines become one, or a replayed request doubles its lines."""
    decoded = _json(RECORD, RECORD, RECORD | {"flags": 2}, RECORD)
    hashes = [record.content_hash for record in decoded.rows]
    assert hashes[0] == hashes[1] == hashes[3] != hashes[2]
    assert _json(RECORD, RECORD, RECORD | {"flags": 2}, RECORD) == decoded
    assert all(-(2**63) <= each < 2**63 for each in hashes)


@pytest.mark.parametrize(
    "change",
    [
        {"timeUnixNano": "1001"},
        {"timeUnixNano": 0},
        {"observedTimeUnixNano": "2001"},
        {"severityNumber": 10},
        {"severityText": "info"},
        {"body": {"bytesValue": "aGVsbG8="}},
        {"body": {}},
        {"attributes": [{"key": "a", "value": {"doubleValue": 1}}]},
        {"attributes": [{"key": "a", "value": {"boolValue": True}}]},
        {"attributes": []},
        {"droppedAttributesCount": 2},
        {"flags": 3},
        {"traceId": None},
        {"spanId": SPAN_ID[::-1]},
        {"eventName": ""},
    ],
)
def test_hash_covers_everything(change: dict[str, Any]) -> None:
    """Otherwise a different record is taken for a replay, and dropped."""
    first, second = _json(RECORD, RECORD | change).rows
    assert first.content_hash != second.content_hash


def test_hash_covers_the_resource() -> None:
    """Otherwise two services that log the same line at the same time have one of them."""
    (first,) = _json(RECORD, service="a").rows
    (second,) = _json(RECORD, service="b").rows
    assert first.content_hash != second.content_hash


def test_hash_ignores_the_order_of_attributes() -> None:
    """Otherwise a collector that reorders attributes on a retry doubles the record."""
    pairs = [{"key": key, "value": {"intValue": 1}} for key in "ab"]
    (first,) = _json(RECORD | {"attributes": pairs}).rows
    (second,) = _json(RECORD | {"attributes": pairs[::-1]}).rows
    assert first.content_hash == second.content_hash
