"""Connections to PostgreSQL: the URL, the pool, and what its errors mean."""

from observatory_store.database.failures import is_fault, lacks_right, translate_failures
from observatory_store.database.pool import Connection, Pool, open_pool
from observatory_store.database.url import (
    for_asyncpg,
    for_psycopg,
    for_yoyo,
    redacted,
    with_database,
)

__all__ = [
    "Connection",
    "Pool",
    "for_asyncpg",
    "for_psycopg",
    "for_yoyo",
    "is_fault",
    "lacks_right",
    "open_pool",
    "redacted",
    "translate_failures",
    "with_database",
]
