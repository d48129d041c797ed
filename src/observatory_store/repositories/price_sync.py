"""Bringing a source's prices into the table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.pricing import Tariff
from observatory_store.pricing.history import Change, Period, Stored, change
from observatory_store.pricing.listing import Refusal, Source
from observatory_store.repositories.price_rows import Audit, PriceWriter, encode


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """One row that a sync added for a model that had prices before."""

    model: str
    """``provider/model``."""
    valid_from: datetime | None
    before: Tariff | None
    """What was in force then until now; None if nothing was."""
    after: Tariff


class SyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync did, or would do."""

    source: str
    version: str
    origin: str
    price_sync_id: int | None
    """None for a dry run."""
    added: list[str]
    """Models, each ``provider/model``, that had no price of this source."""
    changed: list[PriceChange]
    renamed: list[str]
    """Models whose names or end changed and not their rates."""
    unchanged: int
    """Number of models."""
    refused: list[Refusal]
    """Rows that are wrong; what the table has of them stays."""
    skipped: list[Refusal]
    """Rows that state no price of tokens or calls."""
    absent: list[str]
    """Models that the source no longer lists; their prices stay in force."""

    @property
    def changed_models(self) -> int:
        """Number of models in ``changed`` and ``renamed``."""
        return len({one.model for one in self.changed} | set(self.renamed))


async def sync_prices(
    pool: Pool,
    source: Source,
    *,
    origin: str,
    by: str | None = None,
    dry_run: bool = False,
    now: datetime | None = None,
) -> SyncReport:
    """Bring what a source says into the table, all of it or nothing.

    Several at once do no harm: one waits for the other, and finds nothing to do. A second sync of
    the same changes nothing but the audit.

    Args:
        pool: the database.
        source: what it says.
        origin: where that was read, for the audit.
        by: who syncs; None is the role of the database.
        dry_run: only report what would change.
        now: from when on a price without a date counts; the database's clock by default.

    """
    with translate_failures():
        async with pool.acquire() as connection, connection.transaction(readonly=dry_run):
            writer = await PriceWriter.begin(connection, source.name, now)
            stored = await writer.stored()
            report = _plan(writer, source, stored, origin)
            if dry_run:
                return report
            sync_id = await writer.finish(
                Audit(
                    version=source.version,
                    origin=origin,
                    by=by,
                    added=len(report.added),
                    changed=report.changed_models,
                    unchanged=report.unchanged,
                    refused=len(report.refused),
                    skipped=len(report.skipped),
                    absent=len(report.absent),
                    report=_audited(report),
                )
            )
            return msgspec.structs.replace(report, price_sync_id=sync_id)


def _plan(
    writer: PriceWriter,
    source: Source,
    stored: dict[tuple[str, str], list[Stored]],
    origin: str,
) -> SyncReport:
    added, changed, renamed, unchanged = [], [], [], 0
    for listing in source.listings:
        name, shown = (listing.provider, listing.model), f"{listing.provider}/{listing.model}"
        before = stored.pop(name, [])
        found = change(before, listing, writer.now)
        writer.change(*name, found, encode(listing.row) if found.added else b"")
        if not before:
            added.append(shown)
        elif found == Change():
            unchanged += 1
        else:
            changes = [
                PriceChange(
                    model=shown,
                    valid_from=period.valid_from,
                    before=tariff,
                    after=period.tariff,
                )
                for period in found.added
                if (tariff := _in_force(before, period)) != period.tariff
            ]
            changed += changes
            if not changes:
                renamed.append(shown)
    return SyncReport(
        source=source.name,
        version=source.version,
        origin=origin,
        price_sync_id=None,
        added=added,
        changed=changed,
        renamed=renamed,
        unchanged=unchanged,
        refused=list(source.refused),
        skipped=list(source.skipped),
        absent=["/".join(name) for name in stored if name not in source.mentioned],
    )


def _in_force(rows: list[Stored], period: Period) -> Tariff | None:
    if period.valid_from is None:
        return None
    start = period.valid_from
    return next((row.period.tariff for row in rows if row.period.covers(start)), None)


def _audited(report: SyncReport) -> dict[str, Any]:
    fields = ("added", "changed", "renamed", "refused", "skipped", "absent")
    return {name: getattr(report, name) for name in fields}
