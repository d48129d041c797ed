"""The queries: what they find, how they page, and what they refuse."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from api.telemetry import (
    EVERY_TYPE,
    SECOND,
    everything_in_logs,
    everything_in_metrics,
    everything_in_traces,
    gauge,
    llm_attributes,
    log,
    logs,
    metrics,
    now,
    span,
    traces,
)
from observatory_store.otlp import Signal

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    from api.service import Service

IN_A_YEAR = (datetime.now(UTC) + timedelta(days=365)).strftime("%Y-%m-%dT%H:%M:%S+01:00")
HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")


async def test_a_trace_is_a_tree_with_everything(service: Service) -> None:
    """Otherwise the page that shows a trace would miss a field, or show times rounded."""
    sent = everything_in_traces()
    await service.send(Signal.TRACES, sent)
    root, _ = sent.resource_spans[0].scope_spans[0].spans
    tree = await service.get(f"traces/{root.trace_id.hex().upper()}")
    assert not tree["truncated"]
    first, second = tree["spans"]
    assert [(one["name"], one["depth"]) for one in tree["spans"]] == [
        ("root", 0),
        ("chat gpt-4o", 1),
    ]
    moment = datetime.fromtimestamp(root.start_time_unix_nano // SECOND, UTC)
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{root.start_time_unix_nano % SECOND:09}Z"
    assert first["start_time"] == text
    assert first["end_time"][-4:] == f"{root.end_time_unix_nano % 1000:03}Z"
    assert first["duration_us"] == 2_000_000
    assert first["parent_span_id"] == root.parent_span_id.hex()
    assert (first["status"], first["status_message"]) == ("error", "no luck")
    assert first["attributes"].keys() == EVERY_TYPE.keys()
    assert first["attributes"]["bytes"] == {"$bytes": "AP8="}
    assert first["attributes"]["tagged"] == {"$map": {"$bytes": "no bytes"}}
    assert first["events"][0]["time"].endswith("790Z")
    assert first["links"][0]["flags"] == 0x100
    assert first["resource"]["scope"]["name"] == "tests"
    assert first["payload"] is None
    assert Decimal(second["cost_usd"]) == Decimal("0.0035")
    assert (second["provider"], second["input_tokens"]) == ("openai", 1000)
    assert second["payload"]["input_messages"] == (
        '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
    )
    kept = json.loads(second["payload"]["content_attributes"])
    assert kept["gen_ai.input.messages"] == llm_attributes()["gen_ai.input.messages"]
    summary = tree["summary"]
    assert summary == (await service.get("traces"))["traces"][0]
    assert (summary["root_name"], summary["span_count"], summary["error_count"]) == ("root", 2, 1)
    assert (summary["cost_usd"], summary["models"]) == (second["cost_usd"], ["gpt-4o-2024-08-06"])
    assert (await service.http.get("/api/v1/traces/" + "0" * 32)).status_code == 404
    assert (await service.http.get("/api/v1/traces/xyz")).status_code == 400


@pytest.mark.editions("postgres")
async def test_broken_trees_show_every_span_once(service: Service) -> None:
    """Otherwise one broken sender could hide spans, or keep the service in a loop for ever."""
    trace_id, start = secrets.token_bytes(16), now()

    def one(name: str, parent: str | None, after: int) -> Span:
        ids: dict[str, Any] = {"span_id": name.rjust(8).encode(), "trace_id": trace_id}
        if parent:
            ids["parent_span_id"] = parent.rjust(8).encode()
        return span(name, start_time_unix_nano=start + after, **ids)

    spans = [
        one("root", None, 0),
        one("b", "root", 3),
        one("a", "root", 2),
        one("leaf", "a", 4),
        one("orphan", "missing", 1),
        one("self", "self", 5),
        one("x", "y", 6),
        one("y", "x", 7),
    ]
    chain = [one(f"c{n}", f"c{n - 1}" if n else None, 100 + n) for n in range(2000)]
    await service.send(Signal.TRACES, traces(*spans, *chain))
    found = (await service.get(f"traces/{trace_id.hex()}"))["spans"]
    order = [(one["name"], one["depth"]) for one in found]
    assert order[:5] == [("root", 0), ("a", 1), ("leaf", 2), ("b", 1), ("orphan", 0)]
    assert order[5:-3] == [(f"c{n}", n) for n in range(2000)]
    assert order[-3:] == [("self", 0), ("x", 0), ("y", 1)]


async def test_filters_find_what_they_name_and_nothing_else(service: Service) -> None:
    """Otherwise a search would hide what is there, or answer with what was not asked for."""
    call = span("call", attributes={**llm_attributes(), "k=1": "v=2", "user.id": "ann"})
    call.end_time_unix_nano += SECOND
    status = Status(code=Status.STATUS_CODE_ERROR)
    failed = span("failed", attributes={"k": "v"}, status=status)
    await service.send(Signal.TRACES, traces(call, service="gateway"))
    await service.send(Signal.TRACES, traces(failed, service="other"))
    found: list[dict[str, Any]] = [
        {"service": "gateway"},
        {"name": "call"},
        {"provider": "openai"},
        {"model": "gpt-4o-2024-08-06"},
        {"session": "c1"},
        {"min_duration_ms": 1500},
        {"min_cost": "0.0035"},
        {"from_": HOUR_AGO, "to": IN_A_YEAR, "service": "gateway"},
    ]
    for parameters in found:
        for relation, name in (("traces", "root_name"), ("spans", "name")):
            rows = (await service.get(relation, **parameters))[relation]
            assert [row[name] for row in rows] == ["call"], (relation, parameters)
    for relation, name in (("traces", "root_name"), ("spans", "name")):
        for parameters in ({"status": "error"}, {"attribute": "k=v"}):
            rows = (await service.get(relation, **parameters))[relation]
            assert [row[name] for row in rows] == ["failed"], (relation, parameters)
        nothing: list[dict[str, Any]] = [
            {"min_cost": "0.0036"},
            {"attribute": ["k=v", "k=w"]},
            {"tag": "a=b"},
        ]
        for parameters in nothing:
            assert (await service.get(relation, **parameters))[relation] == []
    rows = (await service.get("spans", operation="chat", status="unset"))["spans"]
    assert [row["name"] for row in rows] == ["call"]
    assert (await service.get("spans", to=HOUR_AGO))["spans"] == []


async def test_words_find_traces_and_logs(service: Service) -> None:
    """Otherwise nobody would find again what a model has said, but by knowing when."""
    said = {**llm_attributes(), "gen_ai.output.messages": "It rains in Lisbon & Rome."}
    await service.send(Signal.TRACES, traces(span("wet", attributes=said), span("dry")))
    await service.send(Signal.LOGS, logs(log("rain in Lisbon"), log("sun")))
    for q in ("lisbon", '"in lisbon" rome', "lisbon & rome", "rains or snows", "rome -paris"):
        found = await service.get("traces", q=q)
        assert [row["root_name"] for row in found["traces"]] == ["wet"], q
    assert (await service.get("traces", q="paris"))["traces"] == []
    assert [row["body"] for row in (await service.get("logs", q="Lisbon"))["logs"]] == [
        "rain in Lisbon"
    ]


async def test_words_in_any_script_are_found_however_they_were_sent(service: Service) -> None:
    """Python's json escapes all letters but those of English; nobody would find the others."""
    said = "Привет из кафе, café 😀 \0"
    messages = json.dumps([{"role": "user", "parts": [{"type": "text", "content": said}]}])
    attributes = {
        **llm_attributes(),
        "gen_ai.input.messages": messages,
        "gen_ai.output.messages": messages.replace("\\ud83d\\ude00", "\\ud83d"),
    }
    await service.send(Signal.TRACES, traces(span("escaped", attributes=attributes)))
    for q in ("café", "Привет", '"из кафе"'):
        found = await service.get("traces", q=q)
        assert [row["root_name"] for row in found["traces"]] == ["escaped"], q
    assert (await service.get("traces", q="u0441"))["traces"] == []


async def test_log_and_point_filters(service: Service) -> None:
    """Otherwise an alert on errors would miss them, or a chart mix two services."""
    trace_id = secrets.token_bytes(16)
    await service.send(
        Signal.LOGS,
        logs(log("info", severity_number=9), log("error", severity_number=17, trace_id=trace_id)),
    )
    await service.send(Signal.LOGS, everything_in_logs())
    found = await service.get("logs", min_severity=17, trace_id=trace_id.hex())
    assert [row["body"] for row in found["logs"]] == ["error"]
    (found,) = (await service.get("logs", event="failure"))["logs"]
    assert found["observed_time"].endswith("790Z")
    assert found["body"].keys() == EVERY_TYPE.keys()
    (observed,) = (row for row in (await service.get("logs"))["logs"] if row["time_is_observed"])
    assert observed["body"] == "observed"
    await service.send(Signal.METRICS, metrics(gauge("load", 1.0), service="a"))
    await service.send(Signal.METRICS, metrics(gauge("load", 2.0), service="b"))
    points = (await service.get("metrics/load/points", service="b"))["points"]
    assert [point["value_double"] for point in points] == [2.0]
    assert (await service.get("metrics/no.such/points"))["points"] == []


async def test_metrics_of_every_kind_can_be_read(service: Service) -> None:
    """Otherwise a kind of metric could be sent but not drawn."""
    await service.send(Signal.METRICS, everything_in_metrics())
    listed = (await service.get("metrics", prefix="a/"))["metrics"]
    assert [(one["name"], one["type"]) for one in listed] == [
        ("a/exponential", "exponential_histogram"),
        ("a/gauge", "gauge"),
        ("a/histogram", "histogram"),
        ("a/sum", "sum"),
        ("a/summary", "summary"),
    ]
    assert (await service.get("metrics", prefix="b"))["metrics"] == []
    (histogram,) = (await service.get("metrics/a/histogram/points"))["points"]
    assert histogram["explicit_bounds"] == [0.5, "Infinity"]
    assert (histogram["bucket_counts"], histogram["sum"]) == ([1, 2, 3], 1e300)
    assert histogram["exemplars"][0]["value_double"] == "Infinity"
    values = [
        (point["value_int"], point["value_double"])
        for point in (await service.get("metrics/a/gauge/points"))["points"]
    ]
    assert sorted(values, key=str) == [(2**63 - 1, None), (None, "NaN")]


async def test_usage_adds_up(service: Service) -> None:
    """Otherwise the bill would not be that of the calls."""
    for provider, model in (("openai", "gpt-4o"), ("openai", "gpt-4o"), ("nobody", "unheard-of")):
        attributes = llm_attributes() | {
            "gen_ai.provider.name": provider,
            "gen_ai.response.model": model,
        }
        await service.send(Signal.TRACES, traces(span("call", attributes=attributes)))
    total = await service.get("usage")
    (row,) = total["rows"]
    assert (row["requests"], row["unpriced_requests"], row["input_tokens"]) == (3, 1, 3000)
    assert Decimal(row["cost_usd"]) == Decimal("0.007")
    assert row["model"] is None
    exact = {"from_": "2026-01-31T12:00:01.5Z", "to": "2026-01-31T12:00:02Z"}
    asked = await service.get("usage", **exact)
    assert (asked["from"], asked["rows"]) == ("2026-01-31T12:00:01.500000Z", [])
    for group_by in (["model", "provider"], "model,provider"):
        rows = (await service.get("usage", group_by=group_by, interval="1h"))["rows"]
        groups = sorted((row["provider"], row["model"], row["requests"]) for row in rows)
        assert groups == [("nobody", "unheard-of", 1), ("openai", "gpt-4o", 2)]
    assert (await service.get("usage", model="gpt-4o"))["rows"][0]["requests"] == 2


@pytest.mark.parametrize(
    ("relation", "path"),
    [
        ("spans", "spans"),
        ("traces", "traces"),
        ("logs", "logs"),
        ("metrics", "metrics"),
        ("points", "metrics/m/points"),
    ],
)
async def test_pages_are_complete_and_without_repeats(
    service: Service, relation: str, path: str
) -> None:
    """Otherwise rows with equal times would be skipped or shown twice where a page ends."""
    moment = now()
    if relation == "logs":
        await service.send(
            Signal.LOGS, logs(*(log(n % 12, time_unix_nano=moment) for n in range(25)))
        )
    elif relation == "metrics":
        await service.send(Signal.METRICS, metrics(*(gauge(f"é{n}", n) for n in range(25))))
    elif relation == "points":
        for n in range(25):
            one = gauge("m", n, time_unix_nano=moment)
            await service.send(Signal.METRICS, metrics(one, service=f"s{n}"))
    else:
        spans = (span(str(n), start_time_unix_nano=moment) for n in range(25))
        await service.send(Signal.TRACES, traces(*spans))
    whole = (await service.get(path))[relation]
    assert len(whole) == 25
    found: list[Any] = []
    parameters: dict[str, Any] = {"limit": 7}
    while True:
        page = await service.get(path, **parameters)
        found += page[relation]
        if page["next_cursor"] is None:
            break
        assert len(page[relation]) == 7
        parameters["cursor"] = page["next_cursor"]
    assert found == whole
    if relation in {"logs", "points"}:
        response = await service.http.get(f"/api/v1/{path}?format=otlp&limit=7")
        cursor = response.headers["x-next-cursor"]
        assert (await service.get(path, limit=7, cursor=cursor))[relation] == whole[7:14]
    name = "prefix" if relation == "metrics" else "service"
    other = await service.http.get(f"/api/v1/{path}", params={**parameters, name: "other"})
    assert (other.status_code, other.json()["title"]) == (400, "Bad Request")


@pytest.mark.editions("postgres")
async def test_wrong_parameters_are_refused_by_name(service: Service) -> None:
    """Otherwise a typing error would give an answer to another question."""
    ranged = ("traces", "spans", "logs", "metrics/m/points", "usage")
    cases: list[tuple[str, str, str]] = [
        *((path, "from=2026-01-01T00:00:00", "from") for path in ranged),
        *((path, "to=1767225600", "to") for path in ranged),
        *((path, "from=0001-01-01T00:00:00Z", "from") for path in ranged),
        *((path, "to=9999-12-31T23:59:59Z", "to") for path in ranged),
        *((path, "from=2026-02-30T00:00:00Z", "from") for path in ranged),
        *((path, "servce=x", "servce") for path in ranged),
        *((path, "service=%00", "service") for path in ranged[:4]),
        ("usage", "service=%00", "service.0"),
        *((path, "q=text", "q") for path in ("spans", "metrics/m/points", "usage")),
        *((path, "q=" + "x" * 257, "q") for path in ("traces", "logs")),
        *((path, "q=%00", "q") for path in ("traces", "logs")),
        *((path, "q=", "q") for path in ("traces", "logs")),
        *((path, "limit=1000000", "limit") for path in ranged),
        *((path, "limit=0", "limit") for path in ranged[:4]),
        ("traces", "status=unset", "status"),
        ("spans", "status=ERROR", "status"),
        ("traces", "sort=cost", "sort"),
        ("traces", "tag=x", "tag.0"),
        ("spans", "attribute==x", "attribute.0"),
        ("spans", "min_duration_ms=nan", "min_duration_ms"),
        ("spans", "min_cost=1e400", "min_cost"),
        ("traces", "min_cost=NaN", "min_cost"),
        ("traces", "min_cost=-1", "min_cost"),
        ("logs", "min_severity=99", "min_severity"),
        ("logs", "format=xml", "format"),
        ("usage", "interval=5m", "interval"),
        ("usage", "group_by=users", "group_by"),
        ("usage", "tz=Europe/Brelin", "tz"),
        ("usage", "tz=../../etc/passwd", "tz"),
        ("usage", "fill=maybe", "fill"),
        ("usage", "&".join(f"model={n}" for n in range(101)), "model"),
        ("usage", "model=" + "x" * 1001, "model.0"),
        ("usage", "model=", "model.0"),
        ("usage", "group_by=model,", "group_by"),
        ("metrics", "from=2026-01-01T00:00:00Z", "from"),
        ("metrics/%00/points", "", "name"),
        ("traces/" + "1" * 32, "format=tree", "format"),
    ]
    for path, query, parameter in cases:
        response = await service.http.get(f"/api/v1/{path}?{query}")
        assert response.status_code == 422, (path, query, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem.keys() == {"type", "title", "status", "detail", "errors"}
        assert [error["parameter"] for error in problem["errors"]] == [parameter], (path, query)


@pytest.mark.editions("postgres")
async def test_impossible_questions_are_refused(service: Service) -> None:
    """Otherwise a broken cursor or a range the wrong way round would be a fault of the service."""
    await service.send(Signal.TRACES, traces(span(), span()))
    cursor = (await service.get("spans", limit=1))["next_cursor"]
    start, end, inner = cursor.split(".")
    key = msgspec.json.decode(base64.urlsafe_b64decode(inner + "=="))
    forged = [
        f"{start}.{end}.{base64.urlsafe_b64encode(msgspec.json.encode(bad)).decode().rstrip('=')}"
        for bad in (
            [key[0], 10**15, *key[2:3], "xyz"],
            [key[0], 2**62, *key[2:]],
            [*key, 1],
        )
    ]
    long = {"from": "2026-01-01T00:00:00Z", "to": "2027-02-05T00:00:01Z"}
    scope = await service.get("traces", limit=1)
    cases: list[tuple[str, dict[str, Any]]] = [
        *(("spans", {"cursor": one}) for one in forged),
        ("traces", {"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
        *((path, long) for path in ("traces", "spans", "logs", "metrics/m/points")),
        ("usage", {"from": "2026-01-01T00:00:00Z", "to": "2029-01-05T00:00:01Z"}),
        ("traces", {"limit": ["1", "2"]}),
        ("logs", {"trace_id": "xyz"}),
        ("logs", {"span_id": "00"}),
        *((path, {"q": q}) for path in ("traces", "logs") for q in ("...", "-word", "a or -b")),
        *(
            (path, {"cursor": text})
            for path in ("traces", "spans", "logs", "metrics/m/points")
            for text in (
                "",
                "x",
                "..",
                f"{start}.{end}.",
                f"{start}.{end}.AAAA",
                f"{end}.{start}.x",
                f"{'f' * 30}.{end}.x",
                scope["next_cursor"] + "A",
                cursor[:-4],
            )
        ),
        ("metrics", {"cursor": "x"}),
        ("spans", {"cursor": scope["next_cursor"]}),
    ]
    for path, parameters in cases:
        response = await service.http.get(f"/api/v1/{path}", params=parameters)
        assert response.status_code == 400, (path, parameters, response.text)
        assert response.json()["detail"]
    response = await service.http.post("/api/v1/traces")
    assert (response.status_code, response.headers["allow"]) == (405, "GET")
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.editions("postgres")
async def test_the_longest_ranges_are_answered(service: Service) -> None:
    """Otherwise a year could not be compared with the one before, or usage since its beginning."""
    year = {"from_": "2026-01-01T00:00:00Z", "to": "2027-02-05T00:00:00Z"}
    for path in ("traces", "spans", "logs", "metrics/m/points"):
        await service.get(path, **year)
    await service.get("usage", from_="2026-01-01T00:00:00Z", to="2029-01-05T00:00:00Z")


@pytest.mark.editions("postgres")
async def test_a_forged_cursor_is_refused(service: Service) -> None:
    """Otherwise anybody with a key could fill the log of the service with faults of its own."""
    await service.send(Signal.TRACES, traces(span(), span()))
    await service.send(Signal.LOGS, logs(log("a"), log("b")))
    await service.send(Signal.METRICS, metrics(gauge("m", 1), gauge("m", 2), gauge("n", 1)))
    deep = b"[" * 5000
    values: list[bytes] = [
        *(b"null", b"true", b"1.5", b"1e3", b"{}", b"[]", b'"', b"\xff", b'"\\ud800"', b"NaN"),
        *(str(n).encode() for n in (2**63, -(2**63) - 1, 2**64, 10**400)),
        *(b'"xyz"', b'"abc"', b'"' + b"a" * 31 + b'"', b'"\\u0000"'),
        *(deep, deep + b"]" * 5000, b'{"a":' * 5000),
    ]
    # Of the right type, but none that was ever given, nor a value of its column.
    by_kind = {int: [b"9223372036854775807", b"-9223372036854775808"], str: [b'"abcd"', b'""']}
    for path in ("traces", "spans", "logs", "metrics", "metrics/m/points"):
        cursor = (await service.get(path, limit=1))["next_cursor"]
        head, _, inner = cursor.rpartition(".")
        head += "." if head else ""
        key = msgspec.json.decode(base64.urlsafe_b64decode(inner + "=" * (-len(inner) % 4)))
        plain = [msgspec.json.encode(item) for item in key]
        forged = [
            b"[" + b",".join([*plain[:place], value, *plain[place + 1 :]]) + b"]"
            for place in range(len(plain))
            for value in values
        ]
        forged += [*values, b"[" + b",".join([*plain, b"1"]) + b"]", b"[" + plain[0] + b"]"]
        for content in forged:
            text = base64.urlsafe_b64encode(content).decode().rstrip("=")
            response = await service.http.get(f"/api/v1/{path}", params={"cursor": head + text})
            assert response.status_code == 400, (path, content[:80], response.text)
        for place, item in enumerate(key[1:], 1):
            for value in by_kind[type(item)]:
                content = b"[" + b",".join([*plain[:place], value, *plain[place + 1 :]]) + b"]"
                text = base64.urlsafe_b64encode(content).decode().rstrip("=")
                response = await service.http.get(f"/api/v1/{path}", params={"cursor": head + text})
                assert response.status_code in {200, 400}, (path, content, response.text)
