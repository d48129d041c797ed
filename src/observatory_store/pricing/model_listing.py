"""What a source says of one model beside its prices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec

from observatory_store.pricing import names

MOST_TOKENS: Final = 10**9
_MOST_MODALITIES: Final = 16
_EARLIEST: Final = date(2018, 1, 1)
_LATEST: Final = date(2100, 1, 1)
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


class ModelListing(msgspec.Struct, frozen=True, kw_only=True):
    """One model in a source's catalogue. None: it does not say."""

    provider: str
    """In the store's vocabulary."""
    model: str
    """What the source calls it, in lower case."""
    display_name: str | None = None
    mode: str | None = None
    """What it is called for: ``chat``, ``embedding``, …"""
    context_window: int | None = None
    """Most input tokens of a call."""
    max_output_tokens: int | None = None
    input_modalities: tuple[str, ...] | None = None
    """``text``, ``image``, ``audio``, ``video``, ``pdf``, …"""
    output_modalities: tuple[str, ...] | None = None
    capabilities: Mapping[str, bool] = {}
    """Without those of which the source says nothing."""
    deprecated: bool = False
    """It says so without a date."""
    deprecation_date: date | None = None
    row: dict[str, Any]
    """All that the source says, as it says it."""


SAID: Final = tuple(
    name for name in ModelListing.__struct_fields__ if name not in {"provider", "model", "row"}
)
"""The fields that tell something of the model."""


def check_model(listing: ModelListing) -> ModelListing:
    """Return the listing.

    Raises:
        ValueError: a value is out of its bounds.

    """
    names.check(listing.model)
    if listing.display_name is not None and (
        not listing.display_name.isprintable() or len(listing.display_name) > names.MAX_NAME
    ):
        raise ValueError(f"the display name is not printable, or over {names.MAX_NAME} characters")
    if listing.mode is not None and not _WORD.fullmatch(listing.mode):
        raise ValueError("mode is no word of a-z, 0-9 and _")
    for name in ("context_window", "max_output_tokens"):
        value = getattr(listing, name)
        if value is not None and not 1 <= value <= MOST_TOKENS:
            raise ValueError(f"{name} is not from 1 to {MOST_TOKENS:,}: {value}")
    for name in ("input_modalities", "output_modalities"):
        value = getattr(listing, name)
        if value is not None and not (
            1 <= len(value) <= _MOST_MODALITIES and all(map(_WORD.fullmatch, value))
        ):
            raise ValueError(f"{name} are not 1 to {_MOST_MODALITIES} words of a-z, 0-9 and _")
    if listing.deprecation_date and not _EARLIEST <= listing.deprecation_date <= _LATEST:
        raise ValueError(f"deprecation_date is absurd: {listing.deprecation_date}")
    return listing


def same(one: ModelListing, other: ModelListing) -> bool:
    """Tell whether both say the same of a model, in whatever words."""
    return all(getattr(one, name) == getattr(other, name) for name in SAID)
