"""Whether the computed cost or the sent one is stored."""

from __future__ import annotations

from decimal import Decimal

import pytest

from observatory_store.pricing import CostSource, Price, choose

COMPUTED, SENT = Price(Decimal(1), "price:1"), Price(Decimal(2), "sent")


@pytest.mark.parametrize(
    ("source", "both", "only_computed", "only_sent"),
    [
        ("computed", COMPUTED, COMPUTED, None),
        ("computed_first", COMPUTED, COMPUTED, SENT),
        ("sent_first", SENT, COMPUTED, SENT),
        ("sent", SENT, None, SENT),
    ],
)
def test_choice(
    source: str, both: Price | None, only_computed: Price | None, only_sent: Price | None
) -> None:
    """The reference says which one it was, so that nobody takes the one for the other."""
    chosen = CostSource(source)
    assert choose(chosen, COMPUTED, Decimal(2)) == both
    assert choose(chosen, COMPUTED, None) == only_computed
    assert choose(chosen, None, Decimal(2)) == only_sent
    assert choose(chosen, None, None) is None
