"""What a row of LiteLLM's file says of a model beside its prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final

from observatory_store.pricing.json_file import Pairs, number, shown
from observatory_store.pricing.model_listing import ModelListing, check_model

_TEXT, _IMAGE, _AUDIO, _VIDEO = ("text",), ("image",), ("audio",), ("video",)
_BY_MODE: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "audio_speech": (_TEXT, _AUDIO),
    "audio_transcription": (_AUDIO, _TEXT),
    "chat": (_TEXT, _TEXT),
    "completion": (_TEXT, _TEXT),
    "embedding": (_TEXT, ()),
    "image_edit": (("text", "image"), _IMAGE),
    "image_generation": (_TEXT, _IMAGE),
    "moderation": (_TEXT, ()),
    "rerank": (_TEXT, ()),
    "responses": (_TEXT, _TEXT),
    "video_generation": (_TEXT, _VIDEO),
}
"""What a model of this mode takes and gives, where its row does not list it."""

_TAKES: Final = {
    "supports_vision": "image",
    "supports_image_input": "image",
    "supports_embedding_image_input": "image",
    "supports_audio_input": "audio",
    "supports_video_input": "video",
    "supports_pdf_input": "pdf",
}
_GIVES: Final = {"supports_audio_output": "audio"}
_CAPABILITIES: Final = {
    "supports_assistant_prefill": "assistant_prefill",
    "supports_audio_input": "audio_input",
    "supports_audio_output": "audio_output",
    "supports_computer_use": "computer_use",
    "supports_function_calling": "tools",
    "supports_native_streaming": "streaming",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_pdf_input": "pdf_input",
    "supports_prompt_caching": "prompt_caching",
    "supports_reasoning": "reasoning",
    "supports_response_schema": "structured_output",
    "supports_system_messages": "system_messages",
    "supports_tool_choice": "tool_choice",
    "supports_url_context": "url_context",
    "supports_video_input": "video_input",
    "supports_vision": "vision",
    "supports_web_search": "web_search",
}
_FLAGS: Final = tuple(dict.fromkeys([*_CAPABILITIES, *_TAKES]))
FIELDS: Final = frozenset(
    {
        "deprecation_date",
        "max_input_tokens",
        "max_output_tokens",
        "mode",
        "supported_modalities",
        "supported_output_modalities",
        *_FLAGS,
    }
)
"""What is read of a row."""

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")


def model_listing(key: str, row: Pairs, provider: str, model: str) -> ModelListing:
    """Return what a row says of its model.

    Raises:
        ValueError: it says something that cannot be.

    """
    _refuse_contradictions(row)
    flags = {name: _flag(name, row[name]) for name in _FLAGS if row.get(name) is not None}
    mode = _text("mode", row.get("mode"))
    takes, gives = _BY_MODE.get(mode or "", ((), ()))
    return check_model(
        ModelListing(
            provider=provider,
            model=model,
            mode=mode,
            context_window=_tokens("max_input_tokens", row.get("max_input_tokens")),
            max_output_tokens=_tokens("max_output_tokens", row.get("max_output_tokens")),
            input_modalities=_modalities(row, "supported_modalities", takes, _TAKES, flags),
            output_modalities=_modalities(row, "supported_output_modalities", gives, _GIVES, flags),
            capabilities={
                capability: flags[name]
                for name, capability in sorted(_CAPABILITIES.items(), key=lambda item: item[1])
                if name in flags
            },
            deprecation_date=_date(row.get("deprecation_date")),
            row={"key": key, **row},
        )
    )


def _refuse_contradictions(row: Pairs) -> None:
    for name, value in row.pairs:
        if name in FIELDS and row[name] != value:
            raise ValueError(f"{name} stands there twice")


def _flag(name: str, value: Any) -> bool:  # noqa: ANN401 - JSON
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")  # noqa: TRY004 - of the file's content
    return value


def _text(name: str, value: Any) -> str | None:  # noqa: ANN401 - JSON
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value


def _tokens(name: str, value: Any) -> int | None:  # noqa: ANN401 - JSON
    """Return a number of tokens; 0 is how the file says that there is none to tell."""
    if value is None:
        return None
    count: Decimal = number(name, value)
    # Bounded first: the integer of 1E400 has 400 digits.
    if count.adjusted() > len(str(2**63)) or count != int(count):
        raise ValueError(f"{name} is no whole number of tokens: {shown(str(count))}")
    return int(count) or None


def _modalities(
    row: Pairs,
    name: str,
    default: tuple[str, ...],
    flagged: Mapping[str, str],
    flags: Mapping[str, bool],
) -> tuple[str, ...] | None:
    stated = row.get(name) or default
    if not isinstance(stated, list | tuple) or not all(isinstance(one, str) for one in stated):
        raise ValueError(f"{name} is not a list of words")
    also = [modality for flag, modality in flagged.items() if flags.get(flag)]
    return tuple(dict.fromkeys([*stated, *also])) or None


def _date(value: Any) -> date | None:  # noqa: ANN401 - JSON
    text = _text("deprecation_date", value)
    if not text:
        return None
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"deprecation_date is no date as 2026-01-31: {shown(text)!r}")
