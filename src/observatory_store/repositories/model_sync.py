"""Bringing a source's catalogue of models into the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.pricing.listing import Refusal, Source
from observatory_store.pricing.model_listing import SAID, ModelListing
from observatory_store.repositories.price_rows import encode
from observatory_store.sql import load

_SQL = load("models")
_LOCK = load("prices")

_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "capabilities": msgspec.json.decode,
    "input_modalities": tuple,
    "output_modalities": tuple,
}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a model in one field, before and now."""

    before: Any
    after: Any


class ModelChange(msgspec.Struct, frozen=True, kw_only=True):
    """A model of which a source says something else than before."""

    model: str
    """``provider/model``."""
    fields: dict[str, Said]


class ModelSyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync of models did, or would do."""

    source: str
    version: str
    added: list[str]
    """Models, each ``provider/model``, that this source had not listed before."""
    changed: list[ModelChange]
    unchanged: int
    """Number of models."""
    refused: list[Refusal]
    """Rows that are wrong; what the catalogue has of them stays."""
    absent: list[str]
    """Models that the source no longer lists; they stay, with when they were last seen."""


async def sync_models(
    pool: Pool, source: Source, *, dry_run: bool = False, now: datetime | None = None
) -> ModelSyncReport:
    """Bring what a source says of its models into the catalogue, all of it or nothing.

    Nothing is deleted. Several at once do no harm: one waits for the other.

    Args:
        pool: the database.
        source: what it says.
        dry_run: only report what would change.
        now: the time of the sync; the database's clock by default.

    """
    with translate_failures():
        async with pool.acquire() as connection, connection.transaction(readonly=dry_run):
            await connection.execute(_LOCK["wait_for_others"])
            await connection.execute(_LOCK["lock_prices"])
            now = now or await connection.fetchval(_LOCK["clock"])
            stored = {
                (record["provider"], record["model"]): _said(record)
                for record in await connection.fetch(_SQL["stored_models"], source.name)
            }
            report = _compare(source, stored)
            if not dry_run:
                seen = sorted(_seen(source))
                await connection.execute(
                    _SQL["put_models"], source.name, source.version, now, encode(source.models)
                )
                await connection.execute(
                    _SQL["see_models"],
                    source.name,
                    now,
                    [provider for provider, _ in seen],
                    [model for _, model in seen],
                )
            return report


def _said(record: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's Record
    """Return what a record says, as a ``ModelListing`` has it."""
    return {
        name: _READERS[name](value) if name in _READERS and value is not None else value
        for name in SAID
        for value in (record[name],)
    }


def _seen(source: Source) -> set[tuple[str, str]]:
    return {(provider, model.lower()) for provider, model in source.mentioned}


def _compare(
    source: Source, stored: Mapping[tuple[str, str], Mapping[str, Any]]
) -> ModelSyncReport:
    added, changed, unchanged = [], [], 0
    for listing in source.models:
        before = stored.get((listing.provider, listing.model))
        shown = f"{listing.provider}/{listing.model}"
        if before is None:
            added.append(shown)
        elif fields := _changes(before, listing):
            changed.append(ModelChange(model=shown, fields=fields))
        else:
            unchanged += 1
    return ModelSyncReport(
        source=source.name,
        version=source.version,
        added=added,
        changed=changed,
        unchanged=unchanged,
        refused=list(source.refused_models),
        absent=["/".join(name) for name in sorted(stored.keys() - _seen(source))],
    )


def _changes(before: Mapping[str, Any], listing: ModelListing) -> dict[str, Said]:
    return {
        name: Said(before=before[name], after=after)
        for name in SAID
        if before[name] != (after := getattr(listing, name))
    }
