"""What would run, in order, and whom it would keep waiting."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from observatory_store.schema.connection import Connection, one
from observatory_store.schema.index_build import for_its_table
from observatory_store.schema.linter import Effect, Lock, Work, read_statement
from observatory_store.schema.sizes import size_and_estimate
from observatory_store.schema.source import Migration


class PlannedEffect(msgspec.Struct, frozen=True, kw_only=True):
    """What a statement would do to a relation that is there now."""

    relation: str
    lock: str
    """As PostgreSQL calls it: `ACCESS EXCLUSIVE`, `SHARE`, …"""
    work: Work
    rows: int
    """About how many there are."""
    bytes: int
    """With indexes and chunks."""
    waiting: str
    """Who waits while it lasts: `nobody`, `writers`, `writers of a chunk` at a time, or `all`."""
    is_slow: bool
    """Whether somebody waits for as long as it takes to go through the table."""


class PlannedStatement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement of a pending migration."""

    migration: str
    sql: str
    effects: list[PlannedEffect]
    is_code: bool
    """Whether it runs code, whose own statements are not seen here."""
    transactional: bool


def make_plan(connection: Connection, pending: Iterable[Migration]) -> list[PlannedStatement]:
    """Read what the migrations would do against what the database holds. Runs none of it.

    Raises:
        InvalidInputError: the parser is not installed.

    """
    sizes: dict[str, tuple[int, int] | None] = {}
    return [
        _planned(connection, migration, for_its_table(connection, statement), sizes)
        for migration in pending
        for statement in migration.statements
    ]


def _planned(
    connection: Connection,
    migration: Migration,
    statement: str,
    sizes: dict[str, tuple[int, int] | None],
) -> PlannedStatement:
    reading = read_statement(statement)
    effects = []
    for effect in reading.effects:
        if effect.relation not in sizes:
            sizes[effect.relation] = _size(connection, effect.relation)
        # A relation that is not there yet is made by the same migrations: nobody else uses it.
        if size := sizes[effect.relation]:
            effects.append(_weighed(effect, *size))
    return PlannedStatement(
        migration=migration.id,
        sql=statement.strip(),
        effects=effects,
        is_code=reading.is_code,
        transactional=migration.transactional,
    )


def _weighed(effect: Effect, size: int, rows: int) -> PlannedEffect:
    waiting = _waiting(effect.lock)
    if effect.by_chunk:
        waiting += " of a chunk"
    return PlannedEffect(
        relation=effect.relation,
        lock=str(effect.lock),
        work=effect.work,
        bytes=size,
        rows=rows,
        waiting=waiting,
        is_slow=waiting in {"writers", "all"}
        and effect.work in {Work.SCAN, Work.REWRITE}
        and rows > 0,
    )


def _size(connection: Connection, relation: str) -> tuple[int, int] | None:
    if not one(connection, "SELECT to_regclass(%s) IS NOT NULL", relation):
        return None
    return size_and_estimate(connection, relation)


def _waiting(lock: Lock) -> str:
    if lock == Lock.ACCESS_EXCLUSIVE:
        return "all"
    return "writers" if lock >= Lock.SHARE else "nobody"
