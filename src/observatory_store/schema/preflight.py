"""What would make a migration fail, told before anything is changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from observatory_store.errors import MigrationError, UnavailableError
from observatory_store.schema.connection import Connection, one
from observatory_store.schema.snapshot import QUERIES, load_snapshot
from observatory_store.schema.source import Migration
from observatory_store.schema.status import SchemaStatus, State, listed

_TABLE = re.compile(
    r"^CREATE TABLE (?:IF NOT EXISTS )?(observatory(?:_private)?\.\w+) \((.*?)^\)",
    re.MULTILINE | re.DOTALL,
)
_COLUMN = re.compile(r"^    ([a-z_0-9]+) [a-z]", re.MULTILINE)


def check_versions(status: SchemaStatus) -> None:
    """Refuse to migrate what this package cannot know enough of.

    Raises:
        MigrationError: an applied file was edited, or another version has gone ahead.

    """
    if drifted := status.of(State.DRIFTED):
        raise MigrationError(
            f"{', '.join(drifted)} was edited after it was applied: restore the file, or run the "
            f"edited one by `observatory-store schema reapply {drifted[0]}`"
        )
    unknown, pending = status.of(State.UNKNOWN), status.of(State.PENDING)
    if unknown and pending:
        raise MigrationError(
            f"the database is of another version: it has {listed(unknown)}, and lacks "
            f"{listed(pending)}. Upgrade observatory-store first; or, if those are another "
            "program's, use a database of its own"
        )


def check_rights(connection: Connection) -> None:
    """Refuse what the server would refuse half-way.

    Raises:
        UnavailableError: it is a standby, or takes no writes.
        MigrationError: the role may not create what is needed.

    """
    if one(connection, "SHOW transaction_read_only") == "on":
        raise UnavailableError(
            "this server takes no writes (a standby, or default_transaction_read_only): use the "
            "URL of the primary"
        )
    if owned := one(connection, _OWNED_BY_ANOTHER):
        raise MigrationError(f"role {connection.info.user!r} may not change the schema: {owned}")
    if lacking := one(connection, _LACKING):
        raise MigrationError(
            f"role {connection.info.user!r} may not create what the schema needs: have the owner "
            f"of the database run {lacking}"
        )


def check_tables(
    connection: Connection, migrations: Sequence[Migration], *, must_exist: bool = False
) -> None:
    """Refuse to build on tables that are somebody else's.

    Raises:
        MigrationError: a table that a migration creates is there with other columns, or is not
            there though it must be.

    """
    for migration in migrations:
        for table, columns in created_tables(migration).items():
            present = {
                row[0]
                for row in connection.execute(
                    "SELECT attname FROM pg_attribute"
                    " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
                    [table],
                ).fetchall()
            }
            if one(connection, _IS_ONLY_A_TYPE, table):
                raise MigrationError(
                    f"type {table} is there, and {migration.id} creates a table of that name. "
                    "Nothing was changed: rename that type"
                )
            if missing := [column for column in columns if column not in present]:
                if one(connection, "SELECT to_regclass(%s) IS NOT NULL", table):
                    raise MigrationError(
                        f"table {table} is there, but is not the one that {migration.id} creates "
                        f"(it has no column {missing[0]}). Nothing was changed: rename that table"
                    )
                if must_exist:
                    raise MigrationError(
                        f"there is no table {table}, so {migration.id} was not run here. Nothing "
                        "was recorded: name the last one that was by --to"
                    )


def check_names(connection: Connection) -> None:
    """Refuse to build among what is somebody else's.

    Raises:
        MigrationError: nothing of ours is there, but something that has a name of ours.

    """
    if one(connection, "SELECT to_regclass('observatory.installation') IS NOT NULL"):
        return
    catalogues = [load_snapshot(edition).catalogue for edition in QUERIES]
    ours = {name for each in catalogues for kind in _NAMED for name in each.get(kind, ())}
    found = {row[0] for row in connection.execute(_FOUND).fetchall()}
    if taken := sorted(found & ours):
        raise MigrationError(
            f"{', '.join(taken)}: there already, but not as part of this schema, of which nothing "
            "is here yet. Nothing was changed: rename it, or move it to another schema"
        )


def created_tables(migration: Migration) -> dict[str, list[str]]:
    """Return the tables that a migration creates by name, with the columns written there."""
    text = "\n".join(migration.statements)
    return {table: _COLUMN.findall(body) for table, body in _TABLE.findall(text)}


_NAMED = ("table", "view", "aggregate", "function")
_FOUND = """
    SELECT format('%I.%I', nspname, relname)
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE nspname IN ('observatory', 'observatory_private') AND relkind NOT IN ('i', 'I', 't', 'c')
    UNION ALL
    SELECT format('%I.%I', nspname, typname)
    FROM pg_type AS t
    JOIN pg_namespace AS n ON n.oid = typnamespace
    WHERE nspname IN ('observatory', 'observatory_private')
    UNION ALL
    SELECT p.oid::regprocedure::text
    FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = pronamespace
    WHERE nspname IN ('observatory', 'observatory_private')
"""
_IS_ONLY_A_TYPE = """
    SELECT EXISTS (
        SELECT
        FROM pg_type AS t
        LEFT JOIN pg_class AS c ON c.oid = typrelid
        WHERE t.oid = to_regtype(%s) AND coalesce(relkind = 'c', true))
"""
_OWNED_BY_ANOTHER = """
    SELECT string_agg(
        format('connect as %I, which owns schema %s', owner, schemas), '; ' ORDER BY owner)
    FROM (
        SELECT pg_get_userbyid(nspowner), string_agg(nspname, ' and schema ' ORDER BY nspname)
        FROM pg_namespace
        WHERE nspname IN ('observatory', 'observatory_private')
            AND NOT pg_has_role(nspowner, 'USAGE')
        GROUP BY nspowner
    ) AS owned (owner, schemas)
"""
# The first migration says CREATE SCHEMA, which takes the right even where the schemas are there.
_LACKING = """
    SELECT string_agg(grant_, '; ')
    FROM (
        SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
        WHERE to_regclass('observatory.installation') IS NULL
            AND NOT has_database_privilege(current_database(), 'CREATE')
        UNION ALL
        SELECT format('GRANT CREATE ON SCHEMA %I TO %I', current_schema(), current_user)
        WHERE to_regclass('_yoyo_migration') IS NULL
            AND NOT has_schema_privilege(current_schema(), 'CREATE')
    ) AS lacking (grant_)
"""
