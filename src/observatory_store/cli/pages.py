"""Printing one page of a list, and how to get the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import typer

from observatory_store.cli.console import print_json, print_table
from observatory_store.repositories import Page, TimeRange

Row = TypeVar("Row")


def print_page(
    page: Page[Row],
    range_: TimeRange,
    columns: Sequence[str],
    cells: Callable[[Row], Sequence[object]],
    *,
    empty: str,
    as_json: bool,
) -> None:
    """Print a page as a table with a hint at the next one on standard error, or as JSON."""
    if as_json:
        print_json(page)
        return
    print_table(
        columns,
        [cells(row) for row in page.items],
        empty if page.next_cursor is None else "None searched so far fits.",
    )
    print_next(page, range_)


def print_next(page: Page[Row], range_: TimeRange) -> None:
    """Print on standard error which options give the next page, if there is one."""
    if page.next_cursor is not None:
        times = f"--from {range_.start.isoformat()} --to {range_.end.isoformat()}"
        typer.echo(f"next page: {times} --cursor {page.next_cursor}", err=True)
