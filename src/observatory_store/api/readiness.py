"""Whether the database can serve."""

from __future__ import annotations

from typing import Final

from observatory_store.api.answers.health import Check, Readiness
from observatory_store.database import Pool, translate_failures
from observatory_store.errors import SchemaNotAppliedError, UnavailableError
from observatory_store.writers import Limits

_RELATIONS: Final = frozenset(
    {"spans", "span_payloads", "trace_days", "metric_points", "logs", "llm_usage_15m"}
)
"""Each has a policy, made by the migration that makes the relation."""


async def readiness(pool: Pool) -> Readiness:
    """Return which checks the database passes: reachable, schema applied, writable."""
    schema: Check = "unknown"
    try:
        with translate_failures():
            async with pool.acquire() as connection:
                # Reported by the server when the connection is made, and whenever they change.
                reported = connection.get_settings()
                writable = "on" not in (
                    getattr(reported, "default_transaction_read_only", "off"),
                    getattr(reported, "in_hot_standby", "off"),
                )
                schema = "failed"
                limits = await Limits.read(connection)
    except SchemaNotAppliedError:
        return Readiness(
            ready=False, database="ok", schema=schema, writable="ok" if writable else "failed"
        )
    except UnavailableError:
        return Readiness(ready=False, database="failed", schema="unknown", writable="unknown")
    applied = _RELATIONS <= limits.oldest.keys()
    return Readiness(
        ready=applied and writable,
        database="ok",
        schema="ok" if applied else "failed",
        writable="ok" if writable else "failed",
        edition=limits.edition,
    )
