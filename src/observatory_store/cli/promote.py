"""``schema promote``: a database whose server has come to offer more."""

from __future__ import annotations

from typing import Annotated

import typer

from observatory_store.cli.console import print_json, print_table
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.schema import Yes, confirm, migrator, size
from observatory_store.schema import Promotion


def promote(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what it would do, and how large that is.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Bring a database up to the TimescaleDB that its server has come to offer, with its data.

    Others write and read meanwhile. If it is stopped, the next run goes on where it was.
    """
    found = migrator(database_url)
    planned = found.plan_promotion()
    if not as_json:
        _print_plan(planned)
    if not dry_run:
        if planned.before != planned.after:
            confirm(f"Promote it from {planned.before} to {planned.after}?", yes=yes)
        # Even then a run that was stopped at its end may have left something behind.
        planned = found.promote(progress=lambda line: typer.echo(line, err=as_json))
        if not as_json and planned.before != planned.after:
            typer.echo(f"promoted to {planned.after}")
    if as_json:
        print_json(planned)


def _print_plan(planned: Promotion) -> None:
    if planned.before == planned.after:
        typer.echo(f"nothing to promote: the database is built for {planned.after} already")
        return
    typer.echo(f"from {planned.before} to {planned.after}")
    if planned.copied:
        print_table(
            ("becomes a hypertable", "rows", "size"),
            [(one.relation, one.rows, size(one.bytes)) for one in planned.copied],
            "",
        )
        total = size(sum(one.bytes for one in planned.copied))
        typer.echo(f"this much room is needed until it is done: about {total}")
    if planned.aggregates:
        typer.echo(f"become aggregates: {', '.join(planned.aggregates)}")
