"""Printing: tables for people, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from observatory_store.cli.units import Amount

WIDTH_OF_A_PIPE = 200

_json = msgspec.json.Encoder(decimal_format="string")


def console() -> Console:
    """Return a console on the present standard output; wide if that is no terminal."""
    width = None if sys.stdout.isatty() else WIDTH_OF_A_PIPE
    return Console(file=sys.stdout, width=width, highlight=False, emoji=False)


def print_json(value: Any) -> None:  # noqa: ANN401 - anything msgspec encodes
    """Print a value as JSON: times in RFC 3339, money as decimal strings."""
    sys.stdout.write(msgspec.json.format(_json.encode(value), indent=2).decode() + "\n")


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
