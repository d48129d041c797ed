"""Rows of the price table, read and written. Whatever writes them does it here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from observatory_store.database import Connection
from observatory_store.pricing import PriceRow, Tariff
from observatory_store.pricing.history import Change, Period, Stored
from observatory_store.pricing.tariff import CLASSES, ContextTier, Hours, ServiceTier
from observatory_store.sql import load

_SQL = load("prices")

_JSON_PARTS: Final[Mapping[str, Any]] = {
    "context_tiers": msgspec.json.Decoder(tuple[ContextTier, ...]),
    "service_tiers": msgspec.json.Decoder(dict[str, ServiceTier]),
    "hours": msgspec.json.Decoder(tuple[Hours, ...]),
}
COLUMNS: Final = (
    "price_sync_id",
    "source",
    "provider",
    "model",
    "names",
    "valid_from",
    "valid_to",
    *CLASSES,
    *_JSON_PARTS,
    "source_row",
    "source_version",
    "synced_at",
    "created_by",
)

encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode
"""As ``jsonb`` has it: numbers stay exact, and what is no number there (NaN) becomes text."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``price_syncs``, but for its id and time."""

    version: str | None = None
    origin: str
    by: str | None = None
    """None: the role of the database."""
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0
    skipped: int = 0
    absent: int = 0
    report: dict[str, Any]


def tariff_of(record: Any) -> Tariff:  # noqa: ANN401 - asyncpg's Record
    """Return the tariff of a record."""
    return Tariff(
        **{name: record[name] for name in CLASSES},
        **{name: decoder.decode(record[name]) for name, decoder in _JSON_PARTS.items()},
    )


def price_row(record: Any) -> PriceRow:  # noqa: ANN401 - asyncpg's Record
    """Return a record as a row."""
    return PriceRow(**row_fields(record))


def row_fields(record: Any) -> dict[str, Any]:  # noqa: ANN401 - asyncpg's Record
    """Return the fields of a ``PriceRow``."""
    return {
        **{name: record[name] for name in PriceRow.__struct_fields__ if name != "tariff"},
        "names": tuple(record["names"]),
        "tariff": tariff_of(record),
    }


class PriceWriter:
    """Changes of one source's prices, in the caller's transaction, one writer at a time."""

    def __init__(self, connection: Connection, source: str, now: datetime) -> None:
        """Use :meth:`begin`."""
        self._connection = connection
        self._source = source
        self.now = now
        """The database's clock, once no other writer is left."""
        self._closed: list[tuple[int, datetime]] = []
        self._added: list[tuple[str, str, Period, bytes]] = []

    @classmethod
    async def begin(
        cls, connection: Connection, source: str, now: datetime | None = None
    ) -> PriceWriter:
        """Wait until no other writer is left, to the end of the transaction."""
        await connection.execute(_SQL["wait_for_others"])
        await connection.execute(_SQL["lock_prices"])
        # Not that of the transaction's begin: another may have written since.
        now = now or await connection.fetchval(_SQL["clock"])
        return cls(connection, source, now)

    async def stored(self) -> dict[tuple[str, str], list[Stored]]:
        """Return the source's prices by provider and model, in the order of time."""
        found: dict[tuple[str, str], list[Stored]] = {}
        for record in await self._connection.fetch(_SQL["load_prices"], [self._source]):
            row = price_row(record)
            period = Period(row.valid_from, row.valid_to, row.names, row.tariff)
            found.setdefault((row.provider, row.model), []).append(Stored(row.price_id, period))
        return found

    def change(self, provider: str, model: str, change: Change, source_row: bytes) -> None:
        """Note what is to close and to add for one model."""
        self._closed += change.closed
        self._added += [(provider, model, period, source_row) for period in change.added]

    async def finish(self, audit: Audit) -> int:
        """Write what was noted, and the audit; return the id of that."""
        sync = await self._connection.fetchrow(
            _SQL["insert_sync"],
            self._source,
            audit.version,
            audit.origin,
            self.now,
            audit.by,
            audit.added,
            audit.changed,
            audit.unchanged,
            audit.refused,
            audit.skipped,
            audit.absent,
            encode(audit.report),
        )
        sync_id: int = sync["price_sync_id"]
        if self._closed:
            ids, times = zip(*self._closed, strict=True)
            await self._connection.execute(_SQL["close_prices"], ids, times)
        await self._connection.copy_records_to_table(
            "prices",
            schema_name="observatory",
            columns=COLUMNS,
            records=[
                (
                    sync_id,
                    self._source,
                    provider,
                    model,
                    list(period.names),
                    period.valid_from,
                    period.valid_to,
                    *(getattr(period.tariff, name) for name in CLASSES),
                    *(encode(getattr(period.tariff, name)) for name in _JSON_PARTS),
                    source_row,
                    audit.version,
                    self.now,
                    sync["synced_by"],
                )
                for provider, model, period, source_row in self._added
            ],
        )
        return sync_id
