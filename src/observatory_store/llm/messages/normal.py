"""The normal form of messages, as the GenAI conventions define it in JSON schemas.

Messages are a list of ``{role, parts, …}``, those of an answer with a ``finish_reason``; system
instructions are a list of parts. A part is ``{type, …}``:

==================  ================================================
text, reasoning     ``content``
tool_call           ``name``, ``id``, ``arguments``
tool_call_response  ``id``, ``response``
blob                ``content`` (base64), ``modality``, ``mime_type``
uri                 ``uri``, ``modality``, ``mime_type``
file                ``file_id``, ``modality``, ``mime_type``
any other           whatever its sender put there
==================  ================================================

Tool definitions are a list of ``{type, name, description, parameters, …}``. Further keys may stand
everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar, Union

import msgspec
from msgspec import UNSET, Raw, UnsetType

Part: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Definition: TypeAlias = dict[str, Any]

REQUIRED: Final[Mapping[str, str]] = {
    "text": "content",
    "reasoning": "content",
    "tool_call": "name",
    "tool_call_response": "response",
    "blob": "content",
    "uri": "uri",
    "file": "file_id",
}
"""Type of a part → what it cannot be without."""

FOREIGN: Final = frozenset(
    [
        "input_text",
        "output_text",
        "summary_text",
        "refusal",
        "thinking",
        "redacted_thinking",
        "image",
        "image_url",
        "input_image",
        "image-url",
        "input_audio",
        "audio",
        "binary",
        "document",
        "tool_use",
        "tool_result",
        "tool-call",
        "tool-result",
        "function_call",
        "function_call_output",
        "inline_data",
        "file_data",
    ]
)
"""Types of parts in other dialects that have a counterpart here."""


class _Part(msgspec.Struct):
    # Of a part that is none of the known, each may be anything.
    type: str
    content: Raw | UnsetType = UNSET
    name: Raw | UnsetType = UNSET
    response: Raw | UnsetType = UNSET
    uri: Raw | UnsetType = UNSET
    file_id: Raw | UnsetType = UNSET


class _Message(msgspec.Struct):
    role: str
    parts: list[_Part] = []
    # What stands beside the parts in other dialects.
    content: Raw | UnsetType = UNSET
    tool_calls: Raw | UnsetType = UNSET
    tool_call_id: Raw | UnsetType = UNSET


def _known(kind: str, required: str, type_: Any) -> type[msgspec.Struct]:  # noqa: ANN401
    return msgspec.defstruct(f"_{kind}", [(required, type_)], tag=kind, gc=False)


_KnownPart: Any = Union[  # noqa: UP007 - of types that are made here
    tuple(_known(kind, key, Raw if key == "response" else str) for kind, key in REQUIRED.items())
]


class _PlainMessage(msgspec.Struct, gc=False):
    """A message of parts that are all known, with null at most where other dialects have theirs."""

    role: str
    parts: list[_KnownPart] = []
    content: None = None
    tool_calls: None = None
    tool_call_id: None = None


class _Definition(msgspec.Struct):
    type: str
    name: str
    parameters: Raw | UnsetType = UNSET
    input_schema: Raw | UnsetType = UNSET


def is_messages(text: str) -> bool:
    """Tell whether a JSON text is a list of messages in normal form."""
    if _decoded(_plain_messages, text) is not None:
        return True
    messages = _decoded(_messages, text)
    return messages is not None and all(map(_is_message, messages))


def is_parts(text: str) -> bool:
    """Tell whether a JSON text is a list of parts in normal form."""
    parts = _decoded(_parts, text)
    return parts is not None and all(map(_is_part, parts))


def is_definitions(text: str) -> bool:
    """Tell whether a JSON text is a list of definitions in normal form."""
    definitions = _decoded(_definitions, text)
    return definitions is not None and all(
        one.input_schema is UNSET or one.parameters is not UNSET for one in definitions
    )


def is_part(part: Part) -> bool:
    """Tell whether a map is a part in normal form."""
    kind = part.get("type")
    if not isinstance(kind, str):
        return False
    required = REQUIRED.get(kind)
    if required is None:
        return kind not in FOREIGN
    return required in part and (required == "response" or isinstance(part[required], str))


def parsed(text: str) -> Any:  # noqa: ANN401 - a JSON document
    """Return the document that a text is, or None if it is none, or no list or map.

    A surrogate without its partner becomes U+FFFD.
    """
    # A text of a person seldom begins so; then nothing has to be tried.
    if text.lstrip(_SPACE)[:1] not in _BRACKETS:
        return None
    document = _decoded(_any, text)
    if document is None and "\\u" in text:
        document = _decoded(_any, _ESCAPE.sub(_replaced, text))
    return document if isinstance(document, list | dict) else None


def readable(text: str) -> str:
    r"""Return a JSON text of a list or map with its letters as such, and not as ``\u00e9``.

    Any other text is returned as it is.
    """
    if "\\u" not in text:
        return text
    document = parsed(text)
    return text if document is None or repeats_key(text) else encoded(document) or text


def repeats_key(text: str) -> bool:
    """Tell whether a map in a JSON text has a key twice, so that its document lacks a value."""
    try:
        json.loads(text, object_pairs_hook=_unrepeated, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return True
    return False


def encoded(document: Any) -> str | None:  # noqa: ANN401 - a JSON document
    """Return a document as JSON text, or None if it is nested too deep."""
    try:
        return _encoder.encode(document).decode()
    except (RecursionError, OverflowError):
        return None


def merged(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> dict[str, Any]:
    """Return a map together with one that was nested in it, whose values go first.

    What they say differently is under ``outer``; what is null is left out.
    """
    found = {key: value for key, value in inner.items() if value is not None}
    rest = {
        key: value
        for key, value in outer.items()
        if value is not None and found.setdefault(key, value) != value
    }
    return {**found, "outer": rest} if rest else found


def _replaced(escape: re.Match[str]) -> str:
    return r"\ufffd" if escape[1] else escape[0]


def _unrepeated(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) > 1 and len({key for key, _ in pairs}) < len(pairs):
        raise ValueError


def _is_message(message: _Message) -> bool:
    return (
        message.content is UNSET
        and message.tool_calls is UNSET
        and message.tool_call_id is UNSET
        and all(map(_is_part, message.parts))
    )


def _is_part(part: _Part) -> bool:
    required = REQUIRED.get(part.type)
    if required is None:
        return part.type not in FOREIGN
    value = getattr(part, required)
    if value is UNSET or required == "response":
        return value is not UNSET
    text = bytes(value)
    return text.startswith(b'"') or (required == "name" and text == b"null")


_Decoded = TypeVar("_Decoded")

_SPACE: Final = " \t\r\n"
_BRACKETS: Final = ("[", "{")
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape of a JSON string: a pair of surrogates, one without its partner, or any other."""
_encoder = msgspec.json.Encoder()
_any: Callable[[str], Any] = msgspec.json.Decoder().decode
_plain_messages = msgspec.json.Decoder(list[_PlainMessage]).decode
_messages = msgspec.json.Decoder(list[_Message]).decode
_parts = msgspec.json.Decoder(list[_Part]).decode
_definitions = msgspec.json.Decoder(list[_Definition]).decode


def _decoded(decode: Callable[[str], _Decoded], text: str) -> _Decoded | None:
    try:
        return decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
