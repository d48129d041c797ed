"""``schema``: the migrations of the database."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from observatory_store.cli.connection import read_settings
from observatory_store.cli.console import print_json, print_table
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.units import time
from observatory_store.errors import InvalidInputError
from observatory_store.schema import MigrationStatus, Migrator

verbs = typer.Typer(help="Show, apply and roll back migrations.", no_args_is_help=True)


@verbs.command("status")
def status(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Show which migrations are applied. Exits 1 if one is pending, or of another version."""
    found = migrator(database_url).status()
    if as_json:
        print_json(found)
    else:
        rows = [(item.id, time(item.applied_at) or "pending", _remark(item)) for item in found]
        print_table(("migration", "applied", ""), rows, "There are no migrations.")
    if any(item.applied_at is None or not item.known for item in found):
        raise typer.Exit(1)


@verbs.command("apply")
def apply(*, database_url: DatabaseUrl = None) -> None:
    """Apply every migration that is pending."""
    applied = migrator(database_url).apply(progress=typer.echo)
    typer.echo(f"{len(applied)} migrations applied" if applied else "nothing to apply")


@verbs.command("rollback")
def rollback(
    *,
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many to undo, the newest first; 1 by default.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="ID", help="Undo all that came after this one.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask on a terminal.")] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Undo migrations. What their tables hold is lost."""
    if steps is not None and to is not None:
        raise InvalidInputError("give --steps or --to, not both")
    what = f"all migrations after {to}" if to else f"the last {steps or 1} migrations"
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Undo {what}, with the data in their tables?", abort=True)
    undone = migrator(database_url).rollback(steps=steps or 1, to=to, progress=typer.echo)
    typer.echo(f"{len(undone)} migrations rolled back" if undone else "nothing to roll back")


def _remark(item: MigrationStatus) -> str:
    return "" if item.known else "not of this version of observatory-store"


def migrator(database_url: str | None) -> Migrator:
    """Return the migrator of the database of this option."""
    return Migrator(read_settings(database_url=database_url).database_url.get_secret_value())
