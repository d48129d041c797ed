"""From counted rollups to TimescaleDB's continuous aggregates (apache to community).

The aggregates are filled beside the counted rows, which answer meanwhile. One transaction then lets
go of what the aggregates count, and has the views unite the rest with them. What is counted from
spans that are gone is never touched.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from psycopg import sql

from observatory_store.errors import MigrationError
from observatory_store.schema.connection import Connection, one
from observatory_store.schema.lock import Progress
from observatory_store.schema.source import Migration
from observatory_store.schema.step import Patience, patiently
from observatory_store.sql import load

_SQL = load("promotion")
_POLL_SECONDS = 0.2
# What a migration does by edition is in functions, which such a block of code calls.
_BY_EDITION = re.compile(
    r"\A(?:\s|--.*\n)*DO\b.*(?:partition_by_time|apply_policies|build_rollup)\(", re.DOTALL
)


def to_aggregates(
    connection: Connection,
    migrations: Sequence[Migration],
    *,
    patience: Patience,
    progress: Progress,
) -> list[str]:
    """Have TimescaleDB keep the rollups and run the policies; return the rollups."""
    with _no_refresh(connection, patience, progress):
        connection.execute(_SQL["delete_expired_spans"])
        since = one(connection, _SQL["spans_from"])
        rollups = [name for (name,) in connection.execute(_SQL["stored_rollups"]).fetchall()]
        _drop_outdated(connection, rollups, since)
        patiently(
            connection,
            "building the aggregates",
            partial(_build, connection, migrations, rollups),
            patience=patience,
            progress=progress,
        )
        connection.execute("SET lock_timeout = 0")
        for number, rollup in enumerate(rollups, 1):
            days = _fill(connection, rollup, since)
            progress(f"aggregate {number}/{len(rollups)} {rollup}: {days} days")
        patiently(
            connection,
            "the change to aggregates",
            partial(_switch, connection, migrations, rollups, since),
            patience=patience,
            progress=progress,
        )
    return rollups


@contextmanager
def _no_refresh(connection: Connection, patience: Patience, progress: Progress) -> Iterator[None]:
    # Nor is anything dropped that an aggregate has not counted yet.
    until = time.monotonic() + patience.turn_wait_seconds
    told = False
    while not one(connection, _SQL["rollups_lock"]):
        if time.monotonic() >= until:
            raise MigrationError(
                "a refresh of the rollups, or `maintain`, goes on: run it again when it is done"
            )
        if not told:
            progress("waiting for a refresh of the rollups")
            told = True
        time.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_SQL["rollups_unlock"])


def _drop_outdated(connection: Connection, rollups: list[str], since: datetime | None) -> None:
    """Drop what a stopped run built, if spans that it counted have been dropped since."""
    built = {name for (name,) in connection.execute(_SQL["aggregates"]).fetchall()}
    there = [name for name in reversed(rollups) if name in built]
    if any(_reaches_before(connection, name, since) for name in there):
        with connection.transaction():
            for name in there:
                connection.execute(_named("DROP MATERIALIZED VIEW observatory_private.{}", name))


def _reaches_before(connection: Connection, name: str, since: datetime | None) -> bool:
    query = "SELECT EXISTS (SELECT FROM observatory_private.{} WHERE bucket < %s)"
    row = connection.execute(_named(query, name), [since or "infinity"]).fetchone()
    return row == (True,)


def _build(connection: Connection, migrations: Sequence[Migration], rollups: list[str]) -> None:
    with connection.transaction():
        for name in rollups:
            connection.execute(_SQL["build_aggregate"], [name])
        # What the server would refuse at the end is better known before the work.
        with connection.transaction(force_rollback=True):
            _hand_over(connection, migrations)


def _fill(connection: Connection, name: str, since: datetime | None) -> int:
    if since is None:
        return 0
    # By day, oldest first: what lies above the newest day that is done is counted when it is read.
    days = connection.execute(_SQL["days_to_fill"], {"name": name, "since": since}).fetchall()
    for (day,) in days:
        connection.execute(_SQL["fill_aggregate"], {"name": name, "day": day})
    return len(days)


def _switch(
    connection: Connection,
    migrations: Sequence[Migration],
    rollups: list[str],
    since: datetime | None,
) -> None:
    with connection.transaction():
        for name in rollups:
            connection.execute(
                _named("DELETE FROM observatory_private.{} WHERE bucket >= %s", f"{name}_history"),
                [since or "infinity"],
            )
        _hand_over(connection, migrations)
        for name in rollups:
            connection.execute(_named("DROP VIEW observatory_private.{}", f"{name}_changed"))
            connection.execute(
                _named(
                    "DROP FUNCTION observatory_private.{}(integer, timestamptz)", f"count_{name}"
                )
            )


def _hand_over(connection: Connection, migrations: Sequence[Migration]) -> None:
    """Have the migrations do what they do on the community edition, and not elsewhere."""
    connection.execute(_SQL["lock_softly"])
    # In the order of readers, who come to a table by a view; then in that of writers.
    for (statement,) in connection.execute(_SQL["lock_rollups"]).fetchall():
        connection.execute(statement.encode())
    connection.execute(_SQL["lock_tables"])
    connection.execute(_SQL["record_edition"], ["community"])
    for migration in migrations:
        for statement in filter(_BY_EDITION.match, migration.statements):
            connection.execute(statement.encode())


def _named(statement: str, name: str) -> sql.Composed:
    return sql.SQL(statement).format(sql.Identifier(name))
