"""What stored calls cost by the prices as they are now known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from observatory_store.pricing.choice import choose
from observatory_store.pricing.cost import EXACT
from observatory_store.pricing.pricer import Price, Pricer, Usage
from observatory_store.settings import CostSource

StoredCall: TypeAlias = Mapping[str, Any]
"""The fields of ``Usage`` and ``cost_usd``, ``price_ref``, ``sent_cost_usd``."""

_USAGE: Final = Usage.__struct_fields__
_ZERO: Final = Decimal(0)


class Repriced(NamedTuple):
    """A call whose cost is another one now."""

    call: StoredCall
    cost_usd: Decimal | None
    price_ref: str | None


class ModelCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What calls of one model cost before and cost now."""

    provider: str | None
    model: str | None
    """The model that answered, or else the one that was asked for."""
    calls: int
    changed: int
    priced: int
    """Calls that had no cost and have one now."""
    unpriced: int
    """Calls that had a cost and have none now."""
    old_cost_usd: Decimal
    new_cost_usd: Decimal

    def __add__(self, other: ModelCosts) -> ModelCosts:
        """Return the costs of both together."""
        return ModelCosts(
            provider=self.provider,
            model=self.model,
            calls=self.calls + other.calls,
            changed=self.changed + other.changed,
            priced=self.priced + other.priced,
            unpriced=self.unpriced + other.unpriced,
            old_cost_usd=EXACT.add(self.old_cost_usd, other.old_cost_usd),
            new_cost_usd=EXACT.add(self.new_cost_usd, other.new_cost_usd),
        )


def reprice(
    calls: Iterable[StoredCall], pricer: Pricer, source: CostSource
) -> tuple[list[Repriced], list[ModelCosts]]:
    """Return the calls whose cost is another one now, and what all of them cost, by model.

    A cost without ``price_ref`` was told by the program that stored the call: it stays. A cost that
    comes out the same keeps its reference.
    """
    changed = []
    costs: list[ModelCosts] = []
    for call in calls:
        old: Decimal | None = call["cost_usd"]
        new, reference = old, call["price_ref"]
        if old is None or reference is not None:
            price = _price(call, pricer, source)
            new, reference = (None, None) if price is None else (price.cost_usd, price.reference)
        if new != old:
            changed.append(Repriced(call, new, reference))
        response: str | None = call["response_model"]
        costs.append(
            ModelCosts(
                provider=call["provider"],
                model=call["request_model"] if response is None else response,
                calls=1,
                # Numbers, as JSON tells true from 1.
                changed=int(new != old),
                priced=int(old is None and new is not None),
                unpriced=int(old is not None and new is None),
                old_cost_usd=old or _ZERO,
                new_cost_usd=new or _ZERO,
            )
        )
    return changed, add_up(costs)


def add_up(costs: Iterable[ModelCosts]) -> list[ModelCosts]:
    """Return the costs with one row for each provider and model."""
    found: dict[tuple[str | None, str | None], ModelCosts] = {}
    for one in costs:
        key = (one.provider, one.model)
        before = found.get(key)
        found[key] = one if before is None else before + one
    return list(found.values())


def total(costs: Iterable[ModelCosts]) -> ModelCosts:
    """Return the costs of all models together, as of no provider and model."""
    nothing = ModelCosts(
        provider=None,
        model=None,
        calls=0,
        changed=0,
        priced=0,
        unpriced=0,
        old_cost_usd=_ZERO,
        new_cost_usd=_ZERO,
    )
    return sum(costs, start=nothing)


def _price(call: StoredCall, pricer: Pricer, source: CostSource) -> Price | None:
    usage = Usage(**{name: call[name] for name in _USAGE})
    return choose(source, pricer.price(usage), call["sent_cost_usd"])
