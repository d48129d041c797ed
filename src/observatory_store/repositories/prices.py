"""The price table: what is in it, and a user's own prices."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import InvalidInputError, NotFoundError
from observatory_store.pricing import PriceRow, Tariff, names
from observatory_store.pricing.book import SOURCES, USER
from observatory_store.pricing.history import Period, insertion
from observatory_store.pricing.providers import canonical
from observatory_store.pricing.tariff import check_tariff
from observatory_store.repositories.page import (
    Page,
    TimeRange,
    check_range,
    decode_cursor,
    encode_cursor,
    scope_of,
)
from observatory_store.repositories.price_rows import (
    Audit,
    PriceWriter,
    encode,
    price_row,
    row_fields,
)
from observatory_store.repositories.where import Where
from observatory_store.sql import load

_SQL = load("prices")

MOST_PRICES: Final = 1000
MOST_UNPRICED: Final = 1000

_AUDITED: Final = ("source_version", "synced_at", "created_by")
_SEEMS_TO_MATCH: Final = """EXISTS (
    SELECT FROM unnest(p.names) AS n (name), unnest({}::text[]) AS s (spelling)
    WHERE s.spelling LIKE replace(replace(replace(replace(replace(
        lower(n.name), '\\', '\\\\'), '%', '\\%'), '_', '\\_'), '*', '%'), '#', '_'))"""
_AFTER: Final = """(p.provider, p.model, p.price_id) > (
    SELECT provider, model, price_id FROM observatory.prices WHERE price_id = {})"""


class PriceRecord(PriceRow, frozen=True, kw_only=True):
    """One row of ``prices``, without what its source said."""

    source_version: str | None
    synced_at: datetime
    created_by: str


class UnpricedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model with calls that have no cost."""

    provider: str | None
    model: str | None
    """The model that answered, or else the one that was asked for."""
    requests: int
    without_tokens: int
    """Calls that came without their input or output tokens: no price helps them."""
    input_tokens: int
    output_tokens: int
    first_seen: datetime
    last_seen: datetime


class PriceRepository:
    """The prices of the database; all projects have the same."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self) -> list[PriceRow]:
        """Return every price that is in force at some time."""
        with translate_failures():
            records = await self._pool.fetch(_SQL["load_prices"], list(SOURCES))
        # Off the event loop: thousands of rows, and what a program does meanwhile must not wait.
        return await asyncio.to_thread(lambda: [price_row(record) for record in records])

    async def newest_sync(self) -> int | None:
        """Return what changes whenever a price does."""
        with translate_failures():
            newest: int | None = await self._pool.fetchval(_SQL["newest_sync"])
        return newest

    async def set(
        self,
        provider: str,
        model: str,
        tariff: Tariff,
        *,
        start: datetime | None = None,
        by: str | None = None,
    ) -> PriceRecord:
        """Set a price of the user's own, from ``start`` (now) until the next that the user has set.

        It goes before all others.

        Args:
            provider: its name, however it is written; ``*`` is any, or none.
            model: a name, or a pattern: see :mod:`observatory_store.pricing.names`.
            tariff: the price.
            start: with an offset.
            by: who sets it; None is the role of the database.

        Raises:
            InvalidInputError: the model, the tariff or the time cannot be used.

        """
        try:
            name = names.check(model).lower()
            check_tariff(tariff)
        except ValueError as error:
            raise InvalidInputError(str(error)) from None
        if start is not None and start.tzinfo is None:
            raise InvalidInputError("the time from which a price is valid lacks a time zone")
        if not provider.strip() or len(provider) > names.MAX_NAME or not provider.isprintable():
            raise InvalidInputError("a provider is a name, as openai or aws.bedrock")
        wanted = canonical(provider)
        with translate_failures():
            async with self._pool.acquire() as connection, connection.transaction():
                writer = await PriceWriter.begin(connection, USER)
                start = start or writer.now
                stored = (await writer.stored()).get((wanted, name), [])
                change = insertion(stored, Period(None, None, (name,), tariff), start)
                row = {"provider": provider, "model": model, "tariff": tariff}
                writer.change(wanted, name, change, encode(row))
                await writer.finish(
                    Audit(
                        origin="prices set",
                        by=by,
                        added=0 if stored else 1,
                        changed=1 if stored else 0,
                        report={"set": f"{wanted}/{name}", "from": start, "to": tariff},
                    )
                )
        page = await self.list(provider=wanted, source=USER, at=start)
        return next(row for row in page.items if row.model == name)

    async def get(self, price_id: int) -> tuple[PriceRecord, bytes]:
        """Return one price, in force or not, and what its source says, as JSON.

        Raises:
            NotFoundError: there is none with this id.

        """
        with translate_failures():
            record = await self._pool.fetchrow(_SQL["price_by_id"], price_id)
        if record is None:
            raise NotFoundError(f"there is no price {price_id}")
        return _record(record), record["source_row"]

    async def unpriced(
        self, project_id: int, range_: TimeRange, *, limit: int = MOST_UNPRICED
    ) -> list[UnpricedModel]:
        """Return the models of a project whose calls have no cost, the most called first."""
        check_range(range_)
        with translate_failures():
            records = await self._pool.fetch(
                _SQL["unpriced"], project_id, range_.start, range_.end, limit
            )
        return [UnpricedModel(**record) for record in records]

    async def list(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        source: str | None = None,
        at: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[PriceRecord]:
        """Return prices by provider and model, and of one model in the order they were added.

        Args:
            provider: only this one, however its name is written.
            model: only the rows for a model of this name, patterns too.
            source: only ``user``, ``genai-prices`` or ``litellm``.
            at: only what is in force at that time; None gives the whole history.
            limit: most rows; fewer come where patterns only seemed to match.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidCursorError: the cursor is of another query.

        """
        scope = scope_of("prices", provider, model, source)
        where = Where(None if limit is None else limit + 1)
        where.add_if("p.provider = {}", None if provider is None else canonical(provider))
        where.add_if("p.source = {}", source)
        if model is not None:
            # As LIKE has it, a pattern matches more than it should: the rest goes below.
            where.add(_SEEMS_TO_MATCH, [*names.spellings(model)])
        if at is not None:
            where.add("tstzrange(p.valid_from, p.valid_to) @> {}::timestamptz", at)
        if cursor is not None:
            where.add(_AFTER, *decode_cursor(cursor, scope, int))
        with translate_failures():
            records = await self._pool.fetch(where.into(_SQL["list_prices"]), *where.arguments)
        more = limit is not None and len(records) > limit
        shown = records[:limit]
        return Page(
            items=[
                _record(record)
                for record in shown
                if model is None or names.matches(record["names"], model)
            ],
            next_cursor=encode_cursor(scope, [shown[-1]["price_id"]]) if more else None,
        )


def _record(record: Any) -> PriceRecord:  # noqa: ANN401 - asyncpg's Record
    return PriceRecord(**row_fields(record), **{name: record[name] for name in _AUDITED})
