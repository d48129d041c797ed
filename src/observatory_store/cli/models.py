"""``models``: the catalogue of models."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import typer

from observatory_store.cli.connection import open_database
from observatory_store.cli.console import console, print_json, print_table, visible
from observatory_store.cli.options import AsJson, DatabaseUrl, Provider
from observatory_store.cli.price_source import (
    STATEMENT_TIMEOUT_SECONDS,
    DryRun,
    SyncFrom,
    read_source,
)
from observatory_store.errors import InvalidInputError, NotFoundError
from observatory_store.pricing import genai
from observatory_store.pricing.listing import Refusal, Source
from observatory_store.repositories import (
    ModelRecord,
    ModelRepository,
    ModelSyncReport,
    sync_models,
)

verbs = typer.Typer(help="Sync, list and show what is known of models.", no_args_is_help=True)

_SHOWN: Final = 20


@verbs.command("sync")
def sync(
    *,
    from_: SyncFrom = genai.NAME,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Bring a source's models into the catalogue without its prices. Nothing is deleted."""
    source, shown = read_source(from_)
    if not source.models:
        reason = f"; the first: {source.refused_models[0].reason}" if source.refused_models else ""
        raise InvalidInputError(f"{shown} has no model that can be used{reason}")
    report = asyncio.run(_sync(database_url, source, dry_run=dry_run))
    if as_json:
        print_json(report)
    else:
        print_model_sync(report, dry_run=dry_run)


@verbs.command("list")
def list_(
    *,
    provider: Provider = None,
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only with this text in the name.")
    ] = None,
    deprecated: Annotated[
        bool | None,
        typer.Option("--deprecated/--not-deprecated", help="Only those that are, or are not."),
    ] = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """List models by provider and name."""
    rows = asyncio.run(_list(database_url, provider=provider, q=search, deprecated=deprecated))
    if as_json:
        print_json(rows)
    else:
        _print_models(rows)


@verbs.command("show")
def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As gpt-4o.")],
    *,
    provider: Provider = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show a model of each provider that has it, and all that the sources say of it."""
    found = asyncio.run(_find(database_url, model, provider))
    if not found:
        raise NotFoundError(f"the catalogue has no model {model!r}")
    if as_json:
        print_json([{**msgspec.structs.asdict(row), "source_rows": raw} for row, raw in found])
        return
    _print_models([row for row, _ in found])
    for _, raw in found:
        print_json(raw)


def print_model_sync(
    report: ModelSyncReport, *, dry_run: bool, told: Sequence[Refusal] = ()
) -> None:
    """Print what a sync of models did, or would do, without the refusals that are told already."""
    out = console()
    out.print(
        f"{'would catalogue' if dry_run else 'catalogue'}: {len(report.added):,} models added, "
        f"{len(report.changed):,} changed, {report.unchanged:,} unchanged, "
        f"{len(report.absent):,} no longer listed (they stay), {len(report.refused):,} refused",
        soft_wrap=True,
    )
    lines = [f"{one.row}: {one.reason}" for one in report.refused if one not in told]
    for line in lines[:_SHOWN]:
        out.print(visible(f"  refused in the catalogue  {line}"), soft_wrap=True)
    if len(lines) > _SHOWN:
        out.print(f"  … {len(lines) - _SHOWN:,} more: --json has all", soft_wrap=True)


def _print_models(rows: Sequence[ModelRecord]) -> None:
    print_table(
        ("model", "provider", "mode", "context", "output", "takes", "gives", "can", "ends"),
        [
            (
                row.model,
                row.provider,
                row.mode,
                row.context_window,
                row.max_output_tokens,
                _words(row.input_modalities),
                _words(row.output_modalities),
                _words(name for name, can in row.capabilities.items() if can),
                row.deprecation_date or ("deprecated" if row.deprecated else None),
            )
            for row in rows
        ],
        "No such models. `observatory-store prices sync` brings them in.",
    )


def _words(words: Any) -> str | None:  # noqa: ANN401 - words or None
    return ", ".join(words or ()) or None


async def _sync(database_url: str | None, source: Source, *, dry_run: bool) -> ModelSyncReport:
    async with open_database(
        database_url, statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS
    ) as pool:
        return await sync_models(pool, source, dry_run=dry_run)


async def _list(database_url: str | None, **filters: Any) -> list[ModelRecord]:  # noqa: ANN401
    async with open_database(database_url) as pool:
        return (await ModelRepository(pool).list(**filters)).items


async def _find(
    database_url: str | None, model: str, provider: str | None
) -> list[tuple[ModelRecord, msgspec.Raw]]:
    async with open_database(database_url) as pool:
        return await ModelRepository(pool).find(model, provider)
