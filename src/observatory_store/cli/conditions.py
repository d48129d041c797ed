"""Conditions of lists, as they are written on the command line."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from observatory_store.errors import InvalidInputError


def parse_pair(text: str) -> tuple[str, str]:
    """Return the key and the value of ``key=value``; the key ends at the first ``=``.

    >>> parse_pair("team=a=b")
    ('team', 'a=b')

    Raises:
        InvalidInputError: it has no ``=``, or no key.

    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidInputError(f"{text!r} is not KEY=VALUE")
    return key, value


def parse_usd(text: str) -> Decimal:
    """Return an amount of US dollars.

    Raises:
        InvalidInputError: it is not a decimal number from 0 on.

    """
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise InvalidInputError(f"{text!r} is not an amount of US dollars such as 0.05")
    return amount
