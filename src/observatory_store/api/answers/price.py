"""Prices of models."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from pydantic import Field

from observatory_store import repositories
from observatory_store.api.answers.base import Answer, MicroTime, Page, micro_time, money
from observatory_store.pricing import Tariff

Rates = Annotated[
    dict[str, Any],
    Field(
        description="US dollars for one token of each class (`request`, `web_search`: for one), "
        "with `context_tiers`, `service_tiers` and `hours` where there are any.",
        examples=[{"input": "0.0000025", "service_tiers": {"batch": {"input": "0.00000125"}}}],
    ),
]


class Price(Answer):
    """What a model costs in a span of time."""

    price_ref: str
    """As in the spans that it priced: ``price:7``."""
    source: str
    """``user``, ``genai-prices`` or ``litellm``."""
    provider: str
    model: str
    """The model as the source calls it."""
    names: list[str]
    """Names that it is for; ``*`` is any text, ``#`` a digit, ``!`` excludes."""
    valid_from: MicroTime | None
    """Null: since ever."""
    valid_to: MicroTime | None
    """Not included; null: until further notice."""
    rates: Rates
    source_version: str | None
    synced_at: MicroTime


class PricePage(Page):
    """Prices, by provider and model."""

    prices: list[Price]


class UnpricedModel(Answer):
    """A model with calls that have no cost."""

    provider: str | None
    model: str | None
    """The model that answered, or else the one that was asked for."""
    requests: int
    without_tokens: int
    """Calls that came without their input or output tokens: no price helps them."""
    input_tokens: int
    output_tokens: int
    first_seen: MicroTime
    last_seen: MicroTime


class UnpricedModels(Answer):
    """Models with calls that have no cost, the most called first."""

    from_: Annotated[MicroTime, Field(alias="from")]
    """Beginning of the range."""
    to: MicroTime
    """End of the range, not included."""
    models: list[UnpricedModel]


def price(record: repositories.PriceRecord) -> Price:
    """Return a price."""
    return Price(
        price_ref=f"price:{record.price_id}",
        source=record.source,
        provider=record.provider,
        model=record.model,
        names=list(record.names),
        valid_from=None if record.valid_from is None else micro_time(record.valid_from),
        valid_to=None if record.valid_to is None else micro_time(record.valid_to),
        rates=_rates(record.tariff),
        source_version=record.source_version,
        synced_at=micro_time(record.synced_at),
    )


def unpriced_model(row: repositories.UnpricedModel) -> UnpricedModel:
    """Return a model."""
    return UnpricedModel(
        **{
            **msgspec.structs.asdict(row),
            "first_seen": micro_time(row.first_seen),
            "last_seen": micro_time(row.last_seen),
        }
    )


def _rates(tariff: Tariff) -> dict[str, Any]:
    plain: dict[str, Any] = _plain(msgspec.to_builtins(tariff, builtin_types=(Decimal, time)))
    return plain


def _plain(value: Any) -> Any:  # noqa: ANN401 - what a tariff holds
    match value:
        case Decimal():
            return money(value)
        case time():
            return value.isoformat()
        case dict():
            return {name: _plain(part) for name, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _:
            return value
