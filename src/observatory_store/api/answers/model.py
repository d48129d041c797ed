"""Models of the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Page, micro_time

Day = Annotated[str, Field(json_schema_extra={"format": "date"}, examples=["2026-01-31"])]
Modalities = Annotated[list[str] | None, Field(examples=[["text", "image"]])]


class Model(Answer):
    """What is known of a model; null: not known."""

    provider: str
    model: str
    """In lower case."""
    display_name: str | None
    mode: str | None
    """What it is called for: ``chat``, ``embedding``, …"""
    context_window: int | None
    """Most input tokens of a call."""
    max_output_tokens: int | None
    input_modalities: Modalities
    output_modalities: Modalities
    capabilities: Annotated[dict[str, bool], Field(examples=[{"tools": True, "vision": False}])]
    """What it can and cannot; absent: no source says."""
    deprecated: bool
    """A source says so, or its date has come."""
    deprecation_date: Day | None
    sources: list[str]
    """``genai-prices``, ``litellm``."""
    synced_at: MicroTime
    """When a sync last changed what is said of it."""
    last_seen_at: MicroTime
    """When a sync last found it listed."""


class ModelPage(Page):
    """Models, by provider and name."""

    models: list[Model]


class ModelDetails(Model):
    """A model, and all that its sources say of it."""

    source_rows: dict[str, Any]
    """By source, as it says it."""


def model(record: repositories.ModelRecord) -> Model:
    """Return a model."""
    return Model(**_fields(record))


def model_details(record: repositories.ModelRecord, source_rows: msgspec.Raw) -> ModelDetails:
    """Return a model with what its sources say."""
    return ModelDetails(**_fields(record), source_rows=msgspec.json.decode(source_rows))


def _fields(record: repositories.ModelRecord) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(record),
        "deprecation_date": record.deprecation_date and record.deprecation_date.isoformat(),
        "synced_at": micro_time(record.synced_at),
        "last_seen_at": micro_time(record.last_seen_at),
    }
