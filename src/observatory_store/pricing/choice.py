"""Which cost is taken: the one computed from a price, or the one that the sender says."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from observatory_store.pricing.pricer import Price
from observatory_store.settings import CostSource

SENT: Final = "sent"
"""The reference of a cost that the sender says."""


def choose(source: CostSource, computed: Price | None, sent: Decimal | None) -> Price | None:
    """Return the cost to store, or None if what may be used is not known."""
    said = None if sent is None else Price(sent, SENT)
    match source:
        case CostSource.COMPUTED:
            return computed
        case CostSource.COMPUTED_FIRST:
            return said if computed is None else computed
        case CostSource.SENT_FIRST:
            return computed if said is None else said
        case CostSource.SENT:
            return said
