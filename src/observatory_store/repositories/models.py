"""The catalogue of models."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import msgspec

from observatory_store.database import Pool, translate_failures
from observatory_store.errors import InvalidCursorError, NotFoundError
from observatory_store.pricing import names
from observatory_store.pricing.providers import canonical
from observatory_store.repositories.page import (
    Page,
    decode_cursor,
    encode_cursor,
    scope_of,
)
from observatory_store.repositories.where import Where
from observatory_store.sql import load

_SQL = load("models")

MOST_MODELS: Final = 1000

_CONTAINS: Final = """(position({} IN m.model) > 0
    OR position({} IN lower(m.display_name)) > 0)"""


class ModelRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``models``, without what its sources said. None: not known."""

    provider: str
    model: str
    """In lower case."""
    display_name: str | None
    mode: str | None
    """What it is called for: ``chat``, ``embedding``, …"""
    context_window: int | None
    """Most input tokens of a call."""
    max_output_tokens: int | None
    input_modalities: list[str] | None
    output_modalities: list[str] | None
    capabilities: dict[str, bool]
    """Without those of which no source says anything."""
    deprecated: bool
    """A source says so, or its date has come."""
    deprecation_date: date | None
    sources: list[str]
    synced_at: datetime
    """When a sync last changed what is said of it."""
    last_seen_at: datetime
    """When a sync last found it listed."""


class ModelRepository:
    """The models that the sources of prices list; all projects have the same."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(
        self, model: str, provider: str | None = None
    ) -> list[tuple[ModelRecord, msgspec.Raw]]:
        """Return a model of every provider that has it, or of one; with all that is said of it.

        Args:
            model: its name; case does not matter, nor whether a date in it has dashes.
            provider: however its name is written.

        """
        where = Where([*names.spellings(model)])
        where.add_if("m.provider = {}", None if provider is None else canonical(provider))
        with translate_failures():
            records = await self._pool.fetch(where.into(_SQL["models_by_name"]), *where.arguments)
        return [(_record(record), msgspec.Raw(record["source_rows"])) for record in records]

    async def get(self, provider: str, model: str) -> tuple[ModelRecord, msgspec.Raw]:
        """Return a model and what its sources say of it: ``{source: row}`` as JSON.

        Raises:
            NotFoundError: the provider has no such model.

        """
        found = await self.find(model, provider)
        if not found:
            raise NotFoundError(
                f"the catalogue has no model {model[: names.MAX_NAME]!r} of {provider}"
            )
        return found[0]

    async def list(
        self,
        *,
        provider: str | None = None,
        q: str | None = None,
        deprecated: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[ModelRecord]:
        """Return models by provider and name.

        Args:
            provider: only this one, however its name is written.
            q: only with this text in the model or in its name for people; case does not matter.
            deprecated: only those that are, or that are not.
            limit: most rows; None gives all.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidCursorError: the cursor is of another query.

        """
        scope = scope_of("models", provider, q, deprecated)
        where = Where(None if limit is None else limit + 1)
        where.add_if("m.provider = {}", None if provider is None else canonical(provider))
        where.add_if("m.deprecated = {}", deprecated)
        if q is not None:
            where.add(_CONTAINS, q.lower(), q.lower())
        if cursor is not None:
            where.add("(m.provider, m.model) > ({}, {})", *_position(cursor, scope))
        with translate_failures():
            records = await self._pool.fetch(where.into(_SQL["list_models"]), *where.arguments)
        rows = [_record(record) for record in records[:limit]]
        more = limit is not None and len(records) > limit
        position = [_hex(rows[-1].provider), _hex(rows[-1].model)] if more else []
        return Page(items=rows, next_cursor=encode_cursor(scope, position) if more else None)


def _record(record: Any) -> ModelRecord:  # noqa: ANN401 - asyncpg's Record
    fields = {name: record[name] for name in ModelRecord.__struct_fields__}
    return ModelRecord(**{**fields, "capabilities": msgspec.json.decode(record["capabilities"])})


def _hex(text: str) -> str:
    return text.encode().hex()


def _position(cursor: str, scope: str) -> list[str]:
    try:
        return [bytes.fromhex(text).decode() for text in decode_cursor(cursor, scope, str, str)]
    except UnicodeDecodeError as error:
        raise InvalidCursorError("the cursor is not one that this route gave") from error
