"""What calls cost: every expected cost is worked out by hand."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import ROUND_UP, Context, Decimal, Inexact, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory_store.pricing.tariff import ContextTier, Hours, ServiceTier, Tariff

from .books import NOON, cost, in_tokens, tariff


def test_cached_input_is_charged_once() -> None:
    """200 fresh x $2.50 + 800 read x $1.25 + 100 output x $10, a million tokens:
    500 + 1,000 + 1,000 millionths.
    """
    prices = tariff(input="2.50", cache_read="1.25", output="10")
    assert cost(prices, input_tokens=1000, cache_read_tokens=800, output_tokens=100) == Decimal(
        "0.0025"
    )


def test_cache_writes_are_charged_once_and_dearer() -> None:
    """100 fresh x $3 + 700 read x $0.30 + 200 written x $3.75 + 50 output x $15:
    300 + 210 + 750 + 750 millionths.
    """
    prices = tariff(input="3", cache_read="0.30", cache_write="3.75", output="15")
    assert cost(
        prices,
        input_tokens=1000,
        cache_read_tokens=700,
        cache_write_tokens=200,
        output_tokens=50,
    ) == Decimal("0.00201")


def test_reasoning_has_its_own_rate_or_that_of_output() -> None:
    """10 input x $1, 60 answer x $2, 40 reasoning x $3: 10 + 120 + 120 millionths; without a rate
    of its own 10 + 200.
    """
    used = {"input_tokens": 10, "output_tokens": 100, "reasoning_tokens": 40}
    assert cost(tariff(input="1", output="2", reasoning="3"), **used) == Decimal("0.00025")
    assert cost(tariff(input="1", output="2"), **used) == Decimal("0.00021")


def test_a_long_context_is_charged_by_its_tier_from_the_first_token_on() -> None:
    """At 200,000 tokens all are $3 and output $15; one more and all are $6 and $22.50:
    200,000 x 3 + 10 x 15 = 600,150 millionths; 200,001 x 6 + 10 x 22.5 = 1,200,231.
    The cached ones keep their rate: 100,000 x 0.3 instead of x 6.
    """
    prices = tariff(
        input="3",
        output="15",
        cache_read="0.3",
        context_tiers=(ContextTier(above=200_000, **in_tokens({"input": "6", "output": "22.5"})),),
    )
    assert cost(prices, input_tokens=200_000, output_tokens=10) == Decimal("0.600150")
    assert cost(prices, input_tokens=200_001, output_tokens=10) == Decimal("1.200231")
    assert cost(
        prices, input_tokens=200_001, cache_read_tokens=100_000, output_tokens=10
    ) == Decimal("0.630231")


SERVICE = tariff(
    input="2",
    output="8",
    cache_read="0.5",
    context_tiers=(ContextTier(above=1000, **in_tokens({"input": "4"})),),
    service_tiers={
        "batch": ServiceTier(**in_tokens({"input": "1", "output": "4"})),
        "priority": ServiceTier(
            **in_tokens({"input": "3", "output": "14"}),
            context_tiers=(ContextTier(above=1000, **in_tokens({"input": "6"})),),
        ),
    },
)


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (None, "0.00027"),  # 75 x 2 + 10 x 8 + 80 x 0.5 (cached)
        ("default", "0.00027"),
        ("Standard", "0.00027"),
        ("batch", "0.000155"),  # 75 x 1 + 10 x 4 + 80 x 0.5: its cached rate is not stated
        ("priority", "0.000405"),  # 75 x 3 + 10 x 14 + 80 x 0.5
        ("flex", None),
        ("scale", None),
    ],
)
def test_service_tiers(tier: str | None, expected: str | None) -> None:
    """A batch costs half; a tier whose price is not stated costs nobody knows what."""
    used = {"input_tokens": 155, "cache_read_tokens": 80, "output_tokens": 10}
    found = cost(SERVICE, service_tier=tier, **used)
    assert found == (None if expected is None else Decimal(expected))


def test_a_service_tier_and_a_long_context() -> None:
    """1,001 x $6 + 1 x $14 where priority has its own long rate: 6,020 millionths. What batch costs
    where all else costs more, its $1 for short calls does not tell.
    """
    used = {"input_tokens": 1001, "output_tokens": 1}
    assert cost(SERVICE, service_tier="priority", **used) == Decimal("0.006020")
    assert cost(SERVICE, service_tier="batch", **used) is None
    assert cost(SERVICE, service_tier="batch", input_tokens=1000, output_tokens=0) is not None


def test_cached_tokens_of_a_service_tier_and_a_long_context() -> None:
    """A cached token would be charged as a fresh one where only its own long rate is not stated."""
    long = ContextTier(above=1000, **in_tokens({"input": "4", "cache_read": "2"}))
    batch = ServiceTier(
        **in_tokens({"input": "1", "cache_read": "0.5"}),
        context_tiers=(ContextTier(above=1000, **in_tokens({"input": "2"})),),
    )
    prices = tariff(
        input="2", cache_read="1", output="8", context_tiers=(long,), service_tiers={"batch": batch}
    )
    used = {"service_tier": "batch", "input_tokens": 2000}
    assert cost(prices, **used) == Decimal("0.004")
    assert cost(prices, **used, cache_read_tokens=1) is None


def test_hours_and_a_long_context() -> None:
    """The rate of a short call at night is not that of a long one."""
    night = Hours(start=time(0), end=time(0), **in_tokens({"input": "1"}))
    long = ContextTier(above=1000, **in_tokens({"input": "4"}))
    prices = tariff(input="2", output="0", context_tiers=(long,), hours=(night,))
    assert cost(prices, input_tokens=1000) == Decimal("0.001")
    assert cost(prices, input_tokens=1001) is None


def test_audio_and_images_have_their_own_rates() -> None:
    """70 text x $0.50 + 20 audio x $10 + 10 image x $1, then 5 text x $2 + 15 audio x $20:
    35 + 200 + 10 + 10 + 300 millionths.
    """
    prices = tariff(input="0.5", output="2", input_audio="10", output_audio="20", input_image="1")
    used = {
        "input_tokens": 100,
        "input_audio_tokens": 20,
        "input_image_tokens": 10,
        "output_tokens": 20,
        "output_audio_tokens": 15,
    }
    assert cost(prices, **used) == Decimal("0.000555")
    without = tariff(input="0.5", output="2")
    assert cost(without, **used) == Decimal("0.00009")  # 100 x 0.5 + 20 x 2


def test_nobody_says_how_much_of_the_audio_was_cached() -> None:
    """A guess would be wrong by the difference of the rates, up to eighty times."""
    used = {"input_tokens": 100, "input_audio_tokens": 20, "cache_read_tokens": 30}
    prices = tariff(input="0.5", output="2", cache_read="0.1", input_audio="10")
    assert cost(prices, output_tokens=0, **used) is None
    # Where audio is priced as text it does not matter: 70 x 0.5 + 30 x 0.1
    without = tariff(input="0.5", output="2", cache_read="0.1")
    assert cost(without, output_tokens=0, **used) == Decimal("0.000038")


def test_fees_for_the_call_and_for_searches() -> None:
    """10 x $1 + 10 x $2 a million, $0.005 for the call, 3 searches x $0.01."""
    used = {"input_tokens": 10, "output_tokens": 10}
    prices = tariff(input="1", output="2", request="0.005", web_search="0.01")
    assert cost(prices, **used) == Decimal("0.00503")
    assert cost(prices, web_search_requests=3, **used) == Decimal("0.03503")
    assert cost(tariff(input="1", output="2"), web_search_requests=3, **used) is None


def test_hours() -> None:
    """Half price from 22:00 to 02:00, a tenth at the week-end; a batch costs what a batch costs.

    100 input tokens: at $1, $0.50, $0.10 and $0.20 a million.
    """
    prices = tariff(
        input="1",
        output="1",
        service_tiers={"batch": ServiceTier(**in_tokens({"input": "0.2"}))},
        hours=(
            Hours(start=time(0), end=time(0), days=(6, 7), **in_tokens({"input": "0.1"})),
            Hours(start=time(22), end=time(2), **in_tokens({"input": "0.5"})),
        ),
    )

    def at(hour: float, **fields: Any) -> Decimal | None:
        start = NOON + timedelta(hours=hour - 12)
        return cost(prices, time=start, input_tokens=100, **fields)

    full, half, tenth = Decimal("0.0001"), Decimal("0.00005"), Decimal("0.00001")
    assert [at(21.99), at(22), at(24), at(25.99), at(26)] == [full, half, half, half, full]
    assert [at(12 + 2 * 24), at(12 + 3 * 24), at(12 + 4 * 24), at(12 + 5 * 24)] == [
        *(full, tenth, tenth, full)
    ]
    assert at(23, service_tier="batch") == Decimal("0.00002")


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": None},
        {"output_tokens": None},
        {"input_tokens": -1},
        {"cache_read_tokens": 11},
        {"cache_read_tokens": 6, "cache_write_tokens": 5},
        {"cache_write_tokens": -1},
        {"reasoning_tokens": 11},
        {"reasoning_tokens": -1},
        {"input_audio_tokens": 11},
        {"input_audio_tokens": -1},
        {"input_audio_tokens": 6, "input_image_tokens": 5},
        {"reasoning_tokens": 6, "output_audio_tokens": 5},
        {"web_search_requests": -1},
        {"provider": None},
        {"provider": "other"},
        {"request_model": None},
        {"request_model": "other"},
        {"request_model": "m" * 100_000},
    ],
    ids=str,
)
def test_what_is_unknown_or_contradictory_has_no_cost(fields: dict[str, Any]) -> None:
    """A cost of 0, or a negative one, would be taken for true."""
    used = {"input_tokens": 10, "output_tokens": 10} | fields
    assert cost(tariff(input="1", output="1"), **used) is None


def test_a_class_without_any_rate_has_no_cost() -> None:
    """An embedding model's price says nothing of output tokens."""
    prices = tariff(input="1")
    assert cost(prices, input_tokens=10, output_tokens=1) is None
    assert cost(prices, input_tokens=10, output_tokens=0) == Decimal("0.00001")
    assert cost(prices, input_tokens=10, output_tokens=None, operation="embeddings") == Decimal(
        "0.00001"
    )


EVERYTHING = tariff(
    input="1.1",
    output="2.3",
    cache_read="0.5",
    cache_write="0.7",
    reasoning="1.3",
    output_audio="17",
    output_image="19",
    web_search="0.023",
)
CLASSES = {
    "fresh": {"input_tokens": 1},
    "cache_read": {"input_tokens": 1, "cache_read_tokens": 1},
    "cache_write": {"input_tokens": 1, "cache_write_tokens": 1},
    "answer": {"output_tokens": 1},
    "reasoning": {"output_tokens": 1, "reasoning_tokens": 1},
    "output_audio": {"output_tokens": 1, "output_audio_tokens": 1},
    "output_image": {"output_tokens": 1, "output_image_tokens": 1},
    "web_search": {"web_search_requests": 1},
}


def _total(amounts: dict[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for name, amount in amounts.items():
        for field, factor in CLASSES[name].items():
            total[field] = total.get(field, 0) + factor * amount
    return total


@given(st.fixed_dictionaries({name: st.integers(0, 10**12) for name in CLASSES}))
def test_the_cost_of_disjoint_classes_is_additive(amounts: dict[str, int]) -> None:
    """A token that counted in two classes, or rounding, would show here."""
    whole = cost(EVERYTHING, **_total(amounts))
    parts = [cost(EVERYTHING, **_total({name: amount})) for name, amount in amounts.items()]
    assert whole is not None
    with localcontext(Context(prec=60)):
        assert whole == sum(part for part in parts if part is not None)
    assert None not in parts


@given(st.decimals(0, 1, places=20), st.integers(0, 2**63 - 1), st.decimals(0, 1, places=20))
def test_costs_are_exact_in_any_decimal_context(rate: Decimal, tokens: int, fee: Decimal) -> None:
    """A process with its own decimal settings would store rounded costs, or none."""
    expected = (rate.as_integer_ratio()[0] * tokens, rate.as_integer_ratio()[1])
    with localcontext(Context(prec=2, rounding=ROUND_UP, traps=[Inexact])):
        found = cost(Tariff(input=rate, request=fee), input_tokens=tokens)
    assert found is not None
    numerator, denominator = found.as_integer_ratio()
    fee_numerator, fee_denominator = fee.as_integer_ratio()
    assert numerator * expected[1] * fee_denominator == denominator * (
        expected[0] * fee_denominator + fee_numerator * expected[1]
    )
