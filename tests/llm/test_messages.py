"""What was said, from every dialect, as real instrumentation libraries send it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
import pytest

from observatory_store import llm
from observatory_store.llm.messages import FIELDS, from_logs, take
from observatory_store.llm.messages.normal import is_definitions, is_messages, is_parts
from observatory_store.otlp import MediaType, decode_logs, decode_traces
from observatory_store.rows import LogRecord, Payload, Span

FIXTURES = Path(__file__).parent / "fixtures"

SYSTEM = ("system", "You are a tutor. Answer briefly.")
QUESTION = ("user", "What is the capital of France?")
WEATHER = ("user", "What is the weather in Paris?")
ANSWER = ("assistant", "Paris is the capital of France.")
CALL = ("assistant", "get_weather", {"city": "Paris"})
RESULT = ("tool", "response", "18 degrees, sunny")
LONG_RESULT = ("tool", "response", "Paris: 18 degrees, sunny")
IMAGE = ("user", "uri", "https://example.com/cat.png")
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
PARTS = [
    SYSTEM,
    ("user", "What is on these?"),
    IMAGE,
    ("user", "blob", PNG),
    ("user", "blob", "UklGRiQAAABXQVZF"),
]

Said = list[tuple[Any, ...]]
Turn = tuple[Said, Said]
"""What was said to a model, and what it answered."""

CHAT: list[Turn] = [([SYSTEM, QUESTION], [ANSWER])]
TOOLS: list[Turn] = [
    ([SYSTEM, WEATHER], [CALL]),
    ([SYSTEM, WEATHER, CALL, RESULT], [ANSWER]),
]
AGENT: list[Turn] = [
    ([SYSTEM, WEATHER], [CALL]),
    ([SYSTEM, WEATHER, CALL, LONG_RESULT], [ANSWER]),
]
EXPECTED: dict[str, list[Turn]] = {
    "chat": CHAT,
    "chat_stream": CHAT,
    "chat_cached": CHAT,
    "chat_user": CHAT,
    "workflow": CHAT,
    "by_hand": CHAT,
    "anthropic_chat": CHAT,
    "anthropic_stream": CHAT,
    "anthropic_cached": CHAT,
    "anthropic_cached_stream": CHAT,
    "agent_stream": CHAT,
    "agent_user": CHAT,
    "responses": CHAT,
    "responses_stream": [([QUESTION], [ANSWER])],
    "chat_tools": TOOLS,
    "anthropic_tools": TOOLS,
    "responses_tools": [([WEATHER], [CALL]), ([WEATHER, CALL, RESULT], [ANSWER])],
    "agent": AGENT,
    "agent_anthropic": AGENT,
    "chat_parts": [(PARTS, [ANSWER])],
    "chat_error": [([SYSTEM, ("user", "[429]")], [])],
    "anthropic_error": [([SYSTEM, ("user", "[429]")], [])],
    "failing_error": [([SYSTEM, QUESTION], [])],
    "embeddings": [([("user", "Paris"), ("user", "France")], [])],
}

ON_THIS: list[Turn] = [([SYSTEM, ("user", "What is on this?"), IMAGE], [ANSWER])]
ON_THESE: list[Turn] = [([*PARTS[:3], ("user", "blob", "iVBORw==")], [ANSWER])]
NO_SYSTEM: list[Turn] = [([turn for turn in said if turn != SYSTEM], to) for said, to in AGENT]
STREAMED: list[Turn] = [([SYSTEM, QUESTION], []), *CHAT]
CUT: list[Turn] = [([SYSTEM], [ANSWER])]
CLAUDE_ERROR: list[Turn] = [([("user", "[429]")], [])]

EXCEPTIONS: dict[str, tuple[str, list[Turn] | None]] = {
    # The application's own doing.
    "azure_inference/chat_error": (
        "another error",
        [([SYSTEM, ("user", "[400]")], [])],
    ),
    "otel_google_genai/chat_tools": (
        "the client calls the tool, in one span",
        [([SYSTEM, WEATHER], [ANSWER])],
    ),
    "openinference/agent": ("an agent without instructions", NO_SYSTEM),
    "pydantic_ai_v5/agent_user": ("an agent with a tool", AGENT),
    **dict.fromkeys(
        ["logfire/anthropic_error", "openinference/anthropic_error", "openllmetry/anthropic_error"],
        ("asked without instructions", CLAUDE_ERROR),
    ),
    **dict.fromkeys(
        ["vercel_v5/chat_tools", "vercel_v7/chat_tools", "vercel_v7_legacy/chat_tools"],
        ("the tool's result is longer; an outer span has question and answer", None),
    ),
    **dict.fromkeys(
        ["vercel_v5/chat_parts", "vercel_v7/chat_parts", "vercel_v7_legacy/chat_parts"],
        ("asks about one image", ON_THIS),
    ),
    **dict.fromkeys(
        [f"pydantic_ai_v{version}/chat_parts" for version in (1, 2, 4, 5, 6)],
        ("asks about two images", ON_THESE),
    ),
    # What the library leaves out.
    "langfuse_v3/responses": ("no instructions", [([QUESTION], [ANSWER])]),
    "openllmetry/chat_parts": ("no question that has parts", [([], [ANSWER])]),
    "openllmetry_old/chat_parts": ("no parts", CUT),
    "otel_openai_v2_latest/chat_parts": ("no parts", CUT),
    "openinference/chat_parts": ("no sound", [(PARTS[:4], [ANSWER])]),
    "litellm_old/chat_tools": (
        "no tool calls in history",
        [TOOLS[0], ([SYSTEM, WEATHER, RESULT], [ANSWER])],
    ),
    "openllmetry/responses_tools": ("says the first turn again", [([WEATHER], [CALL])]),
    "openllmetry_events/anthropic_chat": ("log records without trace and span", []),
    "pydantic_ai_v5/chat_error": ("nothing of a call that failed", []),
    **{
        f"{folder}/embeddings": ("no texts", [])
        for folder in (
            "logfire",
            "otel_genai_openai",
            "otel_openai_v2",
            "otel_openai_v2_latest",
        )
    },
    # The library's own form.
    **{
        f"{folder}/chat_parts": ("media are kept elsewhere", None)
        for folder in ("langfuse", "langfuse_v3")
    },
    **{
        f"litellm_old/{scenario}": ("parts are Python's repr, and are left as a text", None)
        for scenario in ("chat_parts", "anthropic_cached")
    },
    **{
        f"{folder}/{scenario}": ("the stream's answer is on a span of its own", STREAMED)
        for folder, scenario in (
            ("logfire", "chat_stream"),
            ("logfire", "anthropic_stream"),
            ("logfire", "anthropic_cached_stream"),
            ("logfire_v4", "chat_stream"),
        )
    },
    "logfire/responses_stream": (
        "the stream's answer is on a span of its own",
        [([QUESTION], []), ([QUESTION], [ANSWER])],
    ),
}
"""Folder and scenario → why it differs, and what there is; None if that is not looked at."""


def payloads(path: Path) -> list[tuple[Span, Payload]]:
    """Return the calls of models of a capture with what was said, in their order."""
    body = path.read_bytes()
    spans = decode_traces(
        body,
        MediaType.JSON,
        lambda attributes, _resource, _start, events: llm.read(attributes, None, events),
    ).rows
    logs = path.with_name(f"{path.stem}.logs.json")
    records = decode_logs(logs.read_bytes(), MediaType.JSON).rows if logs.exists() else []
    by_span: dict[str | None, list[LogRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda one: (one.time, one.time_nanos)):
        by_span[record.span_id].append(record)
    found = []
    for span in sorted(spans, key=lambda one: one.start_time):
        payload = span.payload
        if payload is None or (payload.input_messages or payload.output_messages) is None:
            of_span = by_span.get(span.span_id, [])
            payload = from_logs([(r.event_name, r.body, r.attributes) for r in of_span])
        if payload is not None and (payload.input_messages or payload.output_messages):
            found.append((span, payload))
    return found


def said(payload: Payload) -> Turn:
    """Return what was said, without what libraries are free to differ in."""
    instructions = json.loads(payload.system_instructions or "[]")
    messages = [{"role": "system", "parts": instructions}] if instructions else []
    messages += json.loads(payload.input_messages or "[]")
    answers = json.loads(payload.output_messages or "[]")
    return [one for m in messages for one in plain(m)], [one for m in answers for one in plain(m)]


def plain(message: dict[str, Any]) -> Said:
    """Return each part of a message with its role."""
    found: Said = []
    for part in message["parts"]:
        match part["type"]:
            case "text":
                found.append((message["role"], part["content"]))
            case "tool_call":
                arguments = part["arguments"]
                if isinstance(arguments, str):  # as Pydantic AI has it, in the normal form too
                    arguments = json.loads(arguments)
                found.append((message["role"], part["name"], arguments))
            case "tool_call_response":
                found.append(("tool", "response", part["response"]))
            case "uri" if part["uri"].startswith("data:"):  # as Logfire has it
                found.append((message["role"], "blob", part["uri"].partition(",")[2]))
            case "uri" | "blob" as kind:
                found.append((message["role"], kind, part["uri" if kind == "uri" else "content"]))
            case other:
                found.append((message["role"], other, part))
    return found


def calls(path: Path) -> list[Turn]:
    """Return the turns of a capture, each once: some libraries nest one span in another."""
    turns: list[Turn] = []
    for span, payload in payloads(path):
        if span.operation in {"invoke_agent", "execute_tool"} or span.name == "agent run":
            continue
        kind = span.attributes.get("openinference.span.kind", "LLM")
        if kind not in {"LLM", "EMBEDDING"} or span.attributes.get("traceloop.span.kind"):
            continue
        if span.attributes.get("langfuse.observation.type") in {"tool", "agent"}:
            continue
        turn = said(payload)
        if turn not in turns:
            turns.append(turn)
    return turns


PATHS = [
    path
    for path in sorted(FIXTURES.glob("*/*.json"))
    if not path.stem.endswith((".logs", ".metrics"))
]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_same_conversation_reads_the_same_from_every_library(path: Path) -> None:
    """Whoever reads traces would have to know the library that each was made with."""
    name = f"{path.parent.name}/{path.stem}"
    _, expected = EXCEPTIONS.get(name, ("", EXPECTED[path.stem]))
    if expected is not None:
        assert calls(path) == expected


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_all_that_is_stored_is_in_the_normal_form(path: Path) -> None:
    """A reader of the normal form would stumble over the form of some library."""
    for _, payload in payloads(path):
        assert is_messages(payload.input_messages or "[]")
        assert is_messages(payload.output_messages or "[]")
        assert is_parts(payload.system_instructions or "[]")
        assert is_definitions(payload.tool_definitions or "[]")


CONTENT = ["tutor. Answer", "capital of", "weather in", "degrees", "What is on", "Today's weather"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_that_was_said_stays_with_the_span(path: Path) -> None:
    """A prompt would outlive its payload, or be stored where payloads are dropped."""
    spans = decode_traces(
        path.read_bytes(),
        MediaType.JSON,
        lambda attributes, _resource, _start, events: llm.read(attributes, None, events),
    ).rows
    for span in spans:
        rest = {
            key: value for key, value in span.attributes.items() if key not in NO_CONTENT_OF_OURS
        }
        text = msgspec.json.encode([rest, [event.attributes for event in span.events]]).decode()
        assert [words for words in CONTENT if words in text] == []


NO_CONTENT_OF_OURS = {
    # Google's and OpenInference's description of a tool, on the span of its run.
    "gen_ai.tool.description",
    "tool.description",
    # A log as a span, of the application's own words.
    "question",
    "logfire.msg",
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_canonical_attribute_comes_back_as_it_was(path: Path) -> None:
    """An exported span would not be the one that was sent."""
    sent: list[dict[str, Any]] = []

    def reading(attributes: Any, _resource: Any, _start: Any, events: Any) -> dict[str, Any]:
        sent.append(dict(attributes))
        return llm.read(attributes, None, events)

    spans = decode_traces(path.read_bytes(), MediaType.JSON, reading).rows
    for before, span in zip(sent, spans, strict=True):
        restored = llm.restore(span)
        names = [name for name in before if name.startswith("gen_ai.") and name in restored]
        assert {name: restored[name] for name in names} == {name: before[name] for name in names}
        gone = before.keys() - restored.keys()
        assert all(name.startswith(CONVERTED) for name in gone), gone


CONVERTED = (
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.request.functions.",
    "llm.tools.",
    "ai.prompt",
    "ai.response.text",
    "ai.response.toolCalls",
    "ai.toolCall.",
    "ai.values",
    "embedding.embeddings.",
    "events",
    "all_messages_events",
    "pydantic_ai.all_messages",
    "final_result",
    "tool_arguments",
    "tool_response",
    "langfuse.observation.",
    "traceloop.entity.",
    "input.value",
    "output.value",
)
"""What the normal form says wholly, and stands for."""


TOOL_RUNS = [
    (
        "otel_google_genai/chat_tools",
        "execute_tool get_weather",
        '{"city":"Paris"}',
        LONG_RESULT[2],
    ),
    ("pydantic_ai_v1/agent", "running tool", '{"city":"Paris"}', LONG_RESULT[2]),
    ("pydantic_ai_v2/agent", "running tool", '{"city":"Paris"}', LONG_RESULT[2]),
    ("pydantic_ai_v5/agent", "execute_tool get_weather", '{"city":"Paris"}', LONG_RESULT[2]),
    ("vercel_v5/chat_tools", "ai.toolCall", '{"city":"Paris"}', f'"{LONG_RESULT[2]}"'),
    ("vercel_v7/chat_tools", "execute_tool get_weather", '{"city":"Paris"}', f'"{LONG_RESULT[2]}"'),
    ("langfuse/chat_user", "get_weather", '{"args": ["Paris"], "kwargs": {}}', LONG_RESULT[2]),
    (
        "openllmetry/workflow",
        "get_weather.tool",
        '{"args": ["Paris"], "kwargs": {}}',
        f'"{LONG_RESULT[2]}"',
    ),
]


@pytest.mark.parametrize(("name", "span_name", "arguments", "result"), TOOL_RUNS)
def test_what_a_tool_was_given_and_gave(
    name: str, span_name: str, arguments: str, result: str
) -> None:
    """The tools of some libraries would seem to be called with nothing."""
    body = (FIXTURES / f"{name}.json").read_bytes()
    spans = decode_traces(body, MediaType.JSON, lambda a, _r, _s, e: llm.read(a, None, e)).rows
    (payload,) = [span.payload for span in spans if span.name == span_name]
    assert payload is not None
    assert (payload.tool_arguments, payload.tool_result) == (arguments, result)


def test_the_example_of_the_documentation() -> None:
    """Whoever writes a query by the documentation would find nothing."""
    text = (Path(__file__).parents[2] / "docs" / "payloads.md").read_text()
    sent, stored = map(json.loads, re.findall(r"```json\n(.+?)```", text, re.DOTALL))
    payload, _ = take(sent)
    assert sent == {}
    assert payload is not None
    found = {name: getattr(payload, name) for name in (*FIELDS, "content_attributes")}
    assert {name: json.loads(each) for name, each in found.items() if each is not None} == stored
