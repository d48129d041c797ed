"""How a span's numbers of tokens contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

CACHED_OVER_INPUT: Final = "cached_over_input"
"""More tokens were read from the cache and written to it than the whole input has."""
REASONING_OVER_OUTPUT: Final = "reasoning_over_output"
"""More tokens were spent on reasoning than the whole output has."""
MEDIA_OVER_INPUT: Final = "media_over_input"
"""More tokens of audio and images than the whole input has."""
MEDIA_OVER_OUTPUT: Final = "media_over_output"
"""More tokens of audio and images than the output has beside the reasoning."""
UNUSABLE_COUNT: Final = "unusable_count"
"""A count was sent that is none: negative, not whole, not a number, or too large."""
TOTAL_MISMATCH: Final = "total_mismatch"
"""A total was sent that is not the input and the output together."""
SOURCES_DISAGREE: Final = "sources_disagree"
"""Two attributes give one column different numbers."""
REPEATS_PARENT: Final = "repeats_parent"
"""The call is that of a span around this one, which counts."""
COUNTED_ELSEWHERE: Final = "counted_elsewhere"
"""The call is that of another span, which has its numbers and counts; this one has none."""


def part_conflicts(columns: Mapping[str, Any]) -> list[str]:
    """Say which parts are larger than their whole."""
    conflicts = []
    cached = columns.get("cache_read_tokens", 0) + columns.get("cache_write_tokens", 0)
    if cached and cached > columns.get("input_tokens", cached):
        conflicts.append(CACHED_OVER_INPUT)
    reasoning = columns.get("reasoning_tokens", 0)
    if reasoning and reasoning > columns.get("output_tokens", reasoning):
        conflicts.append(REASONING_OVER_OUTPUT)
    heard_and_seen = columns.get("input_audio_tokens", 0) + columns.get("input_image_tokens", 0)
    if heard_and_seen > columns.get("input_tokens", heard_and_seen):
        conflicts.append(MEDIA_OVER_INPUT)
    made = columns.get("output_audio_tokens", 0) + columns.get("output_image_tokens", 0)
    if made and made + reasoning > columns.get("output_tokens", made + reasoning):
        conflicts.append(MEDIA_OVER_OUTPUT)
    return conflicts


def is_total_wrong(columns: Mapping[str, Any], total: int, uncounted_input: int | None) -> bool:
    """Tell whether a total is neither the sum nor what it was before the input was completed."""
    if "input_tokens" not in columns and "output_tokens" not in columns:
        return False
    output = columns.get("output_tokens", 0)
    sums = {columns.get("input_tokens", 0) + output}
    if uncounted_input is not None:
        sums.add(uncounted_input + output)
    return total not in sums


def joined(conflicts: Iterable[str]) -> str | None:
    """Return conflicts as the column has them: sorted, with a comma between."""
    return ",".join(sorted(conflicts)) or None
