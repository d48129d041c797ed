"""What a source of prices says of one model."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from observatory_store.pricing.model_listing import ModelListing
from observatory_store.pricing.tariff import Tariff


class Segment(NamedTuple):
    """A price from one time on, until the next segment's."""

    start: datetime | None
    """None: since ever, or rather since nobody knows when."""
    tariff: Tariff | None
    """None: not stated."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The prices of one model over time."""

    provider: str
    """In the store's vocabulary."""
    model: str
    """What the source calls it; unique for the provider."""
    names: tuple[str, ...]
    """Names and patterns of names that are this model: see :mod:`names`."""
    segments: tuple[Segment, ...]
    """Ascending; the first begins with None."""
    row: dict[str, Any]
    """All that the source says, as it says it."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a source that cannot be used."""

    row: str
    """Its key or name."""
    reason: str


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """All that a source says."""

    name: str
    """``genai-prices`` or ``litellm``."""
    version: str
    listings: tuple[Listing, ...]
    refused: tuple[Refusal, ...] = ()
    """Rows that are wrong."""
    skipped: tuple[Refusal, ...] = ()
    """Rows that are right but state no price of tokens or calls."""
    mentioned: frozenset[tuple[str, str]] = frozenset()
    """Provider and model of every row that has a name, refused and skipped ones too."""
    models: tuple[ModelListing, ...] = ()
    """The catalogue: also of models that have no price of tokens."""
    refused_models: tuple[Refusal, ...] = ()
    """Rows that say something of a model that cannot be."""
