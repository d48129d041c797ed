"""Parts of a message, from the shape of any dialect to the normal form.

A part keeps every key that has no place of its own, so that a converted part says what it said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from observatory_store.llm.messages.normal import REQUIRED, Part, is_part, merged, parsed

Convert: TypeAlias = Callable[[Part], Part]

_DATA_URL: Final = re.compile(r"data:([\w.+-]++/[\w.+*-]++)?;base64,")


def text_part(content: str) -> Part:
    """Return a text."""
    return {"type": "text", "content": content}


def parts_of(content: Any) -> list[Part]:  # noqa: ANN401 - a JSON document
    """Return what a message says, given as a text, a part, or a list of them."""
    if content is None or content == "":
        return []
    if not isinstance(content, list):
        content = [content]
    return [part_of(one) for one in content if one is not None]


def part_of(value: Any) -> Part:  # noqa: ANN401 - a JSON document
    """Return one part."""
    if isinstance(value, str):
        return text_part(value)
    part = _converted(value) if isinstance(value, dict) else None
    return part if part is not None and is_part(part) else {"type": "value", "value": value}


def _converted(value: Part) -> Part | None:
    if isinstance(inner := value.get("message_content"), dict):
        value = merged(_without(value, ("message_content",)), inner)
    kind = value.get("type", value.get("kind"))
    convert = _CONVERSIONS.get(kind) if isinstance(kind, str) else None
    if convert is not None:
        return convert(value)
    if isinstance(kind, str):
        return value if "type" in value else {"type": kind} | _without(value, ("kind",))
    for key, conversion in _BY_KEY.items():
        if key in value:
            return conversion(value)
    return None


def tool_call(value: Any) -> Part:  # noqa: ANN401 - a JSON document
    """Return the call of a tool, however it is nested."""
    if not isinstance(value, dict):
        return {"type": "value", "value": value}
    rest = dict(value)
    inner = rest.pop("tool_call", None)
    if isinstance(inner, dict):
        rest = merged(rest, inner)
    function = rest.pop("function", None)
    if isinstance(function, dict):
        rest = merged(rest, function)
    found = _with_arguments(_TOOL_CALL({**rest, "type": "tool_call"}))
    return found if is_part(found) else {"type": "value", "value": value}


def tool_response(call_id: Any, response: Any) -> Part:  # noqa: ANN401 - a JSON document
    """Return the result of a tool's call."""
    found: Part = {"type": "tool_call_response"}
    if call_id is not None:
        found["id"] = call_id
    return found | {"response": response}


def _renaming(kind: str, **names: str) -> Convert:
    """Return the conversion to parts of a kind; ``names`` are of a key, former names of it."""
    by_name = {name: old.split() for name, old in names.items()}

    def convert(part: Part) -> Part:
        rest = _without(part, ("type", "kind"))
        found: Part = {"type": kind}
        for name, old_names in by_name.items():
            for old in (name, *old_names):
                if name not in found and rest.get(old) is not None:
                    found[name] = rest.pop(old)
        return found | {key: value for key, value in rest.items() if value is not None}

    return convert


def _without(part: Mapping[str, Any], keys: Iterable[str]) -> Part:
    return {key: value for key, value in part.items() if key not in keys}


def _with_arguments(part: Part) -> Part:
    arguments = part.get("arguments")
    if isinstance(arguments, str) and isinstance(found := parsed(arguments), dict):
        part["arguments"] = found
    if "name" not in part:
        part["name"] = ""
    return part


def _call(part: Part) -> Part:
    return tool_call(_without(part, ("type",)))


def _responding(part: Part) -> Part:
    found = _RESPONSE(part)
    output = found.setdefault("response", None)
    # Vercel's outputs say of which type they are.
    if isinstance(output, dict) and output.keys() == {"type", "value"}:
        found["response"] = output["value"]
    return found


def _content(part: Part) -> Part:
    found = _TEXT(part)
    return found if isinstance(found.get("content"), str) else part


def _reasoning(part: Part) -> Part:
    found = _REASONING(part)
    summary = found.get("summary")
    if "content" not in found and isinstance(summary, list):
        texts = [one.get("text") for one in summary if isinstance(one, dict)]
        if all(isinstance(one, str) for one in texts):
            found["content"] = "\n".join(map(str, texts))
            if all(isinstance(one, dict) and one.keys() <= {"type", "text"} for one in summary):
                del found["summary"]
    found.setdefault("content", "")
    return found


def _media(modality: str | None, *keys: str) -> Convert:
    """Return the conversion of what holds a URL or base64 under one of the keys, maybe nested."""

    def convert(part: Part) -> Part:
        rest = {key: value for key, value in part.items() if value is not None}
        rest.pop("type", None)
        rest.pop("kind", None)
        # At most three levels: image.image.url of OpenInference.
        for _ in range(3):
            nested = next((key for key in keys if isinstance(rest.get(key), dict)), None)
            if nested is None:
                break
            rest = merged(rest, rest.pop(nested))
            rest.pop("type", None)
        mime_type = next((rest.pop(key) for key in _MIME if isinstance(rest.get(key), str)), None)
        sound = rest.pop("format", None) if modality == "audio" else None
        if sound is not None and mime_type is None:
            mime_type = f"audio/{sound}"
        found: Part | None = None
        for key in (*keys, *_DATA):
            if isinstance(value := rest.get(key), str):
                del rest[key]
                found = _located(value, mime_type)
                break
        if found is None:
            if not isinstance(rest.get("file_id"), str):
                return part
            found = {"type": "file", "file_id": rest.pop("file_id")}
            if mime_type is not None:
                found["mime_type"] = mime_type
        kind = rest.pop("modality", None) if isinstance(rest.get("modality"), str) else modality
        kind = kind or str(found.get("mime_type", "")).partition("/")[0]
        found = {"type": found.pop("type"), "modality": kind or "file", **found}
        return merged(rest, found)

    return convert


def _located(value: str, mime_type: str | None) -> Part:
    if match := _DATA_URL.match(value):
        found: Part = {"type": "blob", "content": value[match.end() :]}
        mime_type = match[1] or mime_type
    elif "://" in value[:32] or value.startswith(("data:", "@@@")):
        found = {"type": "uri", "uri": value}
    else:
        found = {"type": "blob", "content": value}
    return found if mime_type is None else {"type": found["type"], "mime_type": mime_type} | found


def _google_call(part: Part) -> Part:
    return _nested(tool_call, part, "functionCall", "function_call")


def _google_response(part: Part) -> Part:
    return _nested(_responding, part, "functionResponse", "function_response")


def _nested(convert: Convert, part: Part, *keys: str) -> Part:
    key = next(key for key in keys if key in part)
    inner = part[key]
    return convert(merged(_without(part, (key,)), inner)) if isinstance(inner, dict) else part


_MIME: Final = ("mime_type", "mimeType", "media_type", "mediaType")
_DATA: Final = ("url", "data", "file_data", "fileUri", "file_uri", "binary_content")
_TEXT: Final = _renaming("text", content="text refusal")
_REASONING: Final = _renaming("reasoning", content="text thinking reasoning data")
_TOOL_CALL: Final = _renaming(
    "tool_call",
    id="call_id toolCallId tool_call_id",
    name="toolName tool_name",
    arguments="input args",
)
_RESPONSE: Final = _renaming(
    "tool_call_response",
    id="tool_use_id call_id toolCallId tool_call_id",
    response="result output content",
)
_IMAGE: Final = _media("image", "image_url", "image", "source")
_FILE: Final = _media(None, "file", "source", "inlineData", "inline_data", "fileData", "file_data")

_CONVERSIONS: Final[Mapping[str, Convert]] = {
    **dict.fromkeys(("text", "input_text", "output_text", "summary_text", "refusal"), _content),
    **dict.fromkeys(("reasoning", "thinking", "redacted_thinking"), _reasoning),
    **dict.fromkeys(("tool_call", "tool_use", "tool-call", "function_call"), _call),
    **dict.fromkeys(
        ("tool_call_response", "tool_result", "tool-result", "function_call_output"), _responding
    ),
    **dict.fromkeys(("image", "image_url", "input_image", "image-url"), _IMAGE),
    **dict.fromkeys(("audio", "input_audio"), _media("audio", "input_audio", "audio")),
    **dict.fromkeys(("document", "inline_data", "file_data"), _FILE),
    "binary": _media(None, "content"),
    "file": lambda part: part if isinstance(part.get("file_id"), str) else _FILE(part),
    **{kind: lambda part: part for kind in ("blob", "uri")},
}
_BY_KEY: Final[Mapping[str, Convert]] = {
    "text": _content,
    "tool_call": tool_call,
    "functionCall": _google_call,
    "function_call": _google_call,
    "functionResponse": _google_response,
    "function_response": _google_response,
    "inlineData": _FILE,
    "inline_data": _FILE,
    "fileData": _FILE,
}
"""Of parts that do not say their type, as Google's."""

assert _CONVERSIONS.keys() >= REQUIRED.keys()  # noqa: S101 - the tables belong together
