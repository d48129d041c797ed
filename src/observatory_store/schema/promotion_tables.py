"""From plain tables to hypertables (postgres to apache).

Triggers repeat in the copy whatever is written to a table, from before its first day is copied; so
no day is ever copied twice. One transaction then puts the copies in the place of the tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import partial
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from psycopg import sql

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, one
from observatory_store.schema.lock import Progress
from observatory_store.schema.source import Migration
from observatory_store.schema.step import Patience, patiently
from observatory_store.sql import load

_SQL = load("promotion")
_PARTITIONED = re.compile(r"partition_by_time\('(\w+)', '(\w+)'\)")
_UTC = ZoneInfo("UTC")
_POLL_SECONDS = 0.1


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of facts."""

    name: str
    time_column: str
    is_by_date: bool
    """Whether its time is a day."""
    keys: list[str]
    columns: list[str]

    def fill_in(self, statement: str, **more: sql.Composable) -> sql.Composed:
        """Return the statement with this table's names in it."""
        return sql.SQL(statement).format(
            table=sql.Identifier(self.name),
            gone=sql.Identifier(f"{self.name}_gone"),
            mirror=sql.Identifier(f"mirror_{self.name}"),
            name=sql.Literal(self.name),
            time=sql.Identifier(self.time_column),
            keys=_listed(self.keys),
            columns=_listed(self.columns),
            excluded=_listed(self.columns, "excluded"),
            same=_same(self.keys, "t"),
            same_of_table=_same(self.keys, "o"),
            **more,
        )


def read_tables(connection: Connection, migrations: Sequence[Migration]) -> list[Table]:
    """Return the tables that the migrations partition by time, as they are in the database.

    Raises:
        MigrationError: a table has what a hypertable cannot have, or would lose.

    """
    text = "\n".join(statement for one in migrations for statement in one.statements)
    return [_read(connection, name, column) for name, column in _PARTITIONED.findall(text)]


def to_hypertables(
    connection: Connection, tables: list[Table], *, patience: Patience, progress: Progress
) -> None:
    """Copy the tables into hypertables by day, then put these in their place."""
    with connection.transaction():
        connection.execute(_SQL["begin_promotion"])
    for table in tables:
        if not one(connection, _SQL["is_begun"], table.name, table.name):
            patiently(
                connection,
                f"beginning to copy {table.name}",
                partial(_begin, connection, table),
                patience=patience,
                progress=progress,
            )
    for table in tables:
        days = connection.execute(table.fill_in(_SQL["days_to_copy"])).fetchall()
        for number, (day,) in enumerate(days, 1):
            patiently(
                connection,
                f"copying {table.name} of {day}",
                partial(_copy, connection, table, day),
                patience=patience,
                progress=progress,
            )
            progress(f"{table.name} {day} copied, {number}/{len(days)} days")
        connection.execute(table.fill_in(_SQL["analyze_copy"]))
    patiently(
        connection,
        "the change to hypertables",
        partial(_replace, connection, tables),
        patience=patience,
        progress=progress,
    )
    progress("hypertables are in place")


def settle(connection: Connection, *, patience: Patience, progress: Progress) -> None:
    """Remove what helped, once all have ended who may have waited for the hypertables.

    Raises:
        MigrationError: a transaction of before goes on for too long; run again when it has ended.

    """
    if not one(connection, _SQL["is_unsettled"]):
        return
    until = monotonic() + patience.lock_wait_seconds
    older = set(one(connection, _SQL["transactions"]) or ())
    while older & set(one(connection, _SQL["transactions"]) or ()):
        if monotonic() >= until:
            raise MigrationError(
                "the hypertables are in place, but a transaction that began before still goes on: "
                "run it again when that has ended"
            )
        sleep(_POLL_SECONDS)
    patiently(
        connection,
        "the end of copying",
        partial(_drop_schema, connection),
        patience=patience,
        progress=progress,
    )


def _drop_schema(connection: Connection) -> None:
    with connection.transaction():
        connection.execute(_SQL["lock_softly"])
        connection.execute(_SQL["lock_tables"])
        connection.execute(_SQL["drop_schema"])


def _read(connection: Connection, name: str, time_column: str) -> Table:
    table = f"observatory.{name}"
    obstacles = connection.execute(_SQL["obstacles"], [table, table, time_column]).fetchall()
    if obstacles:
        raise MigrationError(
            f"{table} cannot become a hypertable with {obstacles[0][0]}: drop that, promote, and "
            "create it again, as far as a hypertable can have it. Nothing was changed"
        )
    columns, keys, is_by_date = connection.execute(
        _SQL["description"], [time_column, table]
    ).fetchall()[0]
    return Table(
        name=name, time_column=time_column, is_by_date=is_by_date, keys=keys, columns=columns
    )


def _begin(connection: Connection, table: Table) -> None:
    with connection.transaction():
        connection.execute(table.fill_in(_SQL["drop_copy"]))
        arguments = {
            "table": f"observatory.{table.name}",
            "name": table.name,
            "time_column": table.time_column,
        }
        for statement in _statements(connection, "copy_definition", arguments):
            connection.execute(statement)
        connection.execute(table.fill_in(_SQL["mirror"]))


def _copy(connection: Connection, table: Table, day: date) -> None:
    bounds = [day, day + timedelta(days=1)]
    if not table.is_by_date:
        bounds = [datetime.combine(bound, time(), _UTC) for bound in bounds]
    first, next_ = map(sql.Literal, bounds)
    with connection.transaction():
        connection.execute(table.fill_in(_SQL["copy_day"], day=first, next_day=next_))
        connection.execute(_SQL["note_copied_day"], [table.name, day])


def _replace(connection: Connection, tables: list[Table]) -> None:
    names = [f"observatory.{table.name}" for table in tables]
    with connection.transaction():
        connection.execute(_SQL["lock_softly"])
        # In the order of readers, who come to a table by a view.
        for statement in _statements(connection, "lock_views_over", [names]):
            connection.execute(statement)
        connection.execute(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE".encode())
        for table in tables:
            connection.execute(table.fill_in(_SQL["settle_copy"]))
            extras = _statements(connection, "table_extras", {"table": f"observatory.{table.name}"})
            for statement in extras:
                connection.execute(statement)
        views = list(_qualified(connection, "views", [names]))
        connection.execute("CREATE SCHEMA observatory_replaced")
        for table in tables:
            connection.execute(table.fill_in(_SQL["replace_table"]))
        for statement in views:
            connection.execute(statement)
        for table in tables:
            connection.execute(table.fill_in("DROP TABLE observatory_replaced.{table}"))
        connection.execute("DROP SCHEMA observatory_replaced")
        connection.execute(_SQL["record_edition"], ["apache"])


def _statements(connection: Connection, query: str, arguments: Any) -> Iterator[bytes]:  # noqa: ANN401 - as the driver takes them
    for (statement,) in connection.execute(_SQL[query], arguments).fetchall():
        if statement is not None:
            yield statement.encode()


def _qualified(connection: Connection, query: str, arguments: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Return statements in which every name stands with its schema."""
    path = one(connection, "SHOW search_path")
    connection.execute("SELECT set_config('search_path', '', true)")
    yield from _statements(connection, query, arguments)
    connection.execute("SELECT set_config('search_path', %s, true)", [path])


def _listed(names: list[str], prefix: str | None = None) -> sql.Composed:
    parts = [(prefix, name) if prefix else (name,) for name in names]
    return sql.SQL(", ").join(sql.Identifier(*part) for part in parts)


def _same(keys: list[str], alias: str) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(alias, key), sql.Identifier("g", key))
        for key in keys
    )
