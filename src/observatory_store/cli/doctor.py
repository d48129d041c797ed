"""``doctor``: whether the database, and the work on it, is as it should be."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated

import typer
from rich.text import Text

from observatory_store.cli.connection import read_settings
from observatory_store.cli.console import console, print_json, visible
from observatory_store.cli.options import AsJson, DatabaseUrl
from observatory_store.database import open_pool, translate_failures
from observatory_store.maintenance.doctor import Finding, Severity, examine
from observatory_store.schema.source import read_migrations

_STYLES = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.PROBLEM: "bold red"}
_WIDTH = max(map(len, Severity))


def doctor(
    *,
    before_migration: Annotated[
        bool,
        typer.Option(
            "--before-migration",
            help="Examine only what a migration depends on; that some are pending is well.",
        ),
    ] = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Examine the database, and say what to do. Exits 1 if there is a problem. Changes nothing."""
    findings = asyncio.run(_examine(database_url, before_migration=before_migration))
    if as_json:
        print_json({"findings": findings})
    else:
        for finding in findings:
            _print(finding)
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        raise typer.Exit(1)


def known_migrations() -> dict[str, str]:
    """Return the checksums of this version's migrations by their ids, without a database."""
    return {migration.id: migration.checksum for migration in read_migrations()}


async def _examine(database_url: str | None, *, before_migration: bool) -> list[Finding]:
    settings = read_settings(database_url=database_url)
    with translate_failures():
        async with open_pool(
            settings.database_url.get_secret_value(),
            max_size=2,
            statement_timeout_seconds=settings.statement_timeout_seconds,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            application_name="observatory-store doctor",
        ) as pool:
            return await examine(
                pool,
                package=version("observatory-store"),
                migrations=known_migrations(),
                before_migration=before_migration,
                connections=settings.connections,
            )


def _print(finding: Finding) -> None:
    severity, style = finding.severity, _STYLES[finding.severity]
    line = Text(f"{severity:{_WIDTH}}  ", style=style)
    line.append(f"{finding.check}: {visible(finding.what)}", style="default")
    console().print(line, soft_wrap=True)
    if finding.to_do:
        console().print(Text(f"{'':{_WIDTH}}  -> {visible(finding.to_do)}"), soft_wrap=True)
