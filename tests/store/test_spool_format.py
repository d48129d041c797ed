"""What is written to the spool is read as it was, and damage costs only what it touches."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store import Event, Link, Payload, Resource, Span
from observatory_store.errors import InvalidInputError
from observatory_store.ingest.span_document import decode_span, encode_span
from observatory_store.ingest.spool_format import (
    HEADER,
    MARK,
    Damage,
    decode_records,
    encode_records,
    is_readable,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
COUNTS = st.integers(0, 2**31 - 1)
TEXT = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats() | TEXT | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=4)
HEX = "0123456789abcdef"
TRACE_IDS = st.text(HEX, min_size=32, max_size=32)
SPAN_IDS = st.text(HEX, min_size=16, max_size=16)
NANOS = st.integers(0, 2**64 - 1)
TIMES = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.just(UTC) | st.integers(-23, 23).map(lambda h: timezone(timedelta(hours=h))),
)
Row = TypeVar("Row", bound=msgspec.Struct)


def _rows(row: type[Row], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Row]:
    # Every field is given, so that a new one is missed here and not in a spool.
    assert set(fields) == set(row.__struct_fields__)
    return st.fixed_dictionaries(fields).map(lambda values: row(**values))


RESOURCES = _rows(
    Resource,
    attributes=ATTRIBUTES,
    dropped_attributes_count=COUNTS,
    schema_url=TEXT,
    entity_refs=st.lists(st.dictionaries(TEXT, TEXT, max_size=2), max_size=2),
    scope_name=TEXT,
    scope_version=TEXT,
    scope_attributes=ATTRIBUTES,
    scope_dropped_attributes_count=COUNTS,
    scope_schema_url=TEXT,
)
PAYLOADS = _rows(
    Payload,
    **dict.fromkeys(set(Payload.__struct_fields__) - {"structured"}, st.none() | TEXT),
    structured=st.lists(TEXT, max_size=2).map(tuple),
)
MAYBE_TEXTS = st.none() | st.lists(TEXT, max_size=3).map(tuple)
SPANS = _rows(
    Span,
    trace_id=TRACE_IDS,
    span_id=SPAN_IDS,
    parent_span_id=st.none() | SPAN_IDS,
    start_time=TIMES,
    **dict.fromkeys(
        [
            "start_nanos",
            "duration_us",
            "duration_nanos",
            "flags",
            "dropped_attributes_count",
            "dropped_events_count",
            "dropped_links_count",
        ],
        COUNTS,
    ),
    **dict.fromkeys(["name", "status_message", "service_name", "trace_state", "source"], TEXT),
    kind=st.sampled_from(["internal", "client", "server"]),
    status=st.sampled_from(["unset", "ok", "error"]),
    is_inference=st.booleans(),
    **dict.fromkeys(
        [
            "operation",
            "provider",
            "request_model",
            "response_model",
            "response_id",
            "price_ref",
            "service_tier",
            "usage_conflict",
            "user_id",
            "session_id",
            "agent_name",
            "tool_name",
            "environment",
            "deployment",
        ],
        st.none() | TEXT,
    ),
    **dict.fromkeys(
        [
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "input_audio_tokens",
            "output_audio_tokens",
            "input_image_tokens",
            "output_image_tokens",
            "web_search_requests",
            "max_tokens",
            "api_key_id",
        ],
        st.none() | COUNTS,
    ),
    **dict.fromkeys(["time_to_first_token_ms", "temperature", "top_p"], st.none() | st.floats()),
    **dict.fromkeys(["cost_usd", "sent_cost_usd"], st.none() | st.decimals(allow_nan=False)),
    streaming=st.none() | st.booleans(),
    finish_reasons=MAYBE_TEXTS,
    tags=MAYBE_TEXTS,
    attributes=ATTRIBUTES,
    events=st.lists(
        _rows(
            Event,
            time_unix_nano=NANOS,
            name=TEXT,
            attributes=ATTRIBUTES,
            dropped_attributes_count=COUNTS,
        ),
        max_size=2,
    ).map(tuple),
    links=st.lists(
        _rows(
            Link,
            trace_id=TRACE_IDS,
            span_id=SPAN_IDS,
            trace_state=TEXT,
            attributes=ATTRIBUTES,
            dropped_attributes_count=COUNTS,
            flags=COUNTS,
        ),
        max_size=2,
    ).map(tuple),
    resource=RESOURCES,
    payload=st.none() | PAYLOADS,
)


def exact(value: object) -> object:  # noqa: PLR0911 - one for each type
    """Return what differs wherever a value does, in type, sign, scale or NaN as well."""
    if isinstance(value, msgspec.Struct):
        return type(value), exact(msgspec.structs.asdict(value))
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [exact(item) for item in value]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else (value, math.copysign(1, value))
    if isinstance(value, Decimal):
        return value.as_tuple()
    if isinstance(value, datetime):
        return value, value.utcoffset()
    return type(value), value


@given(SPANS)
def test_a_span_comes_back_exactly(span: Span) -> None:
    """A span that had to wait for the database must be the same when it gets there."""
    assert exact(decode_span(encode_span(span))) == exact(span)


@given(TRACE_IDS, SPAN_IDS, TIMES)
def test_a_span_with_defaults_comes_back_exactly(trace: str, span: str, time: datetime) -> None:
    """Fields at their defaults are not written, and must be there all the same."""
    row = Span(trace_id=trace, span_id=span, start_time=time)
    assert exact(decode_span(encode_span(row))) == exact(row)


@given(st.binary(max_size=60))
def test_no_bytes_are_taken_for_a_span(document: bytes) -> None:
    """A record of another program must not stop the replay by an error of its own."""
    with pytest.raises(InvalidInputError):
        decode_span(document)


@given(
    st.lists(st.binary(max_size=30) | st.just(MARK * 3), max_size=12),
    st.data(),
)
def test_damage_costs_what_it_touches(documents: list[bytes], data: st.DataObject) -> None:
    """A kill, or a bad disk, at any byte: what lies beside is read, and nothing made up."""
    segment = HEADER + encode_records(documents)
    begin = data.draw(st.integers(len(HEADER), len(segment)))
    end = data.draw(st.integers(begin, min(len(segment), begin + 40)))
    torn = segment[:begin] + data.draw(st.binary(max_size=5)) + segment[end:]
    read = list(decode_records(torn))
    found = [one for one in read if isinstance(one, bytes)]

    untouched = []
    position = len(HEADER)
    for document in documents:
        after = position + len(encode_records([document]))
        if after <= begin or position >= end:
            untouched.append(document)
        position = after
    assert Counter(untouched) <= Counter(found) <= Counter(documents)
    # Nothing of it is lost on the way to whoever sets it aside.
    parts = [one.content if isinstance(one, Damage) else encode_records([one]) for one in read]
    assert HEADER + b"".join(parts) == torn


@given(st.lists(st.binary(max_size=30), max_size=5), st.data())
def test_a_torn_tail_is_one_damaged_part(documents: list[bytes], data: st.DataObject) -> None:
    """After kill -9 amid a write, everything written before is read."""
    segment = HEADER + encode_records(documents)
    whole = list(decode_records(segment))
    assert whole == documents
    cut = data.draw(st.integers(0, len(segment)))
    assert is_readable(segment[:cut])
    read = list(decode_records(segment[:cut]))
    intact = [one for one in read if isinstance(one, bytes)]
    assert intact == documents[: len(intact)]
    assert len(read) - len(intact) <= 1
