"""Messages, from the shape of any dialect to the normal form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from observatory_store.llm.messages.normal import Definition, Message, Part, merged, parsed
from observatory_store.llm.messages.parts import (
    part_of,
    parts_of,
    text_part,
    tool_call,
    tool_response,
)

_ROLES: Final[Mapping[str, str]] = {"model": "assistant", "human": "user", "ai": "assistant"}
_ITEMS: Final[Mapping[str, str]] = {
    "function_call": "assistant",
    "function_call_output": "tool",
    "reasoning": "assistant",
}
"""Items of OpenAI's responses API that are no messages, and who says them."""

_REASONING: Final = ("reasoning_content", "reasoning", "thinking")
_FINISH: Final = ("finish_reason", "finishReason", "stop_reason")
_CHOICE: Final = frozenset({"message", "tool_calls", "logprobs", *_FINISH, "index"})
_RESPONSES: Final = frozenset({"tool_call_response", "tool_result", "tool-result"})
_SILENCE: Final[Part] = {"type": "text", "content": ""}
_REDUNDANT: Final = ("index", "event.name", "gen_ai.system", "gen_ai.message.index")
"""What the order of messages, or the span itself, says already."""


def is_message(value: Any) -> bool:  # noqa: ANN401 - a JSON document
    """Tell whether a document looks like one message, or like one item of the responses API.

    An answer of Anthropic's looks like a message too, but for its usage.
    """
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("role"), str):
        return "usage" not in value
    if isinstance(value.get("message"), dict):
        return value.keys() <= _CHOICE
    return _item_role(value) is not None


def _item_role(value: Mapping[str, Any]) -> str | None:
    kind = value.get("type")
    return _ITEMS.get(kind) if isinstance(kind, str) else None


def messages_of(value: Any, role: str) -> list[Message] | None:  # noqa: ANN401 - a JSON document
    """Return the messages that a text, a message, or a list of either is; None if it is neither.

    ``role`` is of those that name none.
    """
    if isinstance(value, str):
        return [{"role": role, "parts": [text_part(value)]}] if value else []
    if is_message(value):
        return [message_of(value, role)]
    if not isinstance(value, list):
        return None
    if all(isinstance(one, str) or is_message(one) for one in value):
        return [message_of(one, role) for one in value]
    return None


def message_of(value: Any, role: str) -> Message:  # noqa: ANN401 - a JSON document
    """Return one message."""
    if not isinstance(value, dict):
        return {"role": role, "parts": parts_of(value)}
    if (item_role := _item_role(value)) and "role" not in value:
        return {"role": item_role, "parts": [part_of(value)]}
    rest = {key: item for key, item in value.items() if item is not None}
    for key in _REDUNDANT:
        rest.pop(key, None)
    inner = rest.pop("message", None)
    if isinstance(inner, dict):
        rest = merged(rest, inner)
    elif inner is not None:
        rest = merged(rest, {"content": inner})
    if rest.get("type") == "message":
        del rest["type"]
    said = rest.pop("role", role)
    if isinstance(said, str):
        role = _ROLES.get(said, said)
    else:
        rest["unknown_role"] = said
    finish = next((rest.pop(key) for key in _FINISH if isinstance(rest.get(key), str)), None)
    message: Message = {"role": role, "parts": _parts(rest, role)}
    if finish is not None:
        message["finish_reason"] = finish
    return message | {key: item for key, item in rest.items() if item != []}


def _parts(rest: dict[str, Any], role: str) -> list[Part]:
    """Return a message's parts, and take what they are made of out of the map."""
    parts: list[Part] = []
    for key in _REASONING:
        if isinstance(rest.get(key), str):
            parts += [{"type": "reasoning", "content": rest.pop(key)}]
    content = [rest.pop(key) for key in ("parts", "content", "contents") if key in rest]
    call_id = rest.pop("tool_call_id", None)
    if role == "tool" and call_id is None:
        call_id = rest.pop("id", None)
    for each in content:
        if role == "tool" and each is not None and not _has_responses(each):
            parts.append(tool_response(call_id, _plain(each)))
            call_id = None
        else:
            parts += parts_of(each)
    if call_id is not None:
        parts.append(tool_response(call_id, None))
    calls = rest.pop("tool_calls", None)
    if calls is not None:
        parts += map(tool_call, calls if isinstance(calls, list) else [calls])
    if isinstance(rest.get("function_call"), dict):
        parts.append(tool_call(rest.pop("function_call")))
    if len(parts) > 1:
        parts = [part for part in parts if part != _SILENCE]
    return _distinct(parts)


def _has_responses(content: Any) -> bool:  # noqa: ANN401 - a JSON document
    """Tell whether a tool's message says by its parts which call each answers."""
    return isinstance(content, list) and any(
        isinstance(one, dict)
        and (str(one.get("type")) in _RESPONSES or "functionResponse" in one or "tool_call" in one)
        for one in content
    )


def _plain(content: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Return the bare result, if a text is the only part."""
    if isinstance(content, list) and len(content) == 1:
        part = part_of(content[0])
        if part.keys() == {"type", "content"} and part["type"] == "text":
            return part["content"]
    return content


def _distinct(parts: list[Part]) -> list[Part]:
    """Return the parts without tool calls that stand among the contents and beside them."""
    calls = [part for part in parts if part.get("type") == "tool_call" and part.get("id")]
    if len(calls) < 2:  # noqa: PLR2004 - two are needed for one to be another's copy
        return parts
    kept: list[Part] = []
    places: dict[tuple[str, str], int] = {}
    for part in parts:
        if part.get("type") == "tool_call" and isinstance(call_id := part.get("id"), str):
            place = places.setdefault((call_id, part["name"]), len(kept))
            if place < len(kept) and kept[place].get("arguments") == part.get("arguments"):
                kept[place] = merged(part, kept[place])
                continue
        kept.append(part)
    return kept


def definitions_of(value: Any) -> list[Definition] | None:  # noqa: ANN401 - a JSON document
    """Return definitions of tools from a list of them, each a map or its JSON text."""
    if not isinstance(value, list):
        return None
    found = []
    for one in value:
        definition = parsed(one) if isinstance(one, str) else one
        if not isinstance(definition, dict):
            return None
        found.append(_definition(definition))
    return found


_SCHEMAS: Final = ("parameters", "input_schema", "inputSchema", "parameters_json_schema")


def _definition(value: dict[str, Any]) -> Definition:
    rest = {key: item for key, item in value.items() if item is not None}
    function = rest.pop("function", None)
    if isinstance(function, dict):
        rest = merged(rest, function)
    for key in ("type", "name"):
        if not isinstance(rest.get(key, ""), str):
            rest[f"unknown_{key}"] = rest.pop(key)
    found: Definition = {"type": rest.pop("type", "function"), "name": rest.pop("name", "")}
    if "description" in rest:
        found["description"] = rest.pop("description")
    for key in _SCHEMAS:
        if "parameters" not in found and key in rest:
            schema = rest.pop(key)
            inner = parsed(schema) if isinstance(schema, str) else None
            found["parameters"] = schema if inner is None else inner
    return found | rest
