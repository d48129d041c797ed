"""What the service stores of prompts and completions, by its settings and the project's."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from api.service import serving
from api.test_messages import recent
from observatory_store import LLMCall, LogRecord, Span, Store
from observatory_store.api import authentication
from observatory_store.database import open_pool
from observatory_store.errors import InvalidInputError
from observatory_store.otlp import MediaType, Signal
from observatory_store.repositories import KeyRepository, ProjectRepository
from observatory_store.settings import AuthMode, PayloadPolicy, Redaction, Settings

if TYPE_CHECKING:
    from api.service import Service

pytestmark = pytest.mark.editions("postgres")

FIXTURES = Path(__file__).parents[1] / "llm" / "fixtures"
CAPTURES = ["otel_openai_v2/chat", "azure_inference/chat", "openinference/chat", "litellm/chat"]
EVERYTHING = """
    SELECT string_agg(t, ' ') FROM (
        SELECT s::text AS t FROM observatory.spans AS s
        UNION ALL SELECT p::text FROM observatory.span_payloads AS p
        UNION ALL SELECT l::text FROM observatory.logs AS l
    ) AS stored
"""


KEY = "sk-proj-abcdefghijklmnop_QRSTUV"
SECRETS = "ann@example.com 4111 1111 1111 1111 (555) 555-1234"


def attributes(**texts: str) -> list[dict[str, Any]]:
    """Return attributes in OTLP's JSON."""
    return [{"key": name, "value": {"stringValue": text}} for name, text in texts.items()]


def requests() -> dict[Signal, dict[str, Any]]:
    """Return a request of a span and one of a log record, with secrets everywhere."""
    now = str(time.time_ns())
    resource = {"attributes": attributes(command=f"python -k {KEY}")}
    span = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": f"GET {KEY}",
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        "status": {"code": 2, "message": f"401 {KEY}"},
        "attributes": attributes(note=SECRETS),
        "events": [
            {"timeUnixNano": now, "name": "exception", "attributes": attributes(message=KEY)}
        ],
    }
    record = {
        "timeUnixNano": now,
        "body": {"stringValue": f"{KEY} {SECRETS}"},
        "attributes": attributes(key=KEY),
    }
    return {
        Signal.TRACES: {
            "resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]
        },
        Signal.LOGS: {
            "resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]
        },
    }


async def stored(service: Service) -> str:
    """Return all spans, payloads and logs of the database as one text."""
    ((text,),) = await service.fetch(EVERYTHING)
    return str(text)


async def send_captures(service: Service, **headers: str) -> None:
    """Send what libraries of four dialects send."""
    for name in CAPTURES:
        for signal, suffix in ((Signal.TRACES, ""), (Signal.LOGS, ".logs")):
            path = FIXTURES / f"{name}{suffix}.json"
            if path.exists():
                answer = await service.send(signal, recent(path), MediaType.JSON.value, **headers)
                assert (answer.status_code, answer.json()) == (200, {})


async def marks(service: Service) -> set[str]:
    """Return what calls, or the log records with their messages, say of their content."""
    rows = await service.fetch(
        "SELECT attributes ->> 'observatory.payload' AS mark FROM observatory.spans"
        " WHERE is_inference AND span_id NOT IN"
        " (SELECT span_id FROM observatory.logs WHERE span_id IS NOT NULL) UNION ALL"
        " SELECT attributes ->> 'observatory.payload' FROM observatory.logs"
        " WHERE event_name LIKE 'gen_ai.%'"
    )
    return {row["mark"] for row in rows}


async def test_nothing_said_is_stored_where_it_is_dropped(database_url: str) -> None:
    """A service that must not have prompts would have them in some column."""
    async with serving(database_url, payloads=PayloadPolicy.DROP) as service:
        await send_captures(service)
        text = await stored(service)
        assert await service.count("spans") > len(CAPTURES)
        assert await service.count("logs") > 0
        assert await service.count("span_payloads") == 0
        assert await marks(service) == {"dropped"}
    assert "capital" not in text
    assert "tutor. Answer" not in text


async def test_the_beginning_of_what_was_said(database_url: str) -> None:
    """Whoever chose a few characters would pay for all, or could not read what was kept."""
    async with serving(
        database_url, payloads=PayloadPolicy.TRUNCATE, payload_characters=5
    ) as service:
        await send_captures(service)
        text = await stored(service)
        assert await marks(service) == {"truncated"}
        trace_ids = await service.fetch(
            "SELECT observatory.trace_hex(trace_id) AS id FROM observatory.spans WHERE is_inference"
        )
        said = []
        for row in trace_ids:
            trace = await service.get(f"traces/{row['id']}")
            payloads = [span["payload"] for span in trace["spans"] if span["payload"]]
            said += [json.loads(payload["output_messages"] or "[]") for payload in payloads]
    assert "capital" not in text
    parts = [part for messages in said for message in messages for part in message["parts"]]
    assert parts
    assert {part["content"] for part in parts} == {"Paris…[26 characters cut]"}


async def test_redaction_of_every_record(database_url: str) -> None:
    """A key in an exception, a log or the command line would be stored."""
    key = KEY.encode()
    async with serving(database_url, redact=tuple(Redaction)) as service:
        for signal in (Signal.TRACES, Signal.LOGS):
            body = json.dumps(requests()[signal]).encode()
            assert key in body
            answer = await service.send(signal, body, MediaType.JSON.value)
            assert (answer.status_code, answer.json()) == (200, {})
        text = await stored(service)
        ((resources,),) = await service.fetch(
            "SELECT string_agg(r::text, ' ') FROM observatory.resources AS r"
        )
        assert await service.count("spans") == await service.count("logs") == 1
    for secret in (key.decode(), "ann@example.com", "4111", "555-1234"):
        assert secret not in f"{text} {resources}"
    assert text.count("[key]") == 5
    assert "python -k [key]" in resources


async def test_redaction_before_anything_is_stored(database_url: str) -> None:
    """An address in a prompt would be stored although the service was told to replace it."""
    async with serving(database_url, redact=(Redaction.EMAIL,)) as service:
        path = FIXTURES / "openinference/chat.json"
        body = recent(path).replace(b"capital of France", b"mail of ann@example.com")
        assert (await service.send(Signal.TRACES, body, MediaType.JSON.value)).json() == {}
        text = await stored(service)
    assert "ann@example.com" not in text
    assert "mail of [email]" in text


async def test_a_projects_own_policy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One customer's prompts would be stored because another one's are."""
    monkeypatch.setattr(authentication, "CACHE_SECONDS", 0.0)
    async with open_pool(database_url) as pool:
        projects = ProjectRepository(pool)
        for name, policy in (("private", PayloadPolicy.DROP), ("open", None)):
            await projects.create(name)
            await projects.set_payloads(name, policy)
        keys = {
            name: await KeyRepository(pool).create(
                (await projects.get(name)).project_id, "sender", ["write"]
            )
            for name in ("private", "open")
        }
        async with serving(database_url, auth=AuthMode.REQUIRED) as service:
            for _, key in keys.values():
                await send_captures(service, x_api_key=key)
            found = await service.fetch(
                "SELECT DISTINCT name FROM observatory.span_payloads"
                " JOIN observatory.projects USING (project_id)"
            )
            assert [tuple(row) for row in found] == [("open",)]
            await projects.set_payloads("open", PayloadPolicy.DROP)
            before = await service.count("span_payloads")
            body = recent(FIXTURES / "langfuse/chat.json")
            key = keys["open"][1]
            await service.send(Signal.TRACES, body, MediaType.JSON.value, x_api_key=key)
            assert await service.count("span_payloads") == before


def call(text: str) -> LLMCall:
    """Return a call of a model."""
    return LLMCall(
        provider="openai", model="gpt-4o", input_messages=text, attributes={"gen_ai.prompt": text}
    )


async def everything(store: Store) -> str:
    """Return all of a store's traces as one text."""
    rows: list[Any] = await store._pool.fetch(EVERYTHING)
    return str(rows[0][0])


async def test_a_store_in_a_program(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway told by its environment to keep no prompts would keep them."""
    monkeypatch.setenv("OBSERVATORY_PAYLOADS", "drop")
    async with Store.open(database_url) as store:
        await store.record(call("SECRET"))
        await store.flush()
        assert store.health().committed == 1
        assert "SECRET" not in await everything(store)
    async with Store.open(database_url, payloads="keep", redact=["email"]) as store:
        await store.record(call("I am ann@example.com"))
        await store.flush()
        text = await everything(store)
    assert "ann@example.com" not in text
    assert "I am [email]" in text


async def test_a_store_of_a_project_that_keeps_nothing(database_url: str) -> None:
    """Whoever imports the store would write past the project's policy."""
    async with Store.open(database_url) as store:
        await store.projects.set_payloads("default", PayloadPolicy.DROP)
    async with Store.open(database_url) as store:
        await store.record(call("SECRET"))
        await store.flush()
        now = datetime.now(UTC)
        await store.write_spans(
            [
                Span(
                    trace_id="a" * 32,
                    span_id="b" * 16,
                    start_time=now,
                    attributes={"input.value": "SECRET"},
                )
            ]
        )
        await store.write_logs([LogRecord(time=now, event_name="gen_ai.choice", body="SECRET")])
        assert "SECRET" not in await everything(store)


async def test_the_spool_has_nothing_either(tmp_path: Path) -> None:
    """Prompts would lie on a disk while the database is away."""
    nowhere = "postgresql://127.0.0.1:1/nowhere?connect_timeout=1"
    async with Store.open(nowhere, spool_dir=tmp_path, payloads="drop") as store:
        await store.record(call("SECRET"))
        await store.flush()
        assert store.health().spooled_records == 1
    spooled = contents(tmp_path)
    assert b"gpt-4o" in spooled
    assert b"SECRET" not in spooled


def contents(folder: Path) -> bytes:
    """Return what the files in a folder hold."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_unknown_words_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt policy would be no policy."""
    with pytest.raises(InvalidInputError, match="forget"):
        async with Store.open("postgresql://127.0.0.1:1/x", payloads="forget"):
            pass
    with pytest.raises(InvalidInputError, match="emails"):
        async with Store.open("postgresql://127.0.0.1:1/x", redact=["emails"]):
            pass
    monkeypatch.setenv("OBSERVATORY_REDACT", "email, card,")
    assert Settings().redact == (Redaction.EMAIL, Redaction.CARD)
    monkeypatch.setenv("OBSERVATORY_REDACT", "email,cards")
    with pytest.raises(ValueError, match="cards"):
        Settings()
