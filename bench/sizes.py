"""How many bytes a stored span takes."""

from __future__ import annotations

from typing import Any

import asyncpg

_ROW_STORE = """
    SELECT relation, sum(pg_total_relation_size(part))::bigint FROM (
        SELECT relation, coalesce(chunk, table_name::regclass) AS part FROM (
            VALUES ('spans'), ('span_payloads'), ('trace_days')) AS r (relation)
        CROSS JOIN LATERAL (SELECT 'observatory.' || relation AS table_name) AS t
        LEFT JOIN LATERAL (
            SELECT inhrelid::regclass AS chunk FROM pg_inherits
            WHERE inhparent = table_name::regclass) AS c ON true
    ) AS parts GROUP BY 1
"""
_COMPRESS = """
    SELECT compress_chunk(c) FROM show_chunks($1::regclass) AS c
"""
_COLUMNSTORE = """
    SELECT coalesce(sum(after_compression_total_bytes), 0)::bigint
    FROM hypertable_columnstore_stats($1::regclass)
"""


async def bytes_a_span(url: str, spans: int) -> dict[str, Any]:
    """Return the bytes of table, indexes and TOAST for each span, before and after compression."""
    connection = await asyncpg.connect(url, statement_cache_size=0)
    rows = {name: size / spans for name, size in await connection.fetch(_ROW_STORE)}
    sizes: dict[str, Any] = {"row store": rows}
    if await connection.fetchval("SELECT observatory.edition()") == "community":
        columnar = {}
        for relation in ("spans", "span_payloads"):
            await connection.execute(
                _COMPRESS.replace("$1", f"'observatory.{relation}'"), timeout=600
            )
            size = await connection.fetchval(
                _COLUMNSTORE.replace("$1", f"'observatory.{relation}'")
            )
            columnar[relation] = size / spans
        sizes["columnstore"] = columnar
    await connection.close()
    return sizes
