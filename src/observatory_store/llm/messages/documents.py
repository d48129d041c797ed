"""Whole requests and answers, as providers take and give them, in the normal form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from observatory_store.llm.messages.message import (
    definitions_of,
    is_message,
    message_of,
    messages_of,
)
from observatory_store.llm.messages.normal import Message, merged
from observatory_store.llm.messages.parts import parts_of


class Found(NamedTuple):
    """What a document says."""

    fields: dict[str, list[dict[str, Any]]]
    """Field of the payload → what it holds in the normal form."""
    whole: bool
    """Whether the fields say all that the document says."""


def read_input(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    """Return what a request, a list of messages, or a text asks; None if it is none of them."""
    if (messages := messages_of(document, "user")) is not None:
        return Found({"input_messages": messages}, whole=True) if messages else None
    return _read(document, _REQUEST) if isinstance(document, dict) else None


def read_output(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    """Return what an answer, a list of messages, or a text says; None if it is none of them."""
    if (messages := messages_of(document, "assistant")) is not None:
        return Found({"output_messages": messages}, whole=True) if messages else None
    return _read(document, _ANSWER) if isinstance(document, dict) else None


def read_conversation(document: Any) -> Found | None:  # noqa: ANN401 - a JSON document
    """Return a list of messages as the question and, if it ends with one, the answer.

    Messages may be events, which say by their name who speaks.
    """
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        return None
    said = [message_of(one, _speaker(one)) for one in document]
    choices = [one.get("event.name") == "gen_ai.choice" for one in document]
    if not any(choices) and said and said[-1]["role"] == "assistant":
        choices[-1] = True
    sides = {"input_messages": False, "output_messages": True}
    return _found(
        {
            field: [one for one, chosen in zip(said, choices, strict=True) if chosen is is_output]
            for field, is_output in sides.items()
        },
        whole=True,
    )


def _speaker(event: Mapping[str, Any]) -> str:
    name = event.get("event.name")
    kind = name.split(".")[1] if isinstance(name, str) and name.count(".") > 1 else ""
    return kind or ("assistant" if name == "gen_ai.choice" else "user")


def _read(document: dict[str, Any], keys: Mapping[str, _Key]) -> Found | None:
    rest = {key: value for key, value in document.items() if value is not None}
    fields: dict[str, list[dict[str, Any]]] = {}
    for key, (field, convert) in keys.items():
        if key not in rest or field in fields:
            continue
        converted = convert(rest[key])
        if converted:
            fields[field] = converted
        if converted is not None:
            del rest[key]
    return _found(fields, whole=not rest)


def _found(fields: dict[str, list[dict[str, Any]]], *, whole: bool) -> Found | None:
    fields = {field: value for field, value in fields.items() if value}
    return Found(fields, whole=whole) if fields else None


def _input(value: Any) -> list[Message] | None:  # noqa: ANN401 - a JSON document
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return [message_of(one, "user") for one in value]
    return messages_of(value, "user")


def _output(value: Any) -> list[Message] | None:  # noqa: ANN401 - a JSON document
    return messages_of(value, "assistant")


def _choices(value: Any) -> list[Message] | None:  # noqa: ANN401 - a JSON document
    """Return OpenAI's choices or Google's candidates."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        return None
    return [message_of(_flat(one), "assistant") for one in value]


def _flat(choice: dict[str, Any]) -> dict[str, Any]:
    content = choice.get("content")
    if not isinstance(content, dict):
        return choice
    return merged({key: value for key, value in choice.items() if key != "content"}, content)


def _instructions(value: Any) -> list[dict[str, Any]] | None:  # noqa: ANN401 - a JSON document
    if isinstance(value, dict) and "parts" in value:
        value = value["parts"]
    elif is_message(value):
        return message_of(value, "system")["parts"]  # type: ignore[no-any-return]
    return parts_of(value) if isinstance(value, str | list) else None


def _answer_content(value: Any) -> list[Message] | None:  # noqa: ANN401 - a JSON document
    return [message_of({"content": value}, "assistant")] if value else None


_Key = tuple[str, Callable[[Any], list[dict[str, Any]] | None]]

_REQUEST: Final[Mapping[str, _Key]] = {
    **dict.fromkeys(("messages", "contents", "input", "prompt"), ("input_messages", _input)),
    **dict.fromkeys(
        ("system", "instructions", "system_instruction", "systemInstruction"),
        ("system_instructions", _instructions),
    ),
    **dict.fromkeys(("tools", "functions", "function_tools"), ("tool_definitions", definitions_of)),
}
_ANSWER: Final[Mapping[str, _Key]] = {
    **dict.fromkeys(("choices", "candidates"), ("output_messages", _choices)),
    "message": ("output_messages", _output),
    "output": ("output_messages", _output),
    "combined_chunk_content": ("output_messages", _output),
    "content": ("output_messages", _answer_content),
}
