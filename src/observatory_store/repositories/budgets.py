"""The budgets of a project, and the record of their changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from observatory_store.database import Connection, Pool, translate_failures
from observatory_store.errors import (
    ConflictError,
    InvalidCursorError,
    InvalidInputError,
    NotFoundError,
)
from observatory_store.repositories.analytics.question import Filter
from observatory_store.repositories.budget_terms import Number, Terms, check_amount, check_name
from observatory_store.repositories.page import (
    Page,
    check_limit,
    decode_cursor,
    paginate,
    scope_of,
)
from observatory_store.rows.budget import Budget
from observatory_store.sql import load

_SQL = load("budgets")

MOST_BUDGETS: Final = 1000
"""Of a project, without those that were removed."""
MOST_CHANGES: Final = 1000

Action = Literal["created", "changed", "removed"]


class BudgetChange(msgspec.Struct, frozen=True, kw_only=True):
    """One row of ``budget_changes``; what was before is None of one created."""

    changed_at: datetime
    changed_by: str
    action: Action
    old_amount_usd: Decimal | None
    new_amount_usd: Decimal | None
    """None of one removed, as its terms."""
    old_terms: Terms | None
    new_terms: Terms | None


_terms = msgspec.json.Decoder(Terms)
_filters = msgspec.json.Decoder(dict[str, tuple[str, ...]])
_encode = msgspec.json.Encoder(decimal_format="string").encode


class BudgetRepository:
    """The budgets of one project. How far one has gone: ``store.analytics.burn(budget)``."""

    def __init__(self, pool: Pool, project_id: int) -> None:
        self._pool = pool
        self.project_id = project_id

    async def set(
        self,
        name: str,
        amount_usd: Number | None = None,
        *,
        period: str | None = None,
        tz: str | None = None,
        filters: Mapping[str, Filter] | None = None,
        warn_at: Iterable[Number] | None = None,
        by: str | None = None,
    ) -> Budget:
        """Make a budget, or change the one of that name, of which stays what is None here.

        Args:
            name: 1 to 100 printable characters without a slash.
            amount_usd: US dollars for each period, over 0. A new budget needs it.
            period: day, week (from Monday), month (of a new one), quarter or year.
            tz: IANA time zone by whose clock the period begins; UTC of a new one.
            filters: which calls count: provider, model, service, environment, user, session, agent
                and tag; each one value, or up to 100 of which any will do; of tags all must be
                there. They replace all that were; ``{}``, as of a new one, counts every call.
            warn_at: up to 10 shares of the amount; 0.5, 0.8 and 1 of a new one.
            by: who sets it; None is the role of the database.

        Raises:
            InvalidInputError: an argument is not one of these; the message names it.
            ConflictError: the project has 1000 budgets.

        """
        check_name(name)
        amount = None if amount_usd is None else check_amount(amount_usd)
        with translate_failures():
            async with self._pool.acquire() as connection, connection.transaction():
                old = await self._locked(connection, name)
                terms = (Terms() if old is None else _terms_of(old)).replace(
                    period=period, tz=tz, filters=filters, warn_at=warn_at
                )
                if amount is None and old is not None:
                    amount = old.amount_usd
                if amount is None:
                    raise InvalidInputError("amount_usd: a new budget needs its amount")
                if old is not None and (old.amount_usd, _terms_of(old)) == (amount, terms):
                    return old
                if old is None and await self._count(connection) >= MOST_BUDGETS:
                    raise ConflictError(f"the project has {MOST_BUDGETS} budgets: remove one")
                record = await connection.fetchrow(
                    _SQL["put_budget"],
                    self.project_id,
                    name,
                    amount,
                    terms.period,
                    terms.tz,
                    _encode(terms.filters),
                    terms.warn_at,
                )
                new = _budget(record)
                await _note(connection, old, new, by)
        return new

    async def get(self, name: str) -> Budget:
        """Return the budget of that name.

        Raises:
            NotFoundError: the project has none.

        """
        with translate_failures():
            record = await self._pool.fetchrow(
                _SQL["budget_by_name"], self.project_id, _searched(name)
            )
        if record is None:
            raise _missing(name)
        return _budget(record)

    async def remove(self, name: str, *, by: str | None = None) -> Budget:
        """Remove a budget. Its row stays, with ``disabled_at``, for the record of its changes.

        Raises:
            NotFoundError: the project has none of that name.

        """
        with translate_failures():
            async with self._pool.acquire() as connection, connection.transaction():
                old = await self._locked(connection, _searched(name))
                if old is None:
                    raise _missing(name)
                record = await connection.fetchrow(_SQL["disable_budget"], old.budget_id)
                await _note(connection, old, None, by)
        return _budget(record)

    async def changes(self, name: str, *, limit: int = 20) -> list[BudgetChange]:
        """Return who changed a budget, when and how, the latest first; also of a removed one.

        Args:
            name: of the budget.
            limit: most rows, from 1 to 1000.

        Raises:
            InvalidInputError: the limit is not one of these.
            NotFoundError: the project never had a budget of that name.

        """
        check_limit(limit, MOST_CHANGES)
        with translate_failures():
            records = await self._pool.fetch(
                _SQL["changes_of_budget"], self.project_id, _searched(name), limit
            )
        if not records:
            await self.get(name)
        return [_change(record) for record in records]

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Budget]:
        """Return budgets by name.

        Args:
            limit: most rows, from 1 to 1000; None gives all.
            cursor: ``next_cursor`` of the page before.

        Raises:
            InvalidInputError: the limit is not one of these.
            InvalidCursorError: the cursor is of another query.

        """
        most = check_limit(MOST_BUDGETS if limit is None else limit, MOST_BUDGETS)
        scope = scope_of("budgets", self.project_id)
        after = "" if cursor is None else _position(cursor, scope)
        with translate_failures():
            records = await self._pool.fetch(_SQL["list_budgets"], self.project_id, after, most + 1)
        rows = [_budget(record) for record in records]
        return paginate(rows, most, scope, [[row.name.encode().hex()] for row in rows])

    async def _locked(self, connection: Connection, name: str) -> Budget | None:
        """Return a budget, if there is one, once nobody else changes any of the project."""
        await connection.execute(_SQL["lock_budgets"], self.project_id)
        record = await connection.fetchrow(_SQL["budget_by_name"], self.project_id, name)
        return None if record is None else _budget(record)

    async def _count(self, connection: Connection) -> int:
        count: int = await connection.fetchval(_SQL["count_budgets"], self.project_id)
        return count


async def _note(
    connection: Connection, old: Budget | None, new: Budget | None, by: str | None
) -> None:
    action: Action = "created" if old is None else "removed" if new is None else "changed"
    one = old or new
    await connection.execute(
        _SQL["note_change"],
        one and one.budget_id,
        by,
        action,
        old and old.amount_usd,
        new and new.amount_usd,
        old and _encode(_terms_of(old)),
        new and _encode(_terms_of(new)),
    )


def _searched(name: str) -> str:
    """Return a name that the database can be asked for.

    Raises:
        NotFoundError: no budget can have it.

    """
    try:
        return check_name(name)
    except InvalidInputError:
        raise _missing(name) from None


def _position(cursor: str, scope: str) -> str:
    (name,) = decode_cursor(cursor, scope, str)
    try:
        return check_name(bytes.fromhex(name).decode())
    except (UnicodeDecodeError, InvalidInputError) as error:
        raise InvalidCursorError("the cursor is not one that this route gave") from error


def _missing(name: str) -> NotFoundError:
    return NotFoundError(f"the project has no budget {name[:100]!r}")


def _terms_of(budget: Budget) -> Terms:
    return Terms(period=budget.period, tz=budget.tz, filters=budget.filters, warn_at=budget.warn_at)


def _budget(record: Any) -> Budget:  # noqa: ANN401 - asyncpg's Record
    return Budget(
        **{
            **dict(record),
            "filters": _filters.decode(record["filters"]),
            "warn_at": tuple(record["warn_at"]),
        }
    )


def _change(record: Any) -> BudgetChange:  # noqa: ANN401 - asyncpg's Record
    terms = {
        name: record[name] and _terms.decode(record[name]) for name in ("old_terms", "new_terms")
    }
    return BudgetChange(**{**dict(record), **terms})
