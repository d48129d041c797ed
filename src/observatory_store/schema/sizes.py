"""How large a table is, with its chunks, whose sizes are not its own."""

from __future__ import annotations

from observatory_store.schema.connection import Connection, one


def size_and_estimate(connection: Connection, quoted: str) -> tuple[int, int]:
    """Return bytes, with indexes, and about how many rows a table of this quoted name has."""
    size, rows = connection.execute(
        """
        WITH RECURSIVE part (oid) AS (
            SELECT %s::regclass::oid
            UNION ALL
            SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid
        )
        SELECT sum(pg_total_relation_size(oid)), sum(greatest(reltuples, 0))
        FROM part JOIN pg_class USING (oid)
        """,
        [quoted],
    ).fetchall()[0]
    if one(connection, "SELECT to_regproc('hypertable_size') IS NOT NULL"):
        # The columnstore's bytes are in tables that no inheritance leads to.
        size = one(connection, "SELECT hypertable_size(%s::regclass)", quoted) or size
        rows = max(one(connection, "SELECT approximate_row_count(%s::regclass)", quoted), rows)
    return int(size), int(rows)
