"""Spans: a filtered list, and the rows of one trace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from observatory_store.llm import messages
from observatory_store.repositories.page import (
    Page,
    TimeRange,
    check_limit,
    check_range,
    decode_cursor,
    paginate,
    scope_of,
)
from observatory_store.repositories.scan import MOST_ROWS, Key, first_window, scan, windows
from observatory_store.repositories.session import Session
from observatory_store.repositories.where import Where
from observatory_store.rows import NO_RESOURCE, Event, Link, Payload, Resource, Span
from observatory_store.rows.attributes import decode, decode_map, from_json
from observatory_store.rows.span import SpanStatus
from observatory_store.sql import load

MOST_SPANS = 1000
MOST_PAYLOAD_BYTES = 32 * 1024 * 1024
MOST_MESSAGES_OF_A_TRACE = 10_000
MOST_MESSAGE_BYTES = 8 * 1024 * 1024

_LATEST_LOG = timedelta(minutes=1)
"""How long after a trace's end a log record of it may be dated."""

_SQL = load("reading")
_LEAST = ("0" * 32, "")


class SpanFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which spans; what is None does not matter."""

    service: str | None = None
    name: str | None = None
    status: SpanStatus | None = None
    operation: str | None = None
    model: str | None = None
    """The model that answered, or else the one that was asked for."""
    provider: str | None = None
    user: str | None = None
    session: str | None = None
    agent: str | None = None
    tool: str | None = None
    environment: str | None = None
    tags: tuple[str, ...] = ()
    """Each ``key=value``; all must be there."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Key and text of an attribute that found no column; all must be there."""
    min_duration_ms: float | None = None
    min_cost: Decimal | None = None


class SpanRepository(Session):
    """The spans of one project."""

    async def list(
        self,
        range_: TimeRange,
        where: SpanFilter | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page[Span]:
        """Return spans that start in the range, newest first, without their payloads.

        A call looks at no more than 50,000 spans: a page may be short, or empty, and yet have a
        cursor.

        Raises:
            InvalidInputError: the limit is not from 1 to 1000, the range is over 400 days.
            InvalidCursorError: the cursor is not of this query.

        """
        check_limit(limit, MOST_SPANS)
        check_range(range_)
        where = where or SpanFilter()
        scope = scope_of("spans", range_, where)
        before: Key = (range_.end, *_LEAST)
        if cursor is not None:
            before = tuple(decode_cursor(cursor, scope, datetime, str, str))

        async def floor_of(time: datetime, size: int) -> datetime | None:
            return await self.fetch_time(
                _SQL["floor_of_spans"], self.project_id, range_.start, time, size
            )

        async def between(floor: datetime, before: Key, rows: int) -> Sequence[Any]:
            start, trace_id, span_id = before
            conditions = Where(
                self.project_id, floor, start, trace_id, bytes.fromhex(span_id), rows
            )
            add_span_conditions(conditions, where)
            return await self.fetch(conditions.into(_SQL["list_spans"]), *conditions.arguments)

        found = await scan(
            floor_of,
            between,
            start=range_.start,
            before=before,
            least=_LEAST,
            sizes=windows(first_window(limit, filtered=where != SpanFilter()), MOST_ROWS),
            rows=limit + 1,
        )
        spans = await self._spans(found.records)
        keys = [(span.start_time, span.trace_id, span.span_id) for span in spans]
        return paginate(spans, limit, scope, keys, found.stopped)

    async def of_trace(
        self, trace_id: str, first: datetime, last: datetime, *, limit: int
    ) -> tuple[Sequence[Span], bool]:
        """Return the spans of a trace that start from ``first`` to ``last``, with payloads.

        And whether the later ones lack theirs, because together these have over 32 MiB. What was
        said to a model may have come as log records; then it is read from these.
        """
        arguments = (self.project_id, trace_id, first, last)
        records = await self.fetch(_SQL["spans_of_trace"], *arguments, limit)
        if not records:
            return [], False
        # Not of the spans beyond the limit: there is no end of them, and each may be large.
        arguments = (*arguments[:-1], records[-1]["start_time"])
        span_ids = [record["span_id"] for record in records]
        found = await self.fetch(
            _SQL["payloads_of_trace"], *arguments, span_ids, MOST_PAYLOAD_BYTES
        )
        payloads = {(one["span_id"], one["start_time"]): _payload(one) for one in found}
        lacking = bool(found) and found[0]["all_payloads"] > len(found)
        silent = {
            record["span_id"]
            for record in records
            if record["operation"] is not None
            and _is_silent(payloads.get((record["span_id"], record["start_time"])))
        }
        if silent:
            said = await self._messages(trace_id, first, last, silent)
            for record in records:
                if record["span_id"] in said:
                    key = (record["span_id"], record["start_time"])
                    payloads[key] = _with_messages(payloads.get(key), said[record["span_id"]])
        return await self._spans(records, payloads), lacking

    async def _messages(
        self, trace_id: str, first: datetime, last: datetime, span_ids: Collection[bytes]
    ) -> dict[bytes, Payload]:
        """Return what was said in spans whose messages came as log records."""
        records = await self.fetch(
            _SQL["messages_of_trace"],
            *(self.project_id, trace_id, first, last + _LATEST_LOG),
            *(sorted(span_ids), sorted(messages.EVENT_NAMES)),
            *(MOST_MESSAGES_OF_A_TRACE, MOST_MESSAGE_BYTES),
        )
        of_span: dict[bytes, list[messages.MessageEvent]] = defaultdict(list)
        for record in records:
            body, attributes = record["body"], record["attributes"]
            of_span[record["span_id"]].append(
                (
                    record["name"],
                    decode(body) if body else None,
                    decode_map(attributes) if attributes else {},
                )
            )
        said = {span_id: messages.from_logs(events) for span_id, events in of_span.items()}
        return {span_id: payload for span_id, payload in said.items() if payload is not None}

    async def _spans(
        self, records: Sequence[Any], payloads: dict[Any, Payload] | None = None
    ) -> Sequence[Span]:
        resources = await self.resources(record["resource_id"] for record in records)
        return [
            _span(
                record,
                resources.get(record["resource_id"], NO_RESOURCE),
                (payloads or {}).get((record["span_id"], record["start_time"])),
            )
            for record in records
        ]


def add_span_conditions(conditions: Where, where: SpanFilter) -> None:
    """Add the filter's conditions on a span ``s``."""
    conditions.add_if("s.service_name = {}", where.service)
    conditions.add_if("s.name = {}", where.name)
    conditions.add_if("s.status = {}", where.status)
    conditions.add_if("s.operation = {}", where.operation)
    conditions.add_if("coalesce(s.response_model, s.request_model) = {}", where.model)
    conditions.add_if("s.provider = {}", where.provider)
    conditions.add_if("s.user_id = {}", where.user)
    conditions.add_if("s.session_id = {}", where.session)
    conditions.add_if("s.agent_name = {}", where.agent)
    conditions.add_if("s.tool_name = {}", where.tool)
    conditions.add_if("s.environment = {}", where.environment)
    if where.tags:
        conditions.add("s.tags @> {}::text[]", list(where.tags))
    conditions.add_each("s.attributes ->> {} = {}", where.attributes)
    if where.min_duration_ms is not None:
        conditions.add("s.duration_us >= {}", round(where.min_duration_ms * 1000))
    conditions.add_if("s.cost_usd >= {}", where.min_cost)


_NULLABLE = {
    "status_message": "",
    "trace_state": "",
    "flags": 0,
    "dropped_attributes_count": 0,
    "dropped_events_count": 0,
    "dropped_links_count": 0,
}
_LISTS = ("finish_reasons", "tags")
_CONVERTED = {
    *("span_id", "parent_span_id", "attributes", "events", "links", "resource", "payload"),
    *_NULLABLE,
    *_LISTS,
}
_PLAIN = tuple(name for name in Span.__struct_fields__ if name not in _CONVERTED)


def _span(record: Any, resource: Resource, payload: Payload | None) -> Span:  # noqa: ANN401
    parent = record["parent_span_id"]
    fields: dict[str, Any] = {
        **{name: record[name] for name in _PLAIN},
        **{name: record[name] or empty for name, empty in _NULLABLE.items()},
        **{name: None if record[name] is None else tuple(record[name]) for name in _LISTS},
    }
    return Span(
        **fields,
        span_id=record["span_id"].hex(),
        parent_span_id=parent.hex() if parent else None,
        attributes=decode_map(record["attributes"]) if record["attributes"] else {},
        events=tuple(_event(item) for item in _list(record["events"])),
        links=tuple(_link(item) for item in _list(record["links"])),
        resource=resource,
        payload=payload,
    )


def _is_silent(payload: Payload | None) -> bool:
    return payload is None or (payload.input_messages is None and payload.output_messages is None)


def _with_messages(payload: Payload | None, said: Payload) -> Payload:
    if payload is None:
        return said
    missing = {
        name: getattr(said, name)
        for name in messages.FIELDS
        if getattr(payload, name) is None and getattr(said, name) is not None
    }
    return msgspec.structs.replace(payload, **missing)


def _list(value: bytes | None) -> list[dict[str, Any]]:
    return msgspec.json.decode(value) if value else []


def _event(item: dict[str, Any]) -> Event:
    return Event(**{**item, "attributes": from_json(item.get("attributes", {}))})


def _link(item: dict[str, Any]) -> Link:
    return Link(**{**item, "attributes": from_json(item.get("attributes", {}))})


def _payload(record: Any) -> Payload:  # noqa: ANN401 - asyncpg's Record
    return Payload(
        **{name: record[name] for name in Payload.__struct_fields__ if name != "structured"},
        structured=tuple(record["structured"] or ()),
    )
