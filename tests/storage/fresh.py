"""Every rollup computed from the spans at once, as its definition says, however many there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from storage.samples import query

DEFINITION = """
    SELECT r.source, r.width::text, r.condition, r.shown, cardinality(r.dimensions),
        (SELECT array_agg(
            format('(%%s)::%%s AS %%I', c.expression, c.type, c.name) ORDER BY c.ordinal)
         FROM observatory_private.rollup_columns(r) AS c)
    FROM observatory_private.rollups AS r WHERE r.name = %s
"""


def rollup_names(url: str) -> list[str]:
    """Return all that there are."""
    rows = query(url, "SELECT name FROM observatory_private.rollups ORDER BY refresh_order")
    return [name for (name,) in rows]


def computed(url: str, name: str, since: datetime) -> list[str]:
    """Return the rollup's rows of the buckets from a time on, from the spans that are stored."""
    return _rows(url, f"({_query(url, name)})", since)


def held(url: str, name: str, since: datetime, until: datetime | None = None) -> list[str]:
    """Return the rows that the rollup shows of the buckets from a time on, and before another."""
    return _rows(url, f"observatory.{name}", since, until)


def _query(url: str, name: str) -> str:
    ((source, width, condition, shown, dimensions, columns),) = query(url, DEFINITION, name)
    made = "observatory.spans" if source == "spans" else f"({_query(url, source)}) AS finer"
    time = "start_time" if source == "spans" else "bucket"
    keys = ", ".join(str(n + 1) for n in range(2 + dimensions))
    return (
        f"SELECT * FROM (SELECT date_bin('{width}', {time}, '2000-01-01Z') AS bucket, project_id,"
        f" {', '.join(columns)} FROM {made} WHERE {condition} GROUP BY {keys}) AS r WHERE {shown}"
    )


def _rows(url: str, relation: str, since: datetime, until: datetime | None = None) -> list[str]:
    before = "infinity" if until is None else until.isoformat()
    rows: list[tuple[Any, ...]] = query(
        url,
        f"SELECT t::text FROM {relation} AS t"
        f" WHERE bucket >= '{since.isoformat()}' AND bucket < '{before}'",
    )
    return sorted(text for (text,) in rows)
