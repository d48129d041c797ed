"""``policy``: how long each relation is kept, and how it is laid out."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Annotated

import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import print_json, print_table
from observatory_store.cli.maintain import STATEMENT_TIMEOUT_SECONDS
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.cli.schema import Yes, confirm, size
from observatory_store.cli.time_range import parse_duration
from observatory_store.cli.units import time
from observatory_store.database import Pool
from observatory_store.errors import InvalidInputError
from observatory_store.maintenance.expiry import Expiry
from observatory_store.maintenance.policies import Policies, Policy, PolicyChange
from observatory_store.maintenance.policy_rules import KEYS, LONGEST
from observatory_store.maintenance.statistics import JobState

verbs = typer.Typer(help="Show and change how long each relation is kept.", no_args_is_help=True)

NEVER = "never"
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@verbs.command("show")
def show(
    relation: Annotated[
        str | None, typer.Argument(metavar="[RELATION]", help="Only this table or rollup.")
    ] = None,
    *,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what is kept how long, from when on it is whole, its size, and who drops the rest."""
    found = asyncio.run(_show(database_url, relation))
    if as_json:
        print_json(found)
        return
    _print_policies(found)
    if relation is not None and found[0].jobs:
        typer.echo()
        _print_jobs(found[0].jobs)


@verbs.command("set", context_settings={"ignore_unknown_options": True})
def set_(
    relation: Annotated[str, typer.Argument(metavar="RELATION", help="The table or rollup.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help=f"{', '.join(KEYS)}.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="An age, as 30d or 12h, or never.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would change and be dropped.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Change how long a relation is kept, or how it is laid out.

    A shorter retention shows what it would drop first, and asks. Ages that do not go together are
    refused.
    """
    age = _parse(relation, key, value)
    asyncio.run(_set(database_url, relation, key, age, dry_run=dry_run, yes=yes, as_json=as_json))


def _parse(relation: str, key: str, value: str) -> timedelta | None:
    if value == NEVER:
        return None
    try:
        return parse_duration(value)
    except InvalidInputError:
        if re.fullmatch(r"\d+[smhdw]", value):
            said = f"must be at most {LONGEST.days} days, not {value}"
        else:
            said = f"cannot be {value!r}: write 30d, 12h or 4w, or {NEVER}"
        raise InvalidInputError(f"{key} of {relation} {said}") from None


def written(age: timedelta | None) -> str:
    """Return an age as ``policy set`` takes it.

    >>> written(timedelta(days=30)), written(timedelta(hours=36)), written(None)
    ('30d', '36h', 'never')
    """
    if age is None:
        return NEVER
    for unit, letter in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "m")):
        if not age % unit:
            return f"{age // unit}{letter}"
    return f"{age.total_seconds():g}s"


def _print_policies(found: list[Policy]) -> None:
    print_table(
        (
            "relation",
            "retention",
            "columnstore after",
            "chunk",
            "whole from",
            "size",
            "dropped by",
            "jobs",
        ),
        [
            (
                one.relation,
                written(one.retention),
                written(one.columnstore_after),
                None if one.chunk_interval is None else written(one.chunk_interval),
                time(one.whole_from),
                size(one.bytes),
                one.applied_by,
                _jobs(one.jobs),
            )
            for one in found
        ],
        "",
    )


def _jobs(jobs: tuple[JobState, ...]) -> str | None:
    bad = [f"{job.job} {_state(job)}" for job in jobs if _state(job) != "ok"]
    return ", ".join(bad) or (f"{len(jobs)} ok" if jobs else None)


def _state(job: JobState) -> str:
    if job.failed:
        return "failed"
    if not job.scheduled:
        return "paused"
    if not job.has_run:
        return "has not run"
    return "late" if job.overdue else "ok"


def _print_jobs(jobs: tuple[JobState, ...]) -> None:
    print_table(
        ("job", "id", "last success", "state", "error"),
        [(job.job, job.job_id, time(job.succeeded_at), _state(job), job.error) for job in jobs],
        "",
    )


def _print_change(change: PolicyChange) -> None:
    typer.echo(
        f"{change.key} of {change.relation}: {written(change.before)} -> {written(change.after)} "
        f"({change.effect})"
    )


def _print_expiry(relation: str, found: Expiry | None) -> None:
    if found is None:
        typer.echo(f"{relation} has nothing that it would drop")
        return
    typer.echo(
        f"drops {found.days:,} days of {relation}, {found.first:%Y-%m-%d} until before "
        f"{found.before:%Y-%m-%d}: about {found.rows:,} rows, {size(found.bytes)}"
    )
    if relation == "spans":
        typer.echo("run `rollups refresh` first: what is not counted by then never will be")


async def _show(database_url: str | None, relation: str | None) -> list[Policy]:
    async with open_database(database_url) as pool:
        return await Policies(pool).list(relation)


async def _set(
    database_url: str | None,
    relation: str,
    key: str,
    age: timedelta | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        policies = Policies(pool)
        change = await policies.set(relation, key, age, dry_run=True)
        drops = await _drops(pool, change)
        shortens = _shortens(change)
        if not as_json:
            _print_change(change)
            if shortens:
                _print_expiry(relation, drops)
        if not dry_run:
            if drops is not None:
                confirm("Set it?", yes=yes)
            change = await policies.set(relation, key, age)
        if as_json:
            print_json({"change": change, "drops": drops, "is_set": not dry_run})
        else:
            typer.echo("nothing was changed" if dry_run else "set")


async def _drops(pool: Pool, change: PolicyChange) -> Expiry | None:
    if change.after is None or not _shortens(change):
        return None
    return await Policies(pool).expiring(change.relation, change.after)


def _shortens(change: PolicyChange) -> bool:
    return (
        change.key == "retention"
        and change.after is not None
        and (change.before is None or change.after < change.before)
    )
