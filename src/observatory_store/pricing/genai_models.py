"""What genai-prices says of a model beside its prices."""

from __future__ import annotations

import dataclasses
from typing import Any

from genai_prices.types import ModelInfo, ModelPrice, Provider

from observatory_store.pricing.model_listing import ModelListing, check_model
from observatory_store.pricing.providers import canonical


def model_listing(provider: Provider, model: ModelInfo) -> ModelListing:
    """Return what the library says of a model.

    Raises:
        ValueError: it says something that cannot be.

    """
    name = None if model.name is None else model.name.strip()
    return check_model(
        ModelListing(
            provider=canonical(provider.id),
            model=model.id.lower(),
            display_name=name or None,
            context_window=model.context_window,
            deprecated=bool(model.deprecated),
            row={"provider": provider.id, **plain(model)},
        )
    )


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever the library's classes hold
    """Return the value as JSON has it, without what is empty."""
    if dataclasses.is_dataclass(value) or isinstance(value, ModelPrice):
        return {name: plain(part) for name, part in vars(value).items() if part is not None}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    return value
