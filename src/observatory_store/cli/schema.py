"""``schema``: the migrations of the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from observatory_store.cli.connection import read_settings
from observatory_store.cli.console import print_json, print_table, visible
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.units import Amount, time
from observatory_store.errors import InvalidInputError
from observatory_store.schema import (
    Loss,
    Migrator,
    PlannedRollback,
    PlannedStatement,
    RehearsedStep,
    SchemaStatus,
    State,
    new_migration,
)

verbs = typer.Typer(help="Show, apply and roll back migrations.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

_REMARKS = {
    State.APPLIED: "",
    State.UNVERIFIED: "not by this program: its text is unverified",
    State.PENDING: "",
    State.DRIFTED: "edited after it was applied",
    State.UNKNOWN: "not of this version of observatory-store",
}


@verbs.command("status")
def status(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Show which migrations are applied. Writes nothing. Exits 1 unless all agree."""
    found = migrator(database_url).status()
    if as_json:
        print_json(found)
    else:
        _print_status(found)
    if not found.is_current:
        raise typer.Exit(1)


@verbs.command("plan")
def plan(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Show the SQL that `apply` would run, and whom it would keep waiting. Exits 1 if there is any.

    Needs the extra `plan`. Runs none of it.
    """
    planned = migrator(database_url).plan()
    if as_json:
        print_json(planned)
    else:
        _print_plan(planned)
    if planned:
        raise typer.Exit(1)


@verbs.command("apply")
def apply(
    *,
    to: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The last one to apply, by id or number; all by default."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only rehearse it, in a scratch database beside it.")
    ] = False,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="With --dry-run: in a transaction of its own that is rolled back."
        ),
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Apply every migration that is pending."""
    if in_place and not dry_run:
        raise InvalidInputError("--in-place is a way of --dry-run: give both")
    if dry_run:
        _print_rehearsal(migrator(database_url).rehearse(to=to, in_place=in_place))
        return
    found = migrator(database_url)
    is_new = found.status().edition is None
    applied = found.apply(to=to, progress=typer.echo)
    if is_new and applied:
        typer.echo(f"edition: {found.explain_edition()}")
    typer.echo(f"{_counted(len(applied))} applied" if applied else "nothing to apply")


@verbs.command("rollback")
def rollback(
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help="Undo these, the newest first; nothing, if others are the latest.",
        ),
    ] = None,
    *,
    steps: Annotated[
        int | None, typer.Option(min=1, help="How many to undo, the newest first; 1 by default.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="ID", help="Undo all that came after this one.")
    ] = None,
    export_to: Annotated[
        Path | None,
        typer.Option(
            "--export",
            metavar="DIR",
            file_okay=False,
            help="First write there what would be lost, as gzipped CSV.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be undone and lost.")
    ] = False,
    yes: Yes = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Undo migrations. Shows which, and what data would be lost, and asks."""
    if sum(bool(given) for given in (ids, steps, to)) > 1:
        raise InvalidInputError("give ids, --steps or --to, only one of them")
    found = migrator(database_url)
    planned = found.plan_rollback(steps=steps, to=to, ids=ids or None)
    if not planned.ids:
        typer.echo("nothing to roll back")
        return
    _print_rollback(planned)
    if dry_run:
        typer.echo("nothing was changed")
        return
    confirm(f"Undo {_counted(len(planned.ids))}?", yes=yes)
    undone = found.rollback(ids=planned.ids, export_to=export_to, progress=typer.echo)
    typer.echo(f"{_counted(len(undone))} rolled back")


@verbs.command("verify")
def verify(*, as_json: AsJson = False, database_url: DatabaseUrl = None) -> None:
    """Compare the database with what this version makes of one. Exits 1 if they differ."""
    found = migrator(database_url).verify()
    if as_json:
        print_json(found)
    else:
        for divergence in found:
            typer.echo(visible(f"-- {divergence}"))
            typer.echo(divergence.mend)
        typer.echo(f"{len(found)} divergences" if found else "all as it should be")
    if found:
        raise typer.Exit(1)


@verbs.command("reapply")
def reapply(
    id_: Annotated[str, typer.Argument(metavar="ID", help="A migration that is applied.")],
    *,
    database_url: DatabaseUrl = None,
) -> None:
    """Run an applied migration again, as its file is now: all are safe to run twice."""
    done = migrator(database_url).reapply(id_, progress=typer.echo)
    typer.echo(f"{done.id} reapplied in {done.seconds:.2f} s")


@verbs.command("baseline")
def baseline(
    *,
    to: Annotated[
        str | None, typer.Option(metavar="ID", help="The last one that was run; all by default.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Record migrations that were run by hand, or lost their record, without running them."""
    recorded = migrator(database_url).baseline(to=to, progress=typer.echo)
    for id_ in recorded:
        typer.echo(id_)
    typer.echo(f"{_counted(len(recorded))} recorded" if recorded else "nothing to record")


@verbs.command("new")
def new(
    name: Annotated[str, typer.Argument(help="What it is of: a-z, 0-9 and _.")],
    *,
    folder: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Where the migrations are.")
    ] = Path("migrations"),
) -> None:
    """Write the files of a new migration, numbered next, from a template."""
    for path in new_migration(folder, name):
        typer.echo(path)


@verbs.command("unlock")
def unlock(*, yes: Yes = False, database_url: DatabaseUrl = None) -> None:
    """Show who holds the lock of the migrations, and end its session, and so its work.

    The transaction under way is undone. An index build is left unfinished: the next `apply` begins
    it again.
    """
    found = migrator(database_url)
    holders = found.holders()
    if not holders:
        typer.echo("nobody holds the lock")
        return
    for holder in holders:
        typer.echo(visible(f"held by {holder}"))
    confirm("End this?", yes=yes)
    found.unlock(holders)
    typer.echo("unlocked")


def migrator(database_url: str | None) -> Migrator:
    """Return the migrator of the database of this option."""
    return Migrator(read_settings(database_url=database_url).database_url.get_secret_value())


def confirm(question: str, *, yes: bool) -> None:
    """Ask, unless the answer was given; no ends the program."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidInputError("this is no terminal to ask on: say --yes, and it will be done")
    typer.confirm(question, abort=True)


def size(bytes_: int | None) -> Amount | None:
    """Return a size in MiB; None stays None."""
    return None if bytes_ is None else Amount(f"{bytes_ / 2**20:,.1f} MiB")


def _name(loss: Loss) -> str:
    return loss.relation + (f".{loss.column}" if loss.column else "")


def _counted(number: int) -> str:
    return f"{number} migration{'' if number == 1 else 's'}"


def _print_rollback(planned: PlannedRollback) -> None:
    typer.echo("This will be undone, the newest first:")
    for id_ in planned.ids:
        typer.echo(f"  {id_}")
    typer.echo("This will be lost:" if planned.losses else "No data will be lost.")
    if planned.losses:
        print_table(
            ("relation", "rows", "size", "migration"),
            [(_name(one), one.rows, size(one.bytes), one.migration) for one in planned.losses],
            "",
        )


def _print_plan(planned: list[PlannedStatement]) -> None:
    if not planned:
        typer.echo("nothing to apply")
    for statement in planned:
        typer.echo(f"-- {statement.migration}")
        for effect in statement.effects:
            warning = "SLOW: " if effect.is_slow else ""
            typer.echo(
                f"--   {warning}{effect.relation} ({effect.bytes / 2**20:,.1f} MiB, about "
                f"{effect.rows:,} rows): {effect.lock}, {effect.work}; {effect.waiting} wait"
            )
        if statement.is_code:
            typer.echo("--   runs code, which a plan does not see: apply --dry-run --in-place does")
        if not statement.transactional:
            typer.echo("--   outside a transaction")
        typer.echo(f"{statement.sql}\n")


def _print_rehearsal(steps: list[RehearsedStep]) -> None:
    for item in steps:
        if item.seconds is None:
            typer.echo(f"{item.id}: left out, as it or one before it needs no transaction around")
            continue
        locks = "; ".join(f"{lock} on {name}" for name, lock in item.locks.items())
        typer.echo(f"{item.id}: {item.seconds:.2f} s" + (f", {locks}" if locks else ""))
    if steps and steps[0].edition:
        typer.echo(
            f"rehearsed on the {steps[0].edition} edition, in a scratch database that was built "
            "from this package's files"
        )
    typer.echo("nothing was changed" if steps else "nothing to apply")


def _print_status(found: SchemaStatus) -> None:
    rows = [
        (item.id, time(item.applied_at) or "pending", _REMARKS[item.state])
        for item in found.migrations
    ]
    print_table(("migration", "applied", ""), rows, "There are no migrations.")
    extension = f", TimescaleDB {found.timescaledb}" if found.timescaledb else ""
    standby = ", a standby" if found.read_only else ""
    typer.echo(
        f"\nserver     PostgreSQL {found.postgresql}{extension}{standby}\n"
        f"edition    {found.edition or 'not installed'}\n"
        f"database   {found.database_schema or 'empty'}\n"
        f"package    {found.package_schema} (observatory-store {found.package})"
    )
    if found.promoting:
        typer.echo(
            "\na promotion is under way, or was stopped: `observatory-store schema promote` ends it"
        )
