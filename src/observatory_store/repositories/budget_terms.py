"""What a budget may be: names, amounts, periods, filters, shares, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias, cast

import msgspec

from observatory_store.errors import InvalidInputError
from observatory_store.repositories.analytics.families import DIMENSIONS, usage_family
from observatory_store.repositories.analytics.intervals import zone_of
from observatory_store.repositories.analytics.question import Filter, filter_values
from observatory_store.rows.budget import PERIODS, Period

Number: TypeAlias = Decimal | str | float

FILTERS: Final = tuple(name for name in DIMENSIONS if name != "tool")
"""Those of usage, but for tools, whose executions have no cost."""
MOST_USD: Final = Decimal(10**12)
MOST_CHARACTERS: Final = 100
"""Of a name."""
MOST_SHARES: Final = 10
MOST_SHARE: Final = Decimal(10)
WARN_AT: Final = (Decimal("0.5"), Decimal("0.8"), Decimal(1))

_MOST_DECIMALS: Final = 18
_LONG: Final = frozenset({"quarter", "year"})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget is, but for its amount; by default those of a new one."""

    period: Period = "month"
    tz: str = "UTC"
    filters: Mapping[str, tuple[str, ...]] = {}
    warn_at: tuple[Decimal, ...] = WARN_AT

    def replace(
        self,
        *,
        period: str | None,
        tz: str | None,
        filters: Mapping[str, Filter] | None,
        warn_at: Iterable[Number] | None,
    ) -> Terms:
        """Return these terms with what is not None in the place of theirs.

        Raises:
            InvalidInputError: a value is not allowed; the message names it, and what is.

        """
        terms = Terms(
            period=self.period if period is None else _period(period),
            tz=self.tz if tz is None else zone_of(tz).key,
            filters=self.filters if filters is None else _filters(filters),
            warn_at=self.warn_at if warn_at is None else _shares(warn_at),
        )
        if terms.period in _LONG and not usage_family(terms.filters).rollups:
            raise InvalidInputError(
                f"period: calls by {' and '.join(sorted(terms.filters))} together are counted from "
                "spans, which are not kept for a quarter: take day, week or month, or fewer filters"
            )
        return terms


def check_name(name: str) -> str:
    """Return the name.

    Raises:
        InvalidInputError: it is none.

    """
    if (
        not 1 <= len(name) <= MOST_CHARACTERS
        or not name.isprintable()
        or name != name.strip()
        or "/" in name
        or not name.strip(".")
    ):
        raise InvalidInputError(
            f"name: a budget's name is 1 to {MOST_CHARACTERS} printable characters, without a "
            "slash or spaces at its ends, and not only dots"
        )
    return name


def check_amount(given: Number) -> Decimal:
    """Return an amount.

    Raises:
        InvalidInputError: it is none.

    """
    amount = _decimal(given)
    if amount is None or not 0 < amount <= MOST_USD:
        raise InvalidInputError(
            f"amount_usd: US dollars over 0, up to {MOST_USD:,}, with at most {_MOST_DECIMALS} "
            f"decimals, not {str(given)[:100]!r}"
        )
    return amount


def _period(given: str) -> Period:
    if given not in PERIODS:
        raise InvalidInputError(f"period: {given[:100]!r} is none of {', '.join(PERIODS)}")
    return cast("Period", given)


def _filters(given: Mapping[str, Filter]) -> dict[str, tuple[str, ...]]:
    if unknown := [name for name in given if name not in FILTERS]:
        raise InvalidInputError(f"filters: {unknown[0][:100]!r} is none of {', '.join(FILTERS)}")
    return {
        name: filter_values(name, values)
        for name in FILTERS
        if (values := given.get(name)) is not None
    }


def _shares(given: Iterable[Number]) -> tuple[Decimal, ...]:
    shares = [_decimal(share) for share in given]
    if len(shares) > MOST_SHARES or any(
        share is None or not 0 < share <= MOST_SHARE for share in shares
    ):
        raise InvalidInputError(
            f"warn_at: up to {MOST_SHARES} shares of the amount, each over 0 and up to "
            f"{MOST_SHARE}, as 0.5 or 0.8"
        )
    return tuple(sorted({share for share in shares if share is not None}))


def _decimal(given: Number) -> Decimal | None:
    try:
        value = Decimal(str(given))
    except InvalidOperation:
        return None
    exponent = value.as_tuple().exponent
    # NaN and infinity have a letter there.
    if not isinstance(exponent, int) or exponent < -_MOST_DECIMALS:
        return None
    return value
