"""What was stored is found again: by id, by filter, page by page, and by nobody else."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from observatory_store import (
    Event,
    Link,
    LogFilter,
    Page,
    Payload,
    PointFilter,
    Span,
    SpanFilter,
    Store,
    TimeRange,
    TraceFilter,
    TraceSummary,
)
from observatory_store.errors import InvalidCursorError, InvalidInputError
from observatory_store.pricing import Price, Usage
from observatory_store.repositories import spans as spans_module
from storage.samples import GATEWAY, RECENT, SEARCH, log, now, point, span, traffic

# To its end also where a run takes hours.
TODAY = TimeRange(RECENT - timedelta(days=1), RECENT + timedelta(days=1))


class NoPrices:
    """Knows no price, so that costs stay what the samples say."""

    def price(self, usage: Usage) -> Price | None:
        """Return None."""
        del usage
        return None


async def pages(
    fetch: Callable[[str | None], Awaitable[Page[Any]]],
) -> list[Any]:
    """Return the items of all pages."""
    items: list[Any] = []
    cursor: str | None = None
    while True:
        page = await fetch(cursor)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items


async def test_a_span_comes_back_as_it_went_in(database_url: str) -> None:
    """Every field survives: nanoseconds, types of attributes, NaN, empty values, payloads."""
    sent = span(
        1,
        parent_span_id="00000000000000aa",
        start_time=now() - timedelta(microseconds=123456),
        start_nanos=789,
        duration_us=987654321,
        duration_nanos=999,
        kind="producer",
        status="error",
        status_message="boom",
        trace_state="a=b",
        flags=2**32 - 1,
        dropped_attributes_count=2**32 - 1,
        dropped_events_count=2,
        dropped_links_count=3,
        response_model="gpt-4o-2024-08-06",
        response_id="r",
        cache_read_tokens=1,
        cache_write_tokens=2,
        reasoning_tokens=3,
        input_audio_tokens=4,
        output_audio_tokens=5,
        input_image_tokens=6,
        output_image_tokens=7,
        web_search_requests=8,
        service_tier="flex",
        price_ref="p",
        sent_cost_usd=Decimal("0.25"),
        usage_conflict="c",
        time_to_first_token_ms=0.1,
        finish_reasons=("stop", ""),
        streaming=False,
        temperature=0.1,
        top_p=1e-9,
        max_tokens=0,
        user_id="u",
        session_id="s",
        agent_name="a",
        tool_name="t",
        tags=("k=v",),
        api_key_id=7,
        deployment="d",
        attributes={
            "int": 1,
            "double": 1.0,
            "long": 2**63 - 1,
            "huge": 1e300,
            "negative zero": -0.0,
            "infinity": -math.inf,
            "bytes": b"\0\xff",
            "none": None,
            "empty": "",
            "list": [1, 1.0, [], {}, None, {"$x": b""}],
            "$odd": {"$double": "text"},
            "unicode": "\u2028é𝄞",
        },
        events=(
            Event(time_unix_nano=2**64 - 1, name="e", attributes={"a": 1.5}),
            Event(time_unix_nano=0, dropped_attributes_count=4),
        ),
        links=(
            Link(
                trace_id="f" * 32,
                span_id="e" * 16,
                trace_state="x=y",
                attributes={"b": b"b"},
                dropped_attributes_count=1,
                flags=0x300,
            ),
        ),
        payload=Payload(input_messages="[]", tool_result="", structured=("input_messages",)),
    )
    async with Store.open(database_url) as store:
        await store.write_spans([sent, span(2, attributes={"nan": math.nan})])
        trace = await store.traces.get(sent.trace_id)
        other = await store.traces.get(f"{2:032X}")
    assert trace is not None
    assert other is not None
    (got,) = trace.spans
    assert msgspec.structs.asdict(got) == msgspec.structs.asdict(sent)
    assert math.copysign(1, got.attributes["negative zero"]) == -1  # type: ignore[arg-type]
    assert type(got.attributes["double"]) is float
    assert type(got.attributes["int"]) is int
    assert math.isnan(other.spans[0].attributes["nan"])  # type: ignore[arg-type]


async def _spans(store: Store, where: SpanFilter, cursor: str | None) -> Page[Span]:
    return await store.spans.list(TODAY, where, limit=37, cursor=cursor)


async def _traces(
    store: Store, range_: TimeRange, where: TraceFilter, cursor: str | None
) -> Page[TraceSummary]:
    return await store.traces.list(range_, where, limit=11, cursor=cursor)


SPAN_FILTERS: list[tuple[SpanFilter, Callable[[Span], bool]]] = [
    (SpanFilter(service="search"), lambda s: s.service_name == "search"),
    (SpanFilter(name="embed"), lambda s: s.name == "embed"),
    (SpanFilter(status="error"), lambda s: s.status == "error"),
    (SpanFilter(operation="chat"), lambda s: s.operation == "chat"),
    (SpanFilter(model="gpt-4o"), lambda s: (s.response_model or s.request_model) == "gpt-4o"),
    (SpanFilter(provider="anthropic"), lambda s: s.provider == "anthropic"),
    (SpanFilter(user="ann"), lambda s: s.user_id == "ann"),
    (SpanFilter(session="s1"), lambda s: s.session_id == "s1"),
    (SpanFilter(environment="test"), lambda s: s.environment == "test"),
    (SpanFilter(min_duration_ms=5000), lambda s: s.duration_us >= 5_000_000),
    (SpanFilter(min_cost=Decimal("0.05")), lambda s: (s.cost_usd or 0) >= Decimal("0.05")),
    (
        SpanFilter(user="bob", status="error", service="gateway"),
        lambda s: (s.user_id, s.status, s.service_name) == ("bob", "error", "gateway"),
    ),
]


async def test_span_filters_find_exactly_what_they_say(database_url: str) -> None:
    """Each filter, alone and together, gives all that matches and nothing else, page by page."""
    spans = traffic(300)
    async with Store.open(database_url) as store:
        await store.write_spans(spans)
        for where, matches in SPAN_FILTERS:
            found = await pages(partial(_spans, store, where))
            expected = sorted(
                filter(matches, spans),
                key=lambda s: (s.start_time, s.trace_id, s.span_id),
                reverse=True,
            )
            assert [one.span_id for one in found] == [one.span_id for one in expected], where


async def test_tags_and_attributes_are_filters(database_url: str) -> None:
    """A label or an attribute finds its spans and their traces; a quote in it is only text."""
    odd = 'it\'s "odd" {} %s $1'
    async with Store.open(database_url) as store:
        await store.write_spans(
            [
                span(1, tags=("team=a", "tier=1"), attributes={"http.status": 200, "q": odd}),
                span(2, tags=("team=a",), attributes={"http.status": 500}),
                span(3, attributes={odd: True}),
            ]
        )

        async def found(**fields: Any) -> tuple[list[int], list[int]]:
            by_span = await store.spans.list(TODAY, SpanFilter(**fields))
            by_trace = await store.traces.list(TODAY, TraceFilter(**fields))
            return (
                sorted(int(one.span_id, 16) for one in by_span.items),
                sorted(int(one.trace_id, 16) for one in by_trace.items),
            )

        assert await found(tags=("team=a",)) == ([1, 2], [1, 2])
        assert await found(tags=("team=a", "tier=1")) == ([1], [1])
        assert await found(attributes=(("http.status", "500"),)) == ([2], [2])
        assert await found(attributes=(("q", odd), ("http.status", "200"))) == ([1], [1])
        assert await found(attributes=((odd, "true"),)) == ([3], [3])
        assert await found(tags=("team=a",), attributes=((odd, "true"),)) == ([], [])


TRACE_FILTERS: list[tuple[TraceFilter, Callable[[TraceSummary], bool]]] = [
    (TraceFilter(service="search"), lambda t: t.service_name == "search"),
    (TraceFilter(name="chat"), lambda t: t.root_name == "chat"),
    (TraceFilter(status="error"), lambda t: t.error_count > 0),
    (TraceFilter(status="ok"), lambda t: t.error_count == 0),
    (TraceFilter(model="gpt-4o"), lambda t: "gpt-4o" in t.models),
    (TraceFilter(provider="anthropic"), lambda t: "anthropic" in t.providers),
    (TraceFilter(user="ann"), lambda t: t.user_id == "ann"),
    (TraceFilter(session="s1"), lambda t: t.session_id == "s1"),
    (TraceFilter(environment="test"), lambda t: t.environment == "test"),
    (TraceFilter(min_duration_ms=10_000), lambda t: t.duration_us >= 10_000_000),
    (TraceFilter(min_cost=Decimal("0.1")), lambda t: t.cost_usd >= Decimal("0.1")),
]


async def test_trace_filters_find_exactly_what_they_say(database_url: str) -> None:
    """Each filter gives the traces that match as a whole, also over midnight, page by page."""
    wide = TimeRange(now() - timedelta(days=3), now() + timedelta(hours=1))
    async with Store.open(database_url) as store:
        await store.write_spans(traffic(300, over=timedelta(days=2)))
        everything = await pages(lambda cursor: store.traces.list(wide, limit=7, cursor=cursor))
        assert len({one.trace_id for one in everything}) == len(everything) > 50
        starts = [one.start_time for one in everything]
        assert starts == sorted(starts, reverse=True)
        for where, matches in TRACE_FILTERS:
            found = await pages(partial(_traces, store, wide, where))
            assert found == list(filter(matches, everything)), where
        middle = everything[len(everything) // 2].start_time
        late = await store.traces.list(TimeRange(middle, wide.end), limit=1000)
        early = await store.traces.list(TimeRange(wide.start, middle), limit=1000)
        assert late.items + early.items == everything


async def test_pages_are_complete_under_equal_times(database_url: str) -> None:
    """Rows of one instant are neither repeated nor skipped where a page ends between them."""
    instant = now() - timedelta(minutes=1)
    async with Store.open(database_url) as store:
        await store.write_spans([span(n, start_time=instant) for n in range(1, 41)])
        await store.write_logs([log(str(n), time=instant) for n in range(40)])
        await store.write_points(
            [point(series=str(n), time=instant, time_nanos=k) for n in range(8) for k in range(5)]
        )
        spans = await pages(lambda c: store.spans.list(TODAY, limit=7, cursor=c))
        traces = await pages(lambda c: store.traces.list(TODAY, limit=7, cursor=c))
        logs = await pages(lambda c: store.logs.list(TODAY, limit=7, cursor=c))
        points = await pages(lambda c: store.metrics.points("requests", TODAY, limit=7, cursor=c))
    assert len({one.span_id for one in spans}) == len(spans) == 40
    assert len({one.trace_id for one in traces}) == len(traces) == 40
    assert len({one.body for one in logs}) == len(logs) == 40
    assert len({(one.series.series_id, one.time_nanos) for one in points}) == len(points) == 40


async def test_logs_are_filtered(database_url: str) -> None:
    """By service, severity, event, trace, span and attribute."""
    trace, span_id = "a" * 32, "b" * 16
    async with Store.open(database_url) as store:
        await store.write_logs(
            [
                log("plain"),
                log("error", severity_number=17, resource=SEARCH, service_name="search"),
                log("event", event_name="exception", attributes={"k": "v"}),
                log("traced", trace_id=trace, span_id=span_id),
            ]
        )

        async def found(**fields: Any) -> list[Any]:
            page = await store.logs.list(TODAY, LogFilter(**fields))
            return sorted(str(one.body) for one in page.items)

        assert len(await found()) == 4
        assert await found(service="search") == ["error"]
        assert await found(min_severity=10) == ["error"]
        assert await found(event="exception") == ["event"]
        assert await found(trace_id=trace.upper()) == ["traced"]
        assert await found(span_id=span_id) == ["traced"]
        assert await found(attributes=(("k", "v"),)) == ["event"]
        with pytest.raises(InvalidInputError, match="32 hex digits"):
            await found(trace_id="xyz")


async def test_metrics_are_listed_and_their_points_filtered(database_url: str) -> None:
    """The catalogue by prefix; the points by service and attribute, in order of time."""
    async with Store.open(database_url) as store:
        first = point()
        other_metric = msgspec.structs.replace(first.series.metric, name="latency", unit="s")
        other = msgspec.structs.replace(first.series, metric=other_metric)
        await store.write_points(
            [
                *(point(n, time=first.time - timedelta(seconds=n)) for n in range(5)),
                *(point(n, series="b", time=first.time - timedelta(seconds=n)) for n in range(5)),
                point(series=other.metric.name, value_double=1.0),
                msgspec.structs.replace(first, series=other),
            ]
        )
        names = [one.name for one in await pages(lambda c: store.metrics.list(limit=1, cursor=c))]
        assert names == ["latency", "requests"]
        assert [one.unit for one in (await store.metrics.list(prefix="lat")).items] == ["s"]
        where = PointFilter(service="gateway", attributes=(("series", "b"),))
        found = (await store.metrics.points("requests", TODAY, where)).items
        assert [one.value_double for one in found] == [4.0, 3.0, 2.0, 1.0, 0.0]
        assert {one.series.resource.service_name for one in found} == {"gateway"}
        assert (await store.metrics.points("requests", TODAY, PointFilter(service="x"))).items == []
        assert (await store.metrics.points("nothing", TODAY)).items == []


async def test_usage_is_grouped_filtered_and_binned(database_url: str) -> None:
    """Sums by any of the dimensions and intervals agree with the spans."""
    spans = [one for one in traffic(400) if one.is_inference]
    async with Store.open(database_url, pricer=NoPrices()) as store:
        await store.write_spans(spans)
        (total,) = await store.analytics.usage(TODAY.start, TODAY.end)
        assert total.requests == len(spans)
        assert total.cost_usd == sum(one.cost_usd or 0 for one in spans)
        assert total.unpriced_requests == sum(
            one.cost_usd is None and (one.status != "error" or bool(one.input_tokens))
            for one in spans
        )
        assert (total.bucket, total.model, total.service) == (None, None, None)

        rows = await store.analytics.usage(
            TODAY.start, TODAY.end, group_by=["model", "service"], interval="1h"
        )
        assert sum(row.requests for row in rows) == len(spans)
        assert all(row.bucket is not None and row.bucket.minute == 0 for row in rows)
        assert {row.service for row in rows} == {"gateway", "search"}
        assert {row.provider for row in rows} == {None}

        (one,) = await store.analytics.usage(
            TODAY.start, TODAY.end, provider="openai", service="search", model="gpt-4o"
        )
        assert one.requests == sum(
            (s.provider, s.service_name) == ("openai", "search") for s in spans
        )
        with pytest.raises(InvalidInputError, match="none of provider, model"):
            await store.analytics.usage(TODAY.start, TODAY.end, group_by=["user; DROP TABLE"])
        with pytest.raises(InvalidInputError, match="interval"):
            await store.analytics.usage(TODAY.start, TODAY.end, interval="7m")


async def test_one_project_reads_nothing_of_another(database_url: str) -> None:
    """Not by id, not by a cursor, not by any filter, not in the sums."""
    async with Store.open(database_url) as mine:
        await mine.projects.create("theirs")
        async with Store.open(database_url, project="theirs") as theirs:
            await mine.write_spans([span(n) for n in range(1, 20)])
            await mine.write_logs([log(str(n)) for n in range(20)])
            await mine.write_points([point(series=str(n)) for n in range(20)])
            spans = await mine.spans.list(TODAY, limit=5)
            logs = await mine.logs.list(TODAY, limit=5)
            points = await mine.metrics.points("requests", TODAY, limit=5)
            traces = await mine.traces.list(TODAY, limit=5)

            assert await theirs.traces.get(f"{1:032x}") is None
            assert (await theirs.metrics.list()).items == []
            assert await theirs.analytics.usage(TODAY.start, TODAY.end) == []
            for cursor in (None, spans.next_cursor):
                assert (await theirs.spans.list(TODAY, cursor=cursor)).items == []
            for cursor in (None, logs.next_cursor):
                assert (await theirs.logs.list(TODAY, cursor=cursor)).items == []
            for cursor in (None, points.next_cursor):
                assert (await theirs.metrics.points("requests", TODAY, cursor=cursor)).items == []
            for cursor in (None, traces.next_cursor):
                assert (await theirs.traces.list(TODAY, cursor=cursor)).items == []

            # The same ids in the other project are other spans.
            await theirs.write_spans([span(1, name="theirs")])
            trace = await theirs.traces.get(f"{1:032x}")
            assert trace is not None
            assert [one.name for one in trace.spans] == ["theirs"]
            mine_again = await mine.traces.get(f"{1:032x}")
            assert mine_again is not None
            assert [one.resource for one in mine_again.spans] == [GATEWAY]


@pytest.mark.editions("postgres")
async def test_wrong_questions_get_clear_errors(database_url: str) -> None:
    """A limit over the maximum, an empty range, a foreign cursor: errors, never a clamp."""
    async with Store.open(database_url) as store:
        await store.write_spans([span(n) for n in range(1, 4)])
        for limit in (0, 1001, -1):
            with pytest.raises(InvalidInputError, match="limit must be from 1 to 1000"):
                await store.spans.list(TODAY, limit=limit)
        with pytest.raises(InvalidInputError, match="time zone"):
            TimeRange(datetime(2026, 1, 1), datetime(2026, 1, 2))  # noqa: DTZ001
        with pytest.raises(InvalidInputError, match="empty"):
            TimeRange(TODAY.end, TODAY.start)
        with pytest.raises(InvalidInputError, match="32 hex digits"):
            await store.traces.get("abc")
        cursor = (await store.spans.list(TODAY, limit=1)).next_cursor
        assert cursor is not None
        for bad in ("", "x", "!!!!", cursor[:-3], cursor[2:], "bnVsbA", "W10", "WyJhIl0"):
            with pytest.raises(InvalidCursorError):
                await store.spans.list(TODAY, cursor=bad)
        with pytest.raises(InvalidCursorError, match="other conditions"):
            await store.spans.list(TODAY, SpanFilter(user="x"), cursor=cursor)
        with pytest.raises(InvalidCursorError, match="other conditions"):
            await store.traces.list(TODAY, cursor=cursor)


async def test_a_trace_has_so_many_bytes_of_payloads(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trace of a thousand long prompts must not fill a reader's memory, nor seem whole."""
    monkeypatch.setattr(spans_module, "MOST_PAYLOAD_BYTES", 10_000)
    async with Store.open(database_url) as store:
        for count, size, given in ((2, 4000, 2), (5, 4000, 2), (2, 11_000, 1)):
            trace_id = f"{count * size:032x}"
            await store.write_spans(
                [
                    span(
                        n,
                        trace_id=trace_id,
                        start_time=RECENT + timedelta(seconds=n),
                        payload=Payload(input_messages="x" * size),
                    )
                    for n in range(1, count + 1)
                ]
            )
            trace = await store.traces.get(trace_id)
            assert trace is not None
            payloads = [one.payload is not None for one in trace.spans]
            assert payloads == [True] * given + [False] * (count - given)
            assert trace.truncated == (given < count)
