"""What the routes that sum refuse, parameter by parameter, and that nothing of it does harm."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

import pytest

from api.telemetry import llm_attributes, span, traces
from observatory_store.otlp import Signal
from observatory_store.repositories.analytics import DIMENSIONS, GROUPS

if TYPE_CHECKING:
    from api.service import Service

pytestmark = pytest.mark.editions("postgres")

FILTERED = ("usage", "usage/comparison", "latency", "errors", "costs/forecast")
OF_MODELS = ("latency", "errors", "costs/forecast")
"""They know of no tools, whose executions are no calls."""
RANGED = ("usage", "usage/comparison", "latency", "errors", "sessions", "prices/unpriced")
ROUTES = (*RANGED, "costs/forecast")
INJECTIONS = (
    "'; DROP TABLE observatory.spans; --",
    "\\'; DELETE FROM observatory.spans; --",
    "x') OR 1=1 --",
    "$1",
    "{0} {} {x!r} %s %(x)s",
    "observatory.spans",
)
TIME, RFC_3339 = "2026-11-01T00:00:00Z", "RFC 3339"
BAD_TIMES = {
    RFC_3339: (
        *("", "2026-11-01", "2026-11-01T00:00:00", "1767225600", "yesterday", "now", "NaN"),
        *("2026-02-30T00:00:00Z", "2026-11-01T25:00:00Z", "2026-11-01T00:00:00+99:00"),
        *(
            "2026-11-01 00:00:00Z",
            "-2026-11-01T00:00:00Z",
            "\u0662\u0660\u0662\u0666-11-01T00:00:00Z",
        ),
    ),
    "1970 to 2554": ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
}
NO_NUMBERS = ("", "ten", "1e3", "0x10", "1,000", "\u0661", "9" * 5000)


class Bad(NamedTuple):
    """A value that a parameter does not take, and what the answer says of it."""

    value: str
    said: str


def _all(said: str, *values: str) -> list[Bad]:
    return [Bad(value, said) for value in values]


ANY_TEXT = _all("U+0000", "\0", "gpt\0-4o")
VALUES = [
    *ANY_TEXT,
    Bad("", "at least 1 character"),
    Bad("x" * 1001, "at most 1000 characters"),
]
INSTANTS = [Bad(value, said) for said, values in BAD_TIMES.items() for value in values]
SWITCH = _all("true or false", "maybe", "", "2", "truefalse")
LIMIT = [
    *_all("greater than or equal to 1", "0", "-1"),
    *_all("less than or equal to 1000", "1001", "1000000"),
    *_all("number", *NO_NUMBERS),
    Bad("1.5", "whole number"),
]
SHARE = [*_all("number", "", "x", "1/2", "50%"), Bad("inf", "less than"), Bad("nan", "less than")]
BAD: dict[str, list[Bad]] = {
    **dict.fromkeys(("from", "to", "before"), INSTANTS),
    "interval": _all("'1m', '15m', '1h', '1d', '1w' or '1mo'", "5m", "1H", " 1h", "", "1 day", "0"),
    "tz": _all(
        "IANA", "Europe/Brelin", "europe/berlin", "+02:00", "", "../../etc/passwd", "/etc/localtime"
    ),
    "group_by": _all(", ".join(GROUPS), "users", "", "model,", "Model", "model;", "u.model"),
    **dict.fromkeys(("fill", "histogram"), SWITCH),
    "limit": LIMIT,
    "quantile": [*SHARE, Bad("1.0001", "less than"), Bad("-0.1", "greater than")],
    "confidence": [
        *SHARE,
        *_all("less than 1", "1", "1e300"),
        *_all("greater than 0", "0", "-1"),
    ],
    "days": [
        *_all("greater than or equal to 1", "0", "-1"),
        *_all("less than or equal to 366", "367", "9999999999"),
        *_all("number", *NO_NUMBERS),
    ],
    "history_days": [
        *_all("greater than or equal to 7", "6", "-28"),
        *_all("less than or equal to 366", "367"),
        *_all("number", *NO_NUMBERS),
    ],
}
"""What each parameter refuses, on every route that has it; filters and cursors are apart."""
REPEATABLE = {*DIMENSIONS, "group_by", "quantile"}


class Answered(NamedTuple):
    """An answer, as far as a refusal goes."""

    status: int
    media_type: str
    body: Any

    def refuses(self, parameter: str, said: str = "", status: int = 422) -> bool:
        """Tell whether it is a problem that names the parameter, and what is allowed."""
        return (
            self.status == status
            and self.media_type == "application/problem+json"
            and self.body["status"] == status
            and parameter in self.body["detail"]
            and said in self.body["detail"]
            and len(self.body["detail"]) < 4000
        )

    @property
    def is_empty(self) -> bool:
        """Tell whether it is an answer without a row, or of nothing but zeros."""
        lists = [value for value in self.body.values() if isinstance(value, list)]
        forecast = self.body.get("history_cost_usd") == "0"
        return self.status == 200 and (forecast or not any(lists))


async def _ask(service: Service, path: str, query: str | dict[str, Any]) -> Answered:
    """Send a query as it stands, which a client of HTTP would mend or refuse."""
    if not isinstance(query, str):
        query = urlencode(query, doseq=True)
    host, _, port = service.url.rpartition("/")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"GET /api/v1/{path}?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    writer.write(request.encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    (media_type,) = (
        line.partition(b": ")[2].decode()
        for line in head.splitlines()
        if line.lower().startswith(b"content-type: ")
    )
    parsed = json.loads(body) if "json" in media_type else body.decode()
    return Answered(int(head.split(b" ")[1]), media_type, parsed)


async def _contents(service: Service) -> dict[str, str]:
    """Return a digest of every public table."""
    tables = await service.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'observatory' ORDER BY 1"
    )
    return {
        table: (
            await service.fetch(
                f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM observatory.{table} t"
            )
        )[0][0]
        for (table,) in tables
    }


async def _parameters(service: Service, path: str) -> list[str]:
    document = (await service.http.get("/openapi.json")).json()
    return [one["name"] for one in document["paths"][f"/api/v1/{path}"]["get"]["parameters"]]


@pytest.fixture
async def asked(service: Service) -> Service:
    """A service with a call, which nothing that is asked may change."""
    await service.send(Signal.TRACES, traces(span(attributes=llm_attributes())))
    return service


@pytest.mark.parametrize("path", ROUTES)
async def test_every_parameter_refuses_what_it_does_not_take(asked: Service, path: str) -> None:
    """With its name and what is allowed; a wrong answer, or a fault, would help nobody."""
    before = await _contents(asked)
    for name in await _parameters(asked, path):
        if name in DIMENSIONS:
            bad = VALUES if path in FILTERED else ANY_TEXT
        else:
            bad = BAD.get(name, ANY_TEXT)
        for value, said in bad:
            answered = await _ask(asked, path, {name: value})
            assert answered.refuses(name, said), (name, value, answered)
    for query in ("unknown=1", "Model=x", "=x", "from%5B%5D=x", "{0}=x", "%00=x"):
        answered = await _ask(asked, path, query)
        assert answered.refuses("", "There is no such parameter."), (query, answered)
    assert await _contents(asked) == before


@pytest.mark.parametrize("path", ROUTES)
async def test_no_parameter_reaches_sql_as_text(asked: Service, path: str) -> None:
    """What matches nothing is an empty answer; what is no such value is refused; all stays."""
    before = await _contents(asked)
    for name in await _parameters(asked, path):
        for value in INJECTIONS:
            answered = await _ask(asked, path, {name: value})
            if name in DIMENSIONS:
                assert answered.is_empty, (name, value, answered)
            else:
                status = 400 if name == "cursor" else 422
                assert answered.refuses(name, status=status), (name, value, answered)
    assert await _contents(asked) == before


@pytest.mark.parametrize("path", ROUTES)
async def test_bytes_that_are_no_text(asked: Service, path: str) -> None:
    """Invalid UTF-8, half a pair of UTF-16, a broken escape: all are values that match nothing."""
    for name in await _parameters(asked, path):
        for value in ("%FF", "%ED%A0%80", "%C0%80", "%F5%80%80%80", "%", "%zz", "%u0000"):
            answered = await _ask(asked, path, f"{name}={value}")
            if name in DIMENSIONS:
                assert answered.is_empty, (name, value, answered)
            else:
                assert answered.refuses(name, status=answered.status), (name, value, answered)


@pytest.mark.parametrize("path", ROUTES)
async def test_doubled_parameters(asked: Service, path: str) -> None:
    """Where one value counts, a second is an error; where several do, each may stand alone."""
    valid = {"limit": "5", "days": "7", "history_days": "28", "confidence": "0.5", "cursor": "x"}
    for name in await _parameters(asked, path):
        value = valid.get(name, TIME if name in {"from", "to", "before"} else "x")
        answered = await _ask(asked, path, f"{name}={value}&{name}={value}")
        if name in REPEATABLE and path in FILTERED:
            assert "more than once" not in str(answered.body), name
        else:
            assert answered.refuses(name, "give it once", status=400), (name, answered)


@pytest.mark.parametrize("path", RANGED)
async def test_ranges(asked: Service, path: str) -> None:
    """The wrong way round, empty, of ten years: refused before anything is read."""
    longest = {"sessions": "31 days", "prices/unpriced": "400 days"}.get(path, "1100 days")
    for start, end, said in (
        ("2026-11-01T00:00:00Z", "2026-10-01T00:00:00Z", "empty"),
        (TIME, TIME, "empty"),
        ("2554-01-01T00:00:00Z", None, "empty"),
        ("2016-11-01T00:00:00Z", TIME, longest),
        ("1970-01-01T00:00:00Z", "2554-12-31T00:00:00Z", longest),
        ("2016-11-01T00:00:00Z", None, longest),
    ):
        answered = await _ask(asked, path, {"from": start} | ({"to": end} if end else {}))
        assert answered.refuses("(from", said, status=400), (start, end, answered)
    if path == "usage/comparison":
        for query in (
            {"before": "2554-12-31T23:59:59Z"},
            {"from": "1970-02-01T00:00:00Z", "to": "1970-06-01T00:00:00Z"},
        ):
            answered = await _ask(asked, path, query)
            assert answered.refuses("before", "1970 and 2555", status=400), answered


async def test_intervals_that_are_too_many(asked: Service) -> None:
    """Minutes of a year are no answer for anybody; the message says how to ask for less."""
    year = {"from": "2025-11-01T00:00:00Z", "to": TIME, "interval": "1m"}
    for path in ("usage", "latency", "errors"):
        answered = await _ask(asked, path, year)
        assert answered.refuses("interval", "10000 rows", status=400), answered


@pytest.mark.parametrize("path", FILTERED)
async def test_tools(asked: Service, path: str) -> None:
    """Where executions of tools do not count, nobody is offered to filter by them."""
    parameters = await _parameters(asked, path)
    assert ("tool" in parameters) is (path not in OF_MODELS)
    answered = await _ask(asked, path, {"tool": "x"})
    if path in OF_MODELS:
        assert answered.refuses("tool", "There is no such parameter."), answered
    else:
        assert answered.is_empty, answered
    for group_by in ("tool", "model,tool") if path in {"latency", "errors"} else ():
        answered = await _ask(asked, path, {"group_by": group_by})
        assert answered.refuses("group_by", "usage", status=400), answered


@pytest.mark.parametrize("path", ROUTES)
async def test_thousands_of_values(asked: Service, path: str) -> None:
    """Refused at once, however many there are, with an answer that is no longer than a page."""
    names = await _parameters(asked, path)
    for name in names:
        if name not in REPEATABLE or (name == "quantile" or path not in FILTERED):
            continue
        answered = await _ask(asked, path, {name: [f"{n:x}" for n in range(3500)]})
        said = GROUPS[0] if name == "group_by" else "at most 100 values"
        assert answered.refuses(name, said), answered
    if "quantile" in names:
        answered = await _ask(asked, path, {"quantile": ["0.5"] * 21})
        assert answered.refuses("quantile", "at most 20 values"), answered
    # As many names as a URL has room for.
    answered = await _ask(asked, path, "&".join(f"{n:x}=" for n in range(10_000)))
    assert answered.refuses("", "no such parameter"), answered
    assert len(answered.body["errors"]) == 20
    # No longer URL gets past the HTTP server, which does not know of problems.
    for query in ("&".join(f"model={n}" for n in range(10_000)), "model=" + "x" * 100_000):
        answered = await _ask(asked, path, query)
        assert (answered.status, answered.media_type) == (400, "text/plain; charset=utf-8")
    assert (await asked.http.get("/healthz")).status_code == 200


async def test_forged_cursors(asked: Service) -> None:
    """Garbage, one of another route, one of another query: never a page of something else."""
    for session in "ab":
        attributes = llm_attributes() | {"gen_ai.conversation.id": session}
        await asked.send(Signal.TRACES, traces(span(attributes=attributes)))
    good = (await asked.get("sessions", limit=1))["next_cursor"]
    other_route = (await asked.get("traces", limit=1))["next_cursor"]
    other_query = (await asked.get("sessions", limit=1, service="shop"))["next_cursor"]
    start, end, inner = good.split(".")
    forged = [
        *("", "x", ".", "..", "...", "a.b.c", "-1.1.x", "é", "\0", "null", "x" * 5000),
        *(f"{start}.{end}.", f"{end}.{start}.{inner}", f"{start}.{'f' * 40}.{inner}"),
        *(good[:-1], good[:-6], good + "A", inner, f"{start}.{inner}"),
        *(other_route, *([other_query] if other_query else [])),
        *INJECTIONS,
    ]
    for cursor in forged:
        answered = await _ask(asked, "sessions", {"cursor": cursor, "limit": "1"})
        assert answered.refuses("cursor", status=422 if cursor == "\0" else 400), (cursor, answered)
    for changed in ({"user": "ann"}, {"from": TIME}, {"model": "gpt-4o"}):
        answered = await _ask(asked, "sessions", {"cursor": good, **changed})
        assert answered.refuses("cursor", "other conditions", status=400), answered
    page = await asked.get("sessions", limit=1, cursor=good)
    assert [one["session"] for one in page["sessions"]] == ["a"]
