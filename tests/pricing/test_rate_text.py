"""Prices as a person types them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from observatory_store.pricing.rate_text import read_rates
from observatory_store.pricing.tariff import ContextTier, ServiceTier, Tariff


def test_rates_of_all_kinds() -> None:
    """For a million tokens, but for a call and a search; with a batch's and a long context's."""
    assert read_rates(
        [
            "input=2.50",
            "Output=10",
            "request=0.005",
            "batch.input=1.25",
            "200000.input=5",
            "batch.200000.input=2.5",
        ]
    ) == Tariff(
        input=Decimal("0.0000025"),
        output=Decimal("0.00001"),
        request=Decimal("0.005"),
        context_tiers=(ContextTier(above=200_000, input=Decimal("0.000005")),),
        service_tiers={
            "batch": ServiceTier(
                input=Decimal("0.00000125"),
                context_tiers=(ContextTier(above=200_000, input=Decimal("0.0000025")),),
            )
        },
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2.50", "is no rate"),
        ("inputs=1", "is no rate"),
        ("a.b.input=1", "is no rate"),
        ("input=", "is no number"),
        ("input=1,5", "is no number"),
        ("input=$1", "is no number"),
        ("input=NaN", "no number"),
        ("input=-1", "negative"),
        ("input=10001", "absurd"),
        ("batch.input=1", "at least one rate"),
    ],
)
def test_slips_of_the_hand(text: str, message: str) -> None:
    """A comma for a point must not become another price."""
    with pytest.raises(ValueError, match=message):
        read_rates([text])
    with pytest.raises(ValueError, match="twice"):
        read_rates(["input=1", "input=2"])
