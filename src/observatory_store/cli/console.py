"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from observatory_store.cli.units import Amount

WIDTH_OF_A_PIPE = 200


def console() -> Console:
    """Return a console on the present standard output; wide if that is no terminal."""
    width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    return Console(file=sys.stdout, width=width, highlight=False, emoji=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - anything msgspec encodes
    """Print a value as JSON: times in RFC 3339, money as decimal strings."""
    content = msgspec.json.encode(plain(value))
    sys.stdout.write(msgspec.json.format(content, indent=2).decode() + "\n")


def plain(value: Any) -> Any:  # noqa: ANN401 - anything msgspec encodes
    """Return a value as JSON has it: times as texts in RFC 3339, money as decimals.

    >>> plain({"cost_usd": Decimal("1.5E-7"), "models": ("a", "b")})
    {'cost_usd': '0.00000015', 'models': ['a', 'b']}
    """
    return _spelled(msgspec.to_builtins(value, builtin_types=(Decimal, msgspec.Raw)))


def _spelled(value: Any) -> Any:  # noqa: ANN401
    # A decimal of msgspec's own has an exponent where it is small.
    match value:
        case Decimal():
            return f"{value:f}"
        case dict():
            return {name: _spelled(part) for name, part in value.items()}
        case list() | tuple():
            return [_spelled(part) for part in value]
        case _:
            return value


def print_csv(rows: Sequence[msgspec.Struct | Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print columns with a heading: times in RFC 3339, money as decimals, lists with spaces."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    for row in plain(rows):
        writer.writerow([_csv_cell(row[name]) for name in columns])


def _csv_cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join("" if one is None else str(one) for one in value)
    return value


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """Print rows under their headings, or the sentence ``empty`` where there are none.

    A number stands right in its column, None is a dash, and a first column is never cut.
    """
    if not rows:
        console().print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(columns):
        numeric = all(
            isinstance(row[index], int | float | Amount) or row[index] is None for row in rows
        )
        table.add_column(name, justify="right" if numeric else "left", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console().print(table)


def cell(value: object) -> Text:
    """Return a value as text of a table."""
    if value is None:
        return Text("-", style="dim")
    if isinstance(value, int):
        return Text(f"{value:,}")
    return Text(visible(str(value)))


def visible(text: str) -> str:
    """Return text from a sender with everything replaced that a terminal would act on."""
    return "".join(char if char.isprintable() else "�" for char in text)
