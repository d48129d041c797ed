"""Messages as a trace shows them, wherever they came from."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from observatory_store.otlp import MediaType, Signal

if TYPE_CHECKING:
    from api.service import Service

FIXTURES = Path(__file__).parents[1] / "llm" / "fixtures"
JSON = MediaType.JSON.value
_TIME = re.compile(r'(UnixNano": ?")(\d+)"')


def recent(path: Path) -> bytes:
    """Return a capture as if it had been made an hour ago."""
    text = path.read_text()
    # Captures begin in November 2026 and keep the order of their times.
    begin = 1_793_491_200 * 10**9
    shift = (int(time.time()) - 3600) * 10**9 - begin
    return _TIME.sub(lambda match: f'{match[1]}{int(match[2]) + shift}"', text).encode()


async def send(service: Service, name: str) -> dict[str, Any]:
    """Send a capture's spans and logs; return the trace as the service shows it."""
    spans = recent(FIXTURES / f"{name}.json")
    assert (await service.send(Signal.TRACES, spans, JSON)).json() == {}
    logs = FIXTURES / f"{name}.logs.json"
    if logs.exists():
        assert (await service.send(Signal.LOGS, recent(logs), JSON)).json() == {}
    (trace_id,) = {trace["trace_id"] for trace in (await service.get("traces"))["traces"]}
    tree: dict[str, Any] = await service.get(f"traces/{trace_id}")
    return tree


def texts(messages: str) -> list[tuple[str, str]]:
    """Return the role and the kinds of parts of each message."""
    return [
        (message["role"], ",".join(part["type"] for part in message["parts"]))
        for message in json.loads(messages)
    ]


@pytest.mark.parametrize("name", ["otel_openai_v2/chat", "openllmetry_events/chat"])
@pytest.mark.editions("postgres", "community")
async def test_messages_that_came_as_logs_are_shown_on_their_span(
    service: Service, name: str
) -> None:
    """A library that sends its messages as log records would seem to send none."""
    tree = await send(service, name)
    (span,) = tree["spans"]
    assert texts(span["payload"]["input_messages"]) == [("system", "text"), ("user", "text")]
    assert texts(span["payload"]["output_messages"]) == [("assistant", "text")]


@pytest.mark.editions("postgres")
async def test_messages_of_an_agent_that_came_as_logs(service: Service) -> None:
    """Messages of one call would be shown on another, or beside those that the span has."""
    tree = await send(service, "pydantic_ai_v1_logs/agent")
    chats = [span["payload"] for span in tree["spans"] if span["name"].startswith("chat")]
    assert [texts(payload["input_messages"]) for payload in chats] == [
        [("system", "text"), ("user", "text")],
        [
            ("system", "text"),
            ("user", "text"),
            ("assistant", "tool_call"),
            ("tool", "tool_call_response"),
        ],
    ]
    assert [texts(payload["output_messages"]) for payload in chats] == [
        [("assistant", "tool_call")],
        [("assistant", "text")],
    ]
    assert all(payload["tool_definitions"] for payload in chats)


@pytest.mark.editions("postgres")
async def test_an_exported_trace_has_what_was_kept(service: Service) -> None:
    """What a library says beside the messages could never be read again."""
    tree = await send(service, "openinference/chat")
    trace_id = tree["summary"]["trace_id"]
    exported = await service.get(f"traces/{trace_id}", format="otlp")
    keys = {
        attribute["key"]
        for resource in exported["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
        for attribute in span["attributes"]
    }
    assert {"input.value", "output.value", "gen_ai.input.messages"} <= keys
    assert not [key for key in keys if key.startswith("llm.input_messages.")]
