"""Which attributes carry what was said, of every dialect, in order of precedence."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from observatory_store.llm.messages.documents import (
    Found,
    read_conversation,
    read_input,
    read_output,
)
from observatory_store.llm.messages.indexed import without
from observatory_store.llm.messages.message import definitions_of, messages_of
from observatory_store.llm.messages.normal import Part, parsed
from observatory_store.llm.messages.parts import parts_of, text_part, tool_call
from observatory_store.rows import Attributes, AttributeValue
from observatory_store.rows.attributes import to_json

Read: TypeAlias = Callable[[Any], Found | None]

CANONICAL: Final[Mapping[str, str]] = {
    "gen_ai.input.messages": "input_messages",
    "gen_ai.output.messages": "output_messages",
    "gen_ai.system_instructions": "system_instructions",
    "gen_ai.tool.definitions": "tool_definitions",
    "gen_ai.tool.call.arguments": "tool_arguments",
    "gen_ai.tool.call.result": "tool_result",
}
"""Attribute of the current conventions → field of the payload."""


def document_of(value: AttributeValue) -> Any:  # noqa: ANN401 - a JSON document
    """Return what an attribute says: a list or map, maybe from JSON text; a text; or None."""
    if isinstance(value, str):
        if (document := parsed(value)) is not None:
            return document
        # Broken JSON is no text that anybody said.
        return None if value.lstrip()[:1] in ("[", "{") else value
    return to_json(value) if isinstance(value, list | dict) else None


def canonical_content(
    field: str,
    document: Any,  # noqa: ANN401 - a JSON document
) -> list[dict[str, Any]] | None:
    """Return in normal form what stands where the conventions want that, in another form."""
    if document is None:
        return None
    if field == "system_instructions":
        return parts_of(document)
    if field == "tool_definitions":
        return definitions_of(document)
    found = (read_input if field == "input_messages" else read_output)(document)
    return None if found is None else found.fields.get(field)


def _decoding(read: Read) -> Read:
    """Return a reader of what is always JSON text, also where it is a string or nothing."""

    def reading(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
        if isinstance(document, str):
            try:
                document = msgspec.json.decode(document)
            except msgspec.MsgspecError:
                return read(document)
        return None if document is None else read(document)

    return reading


def _definitions(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    found = definitions_of(document)
    return Found({"tool_definitions": found}, whole=True) if found else None


def _answer(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    """Return a result of whatever form as a text."""
    if not isinstance(document, str):
        document = msgspec.json.encode(document).decode()
    return Found({"output_messages": messages_of(document, "assistant") or []}, whole=True)


def _embedded(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    """Return texts to embed, each as JSON text."""
    texts = document if isinstance(document, list) else [document]
    found = []
    for one in texts:
        try:
            text = msgspec.json.decode(one) if isinstance(one, str) else None
        except msgspec.MsgspecError:
            text = one
        if not isinstance(text, str):
            return None
        found.append(text)
    return Found({"input_messages": messages_of(found, "user") or []}, whole=True)


def _indexed(field: str, role: str, level: str | None = None) -> Read:
    def read(members: Any) -> Found | None:  # noqa: ANN401 - a JSON document
        nodes = without(level, members) if level else members
        said = messages_of([_with_parts(one, role) for one in nodes], role)
        return Found({field: said}, whole=True) if said else None

    return read


def _with_parts(node: Any, role: str) -> Any:  # noqa: ANN401 - a JSON document
    """Return a member that has a role, and whose content is no JSON text of parts any more."""
    if not isinstance(node, dict):
        return node
    if "text" in node and "content" not in node:
        node = {"content": node["text"]} | {k: v for k, v in node.items() if k != "text"}
    content = node.get("content")
    parts = parsed(content) if isinstance(content, str) and content.startswith("[{") else None
    if parts and all(isinstance(one, dict) and isinstance(one.get("type"), str) for one in parts):
        node = {**node, "content": parts}
    return node if "role" in node else {**node, "role": role}


def _indexed_definitions(level: str | None) -> Read:
    def read(members: Any) -> Found | None:  # noqa: ANN401 - a JSON document
        nodes = without(level, members) if level else members
        return _definitions(
            [
                one.get("json_schema", one) if isinstance(one, dict) and len(one) == 1 else one
                for one in nodes
            ]
        )

    return read


def read_response(said: Mapping[str, AttributeValue]) -> Found | None:
    """Return an answer of the Vercel AI SDK, of which each kind of part has an attribute."""
    if not all(isinstance(value, str) for key, value in said.items() if key != "toolCalls"):
        return None
    parts: list[Part] = []
    if isinstance(reasoning := said.get("reasoning"), str) and reasoning:
        parts.append({"type": "reasoning", "content": reasoning})
    texts = [said.get(key) for key in ("text", "object")]
    parts += [text_part(text) for text in texts if isinstance(text, str) and text]
    calls = document_of(said.get("toolCalls"))
    if isinstance(calls, list):
        parts += map(tool_call, calls)
    elif "toolCalls" in said:
        return None
    if not parts:
        return None
    return Found({"output_messages": [{"role": "assistant", "parts": parts}]}, whole=True)


RESPONSES: Final[Mapping[str, tuple[str, str]]] = {
    f"ai.{group}.{key}": (group, key)
    for group in ("response", "result")
    for key in ("text", "reasoning", "toolCalls", "object")
}

FAMILIES: Final[Mapping[str, Read]] = {
    "gen_ai.prompt.": _indexed("input_messages", "user"),
    "gen_ai.completion.": _indexed("output_messages", "assistant"),
    "llm.input_messages.": _indexed("input_messages", "user", "message"),
    "llm.output_messages.": _indexed("output_messages", "assistant", "message"),
    "llm.prompts.": _indexed("input_messages", "user", "prompt"),
    "llm.choices.": _indexed("output_messages", "assistant", "completion"),
    "llm.request.functions.": _indexed_definitions(None),
    "llm.tools.": _indexed_definitions("tool"),
    "embedding.embeddings.": _indexed("input_messages", "user", "embedding"),
}
"""What stands before an index → how the members are read."""

DOCUMENTS: Final[Mapping[str, Read]] = {
    "ai.prompt.messages": read_input,
    "ai.prompt": read_input,
    "ai.prompt.tools": _definitions,
    "ai.values": _embedded,
    "ai.value": _embedded,
    "langfuse.observation.input": read_input,
    "langfuse.observation.output": read_output,
    "events": read_conversation,
    "all_messages_events": read_conversation,
    "pydantic_ai.all_messages": read_conversation,
    "request_data": read_input,
    "response_data": read_output,
    "model_request_parameters": read_input,
    "llm.invocation_parameters": read_input,
    "gcp.vertex.agent.llm_request": read_input,
    "gcp.vertex.agent.llm_response": read_output,
    "gen_ai.prompt": read_input,
    "gen_ai.completion": read_output,
    "input.value": read_input,
    "output.value": read_output,
    "traceloop.entity.input": _decoding(read_input),
    "traceloop.entity.output": _decoding(read_output),
    "llm.prompts": read_input,
    "langfuse.trace.input": read_input,
    "langfuse.trace.output": read_output,
    "final_result": _answer,
}

SELDOM: Final = re.compile(
    r'"(?:messages|contents|prompt|input|system|instructions?|instruction_parts|tools|functions'
    r'|function_tools|message|choices|candidates|output|content|combined_chunk_content)"\s*+:'
)
CONDITIONAL: Final[Mapping[str, re.Pattern[str]]] = {
    "request_data": SELDOM,
    "response_data": SELDOM,
    "model_request_parameters": SELDOM,
    "llm.invocation_parameters": SELDOM,
    "events": re.compile(r'"event\.name"\s*+:'),
}
"""Attributes that hold content, and more, if this is found in them."""

TOOL_TEXTS: Final[Mapping[str, str]] = {
    "ai.toolCall.args": "tool_arguments",
    "ai.toolCall.result": "tool_result",
    "tool_arguments": "tool_arguments",
    "tool_response": "tool_result",
    "gcp.vertex.agent.tool_call_args": "tool_arguments",
    "gcp.vertex.agent.tool_response": "tool_result",
}
TEXTS_OF_TOOL_SPANS: Final[Mapping[str, str]] = {
    **TOOL_TEXTS,
    "input.value": "tool_arguments",
    "output.value": "tool_result",
    "langfuse.observation.input": "tool_arguments",
    "langfuse.observation.output": "tool_result",
    "traceloop.entity.input": "tool_arguments",
    "traceloop.entity.output": "tool_result",
}
_KINDS: Final = ("openinference.span.kind", "langfuse.observation.type", "traceloop.span.kind")


def is_tool(attributes: Attributes) -> bool:
    """Tell whether a span is the run of a tool, by what its dialect says."""
    kinds = [attributes.get(kind) for kind in _KINDS]
    return any(isinstance(kind, str) and kind.lower() == "tool" for kind in kinds)


RAW: Final = frozenset(
    [
        "ai.response.files",
        "ai.result.files",
        "ai.embedding",
        "ai.embeddings",
        "ai.schema",
        "llm.function_call",
        "traceloop.prompt.template",
        "traceloop.prompt.template_variables",
        "llm.prompt_template.template",
        "llm.prompt_template.variables",
        "reranker.query",
        "tool.parameters",
        "gen_ai.retrieval.documents",
        "gen_ai.retrieval.query.text",
        "gen_ai.memory.records",
        "gen_ai.memory.query.text",
        "mlflow.spanInputs",
        "mlflow.spanOutputs",
        "gcp.vertex.agent.data",
    ]
)
"""Content that is no message."""

RAW_PATTERN: Final = re.compile(
    r"""(?:retrieval\.documents|reranker\.(?:in|out)put_documents)\.\d.*+
    | traceloop\.prompt\.template_variables\..*+
    | llm\.(?!token_count\.|usage\.|cost\.|request\.|response\.)[^.]++\.
      (?:messages|system|input|output|instructions|tools|functions|prompt|contents|content
        |choices|candidates|text|reasoning)""",
    re.VERBOSE,
)
