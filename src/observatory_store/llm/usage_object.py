"""The usage objects of the providers' interfaces, as columns.

Every interface counts in its own way: which tokens its input leaves out is a line of its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from observatory_store.llm import conversion
from observatory_store.llm.convention import TOTAL_TOKENS, UNCOUNTED_INPUT, UNUSABLE

Path: TypeAlias = tuple[str, ...]
"""The keys that lead to a count; a list of modalities is entered by a modality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    keys: frozenset[str]
    """An object with any of these keys has this shape, if it has none before it."""
    input: Path
    output: Path
    total: Path
    more_input: Path | None = None
    """Input that has no column of its own and that the input leaves out."""
    within: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Column → where its count is, as a part of the input or output."""
    apart: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Column → where its count is, beside the input or output, which leaves it out."""


def _gemini(camel_case: bool) -> _Shape:  # noqa: FBT001 - the two spellings of one table
    def path(name: str, *rest: str) -> Path:
        if camel_case:
            head, *tail = name.split("_")
            name = head + "".join(map(str.capitalize, tail))
        return name, *rest

    return _Shape(
        keys=frozenset(path(name)[0] for name in ("prompt_token_count", "candidates_token_count")),
        input=path("prompt_token_count"),
        output=path("candidates_token_count"),
        total=path("total_token_count"),
        more_input=path("tool_use_prompt_token_count"),
        within={
            "cache_read_tokens": (path("cached_content_token_count"),),
            "input_audio_tokens": (path("prompt_tokens_details", "AUDIO"),),
            "input_image_tokens": (path("prompt_tokens_details", "IMAGE"),),
            "output_audio_tokens": (path("candidates_tokens_details", "AUDIO"),),
            "output_image_tokens": (path("candidates_tokens_details", "IMAGE"),),
        },
        apart={"reasoning_tokens": (path("thoughts_token_count"),)},
    )


_SHAPES: Final = (
    # OpenAI's chat completions, and LiteLLM, which takes all providers to its form: where it tells
    # of written tokens only on the outside, its input leaves them out (1.72).
    _Shape(
        keys=frozenset({"prompt_tokens", "completion_tokens"}),
        input=("prompt_tokens",),
        output=("completion_tokens",),
        total=("total_tokens",),
        within={
            "cache_read_tokens": (
                ("prompt_tokens_details", "cached_tokens"),
                ("cache_read_input_tokens",),
            ),
            "cache_write_tokens": (
                ("prompt_tokens_details", "cache_write_tokens"),
                ("prompt_tokens_details", "cache_creation_tokens"),
            ),
            "reasoning_tokens": (("completion_tokens_details", "reasoning_tokens"),),
            "input_audio_tokens": (("prompt_tokens_details", "audio_tokens"),),
            "output_audio_tokens": (("completion_tokens_details", "audio_tokens"),),
            "input_image_tokens": (("prompt_tokens_details", "image_tokens"),),
            "output_image_tokens": (("completion_tokens_details", "image_tokens"),),
            "web_search_requests": (
                ("prompt_tokens_details", "web_search_requests"),
                ("server_tool_use", "web_search_requests"),
            ),
        },
        apart={"cache_write_tokens": (("cache_creation_input_tokens",),)},
    ),
    _gemini(camel_case=True),
    _gemini(camel_case=False),
    # Langfuse's own, flat: each kind of token is beside the others, and the total is their sum.
    _Shape(
        keys=frozenset({"input", "output"}),
        input=("input",),
        output=("output",),
        total=("total",),
        apart={
            "cache_read_tokens": (
                ("cache_read_input_tokens",),
                ("input_cached_tokens",),
                ("input_cache_read",),
                ("cache_read",),
            ),
            "cache_write_tokens": (
                ("cache_creation_input_tokens",),
                ("input_cache_creation",),
                ("cache_write",),
            ),
            "reasoning_tokens": (("output_reasoning_tokens",), ("output_reasoning",)),
            "input_audio_tokens": (("input_audio_tokens",), ("input_audio",)),
            "output_audio_tokens": (("output_audio_tokens",), ("output_audio",)),
        },
    ),
    # Anthropic: what was read from the cache and written to it is beside the input.
    _Shape(
        keys=frozenset({"cache_read_input_tokens", "cache_creation_input_tokens"}),
        input=("input_tokens",),
        output=("output_tokens",),
        total=("total_tokens",),
        within={"web_search_requests": (("server_tool_use", "web_search_requests"),)},
        apart={
            "cache_read_tokens": (("cache_read_input_tokens",),),
            "cache_write_tokens": (("cache_creation_input_tokens",),),
        },
    ),
    # OpenAI's responses.
    _Shape(
        keys=frozenset({"input_tokens", "output_tokens"}),
        input=("input_tokens",),
        output=("output_tokens",),
        total=("total_tokens",),
        within={
            "cache_read_tokens": (("input_tokens_details", "cached_tokens"),),
            "cache_write_tokens": (("input_tokens_details", "cache_write_tokens"),),
            "reasoning_tokens": (("output_tokens_details", "reasoning_tokens"),),
            "input_audio_tokens": (("input_tokens_details", "audio_tokens"),),
            "output_audio_tokens": (("output_tokens_details", "audio_tokens"),),
            "input_image_tokens": (("input_tokens_details", "image_tokens"),),
            "output_image_tokens": (("output_tokens_details", "image_tokens"),),
            "web_search_requests": (("server_tool_use", "web_search_requests"),),
        },
    ),
)

_OUTPUT_COLUMNS: Final = frozenset(
    {"reasoning_tokens", "output_audio_tokens", "output_image_tokens"}
)


def read_usage(document: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON document
    """Return the columns that a usage object gives, and nothing if it is none.

    The input has the cached tokens in it and the output the reasoning, whether or not the object
    says so. Beside the columns: :data:`TOTAL_TOKENS`, :data:`UNCOUNTED_INPUT`, :data:`UNUSABLE`.
    """
    if not isinstance(document, Mapping):
        return {}
    shape = next((shape for shape in _SHAPES if not shape.keys.isdisjoint(document)), None)
    if shape is None:
        return {}
    within = _counts(shape.within, document)
    apart = {
        column: count
        for column, count in _counts(shape.apart, document).items()
        if column not in within
    }
    columns = within | apart
    left_out = {
        is_output: sum(n for column, n in apart.items() if (column in _OUTPUT_COLUMNS) is is_output)
        for is_output in (False, True)
    }
    if shape.more_input is not None:
        left_out[False] += _count(document, shape.more_input) or 0
    found = _count(document, shape.input)
    _put(columns, "input_tokens", None if found is None else found + left_out[False])
    if left_out[False]:
        _put(columns, UNCOUNTED_INPUT, found)
    found = _count(document, shape.output)
    _put(columns, "output_tokens", None if found is None else found + left_out[True])
    _put(columns, TOTAL_TOKENS, _count(document, shape.total))
    if _has_unusable(shape, document):
        columns[UNUSABLE] = True
    tier = conversion.service_tier(document.get("service_tier"))
    return columns if tier is None else {**columns, "service_tier": tier}


def _put(columns: dict[str, Any], column: str, count: int | None) -> None:
    if count is not None:
        if count <= conversion.MAX_COUNT:
            columns[column] = count
        else:
            columns[UNUSABLE] = True


def _counts(paths: Mapping[str, tuple[Path, ...]], document: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for column, candidates in paths.items():
        for path in candidates:
            count = _count(document, path)
            if count is not None:
                found[column] = count
                break
    return found


def _has_unusable(shape: _Shape, document: Mapping[str, Any]) -> bool:
    paths = [shape.input, shape.output, shape.total]
    paths += [] if shape.more_input is None else [shape.more_input]
    paths += [path for each in (*shape.within.values(), *shape.apart.values()) for path in each]
    said = (_at(document, path) for path in paths)
    return any(conversion.is_said(each) and conversion.count(each) is None for each in said)


def _count(document: Mapping[str, Any], path: Path) -> int | None:
    return conversion.count(_at(document, path))


def _at(document: Mapping[str, Any], path: Path) -> Any:  # noqa: ANN401 - a JSON document
    found: Any = document
    for key in path:
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list):
            found = _of_modality(found, key)
        else:
            return None
    return found


def _of_modality(counts: list[Any], modality: str) -> Any:  # noqa: ANN401 - a JSON document
    for each in counts:
        if isinstance(each, Mapping) and each.get("modality") == modality:
            return each.get("tokenCount", each.get("token_count"))
    return None
