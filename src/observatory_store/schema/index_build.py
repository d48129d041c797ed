"""Building an index beside writers: in one way on a plain table, in another on a hypertable.

A migration has one statement for both, with the words of each in a comment: so plain yoyo can run
it as well, on any edition, but keeps writers waiting.

    CREATE INDEX /* CONCURRENTLY */ IF NOT EXISTS spans_by_kind ON observatory.spans (kind)
        /* WITH (timescaledb.transaction_per_chunk) */
"""

from __future__ import annotations

import re

from psycopg import sql

from observatory_store.schema.connection import Connection, one

_CONCURRENTLY = re.compile(r"/\*\s*(CONCURRENTLY)\s*\*/")
_BY_CHUNK = re.compile(r"/\*\s*(WITH \(timescaledb\.transaction_per_chunk\))\s*\*/")
_BUILD = re.compile(
    r"\bCREATE INDEX\s+(?:(?:/\*\s*)?CONCURRENTLY(?:\s*\*/)?\s+)?(?:IF NOT EXISTS\s+)?"
    r"(\w+)\s+ON\s+(\w+\.\w+)",
    re.IGNORECASE,
)
_IS_CONCURRENT = re.compile(r"\bCREATE INDEX\s+CONCURRENTLY\b", re.IGNORECASE)


def for_its_table(connection: Connection, statement: str) -> str:
    """Return the statement with those of its commented words that suit the table as it is now.

    As it was given if it builds no index, or its table is not there.
    """
    build = _BUILD.search(statement)
    if build is None or not one(connection, "SELECT to_regclass(%s) IS NOT NULL", build[2]):
        return statement
    words = _BY_CHUNK if _is_hypertable(connection, build[2]) else _CONCURRENTLY
    return words.sub(r"\1", statement)


def is_concurrent(statement: str) -> bool:
    """Tell whether it waits for others while nobody waits for it."""
    return _IS_CONCURRENT.search(statement) is not None


def drop_unfinished(connection: Connection, statement: str) -> None:
    """Drop the index that a killed run left invalid, which IF NOT EXISTS would take for done.

    TimescaleDB drops what was built on chunks with it.
    """
    build = _BUILD.search(statement)
    if build is None:
        return
    schema = build[2].partition(".")[0]
    if one(
        connection,
        "SELECT EXISTS (SELECT FROM pg_index"
        " WHERE indexrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))"
        " AND NOT indisvalid)",
        *(schema, build[1]),
    ):
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(schema, build[1])))


def _is_hypertable(connection: Connection, table: str) -> bool:
    if not one(connection, "SELECT to_regclass('timescaledb_information.hypertables') IS NOT NULL"):
        return False
    return bool(
        one(
            connection,
            "SELECT EXISTS (SELECT FROM timescaledb_information.hypertables"
            " WHERE format('%%I.%%I', hypertable_schema, hypertable_name) = %s)",
            table,
        )
    )
