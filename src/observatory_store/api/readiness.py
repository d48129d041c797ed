"""Whether the database can serve."""

from __future__ import annotations

from typing import Final

from observatory_store.api.answers.health import Check, Checks, Readiness
from observatory_store.database import Pool, translate_failures
from observatory_store.errors import SchemaNotAppliedError, UnavailableError
from observatory_store.writers import Limits

_RELATIONS: Final = frozenset(
    {"spans", "span_payloads", "trace_days", "metric_points", "logs", "llm_usage_15m"}
)
"""Each has a policy, made by the migration that makes the relation."""


async def readiness(pool: Pool) -> Readiness:
    """Return which checks the database passes: reachable, schema applied, writable."""
    writable: Check = "unknown"
    try:
        with translate_failures():
            async with pool.acquire() as connection:
                # Reported by the server when the connection is made, and whenever they change.
                reported = connection.get_settings()
                read_only = "on" in (
                    getattr(reported, "default_transaction_read_only", "off"),
                    getattr(reported, "in_hot_standby", "off"),
                )
                writable = "failed" if read_only else "ok"
                limits = await Limits.read(connection)
    except SchemaNotAppliedError:
        checks = Checks(database="ok", schema="failed", writable=writable)
        return Readiness(ready=False, checks=checks)
    except UnavailableError:
        checks = Checks(database="failed", schema="unknown", writable="unknown")
        return Readiness(ready=False, checks=checks)
    applied = limits.oldest.keys() >= _RELATIONS
    checks = Checks(database="ok", schema="ok" if applied else "failed", writable=writable)
    return Readiness(ready=applied and not read_only, checks=checks, edition=limits.edition)
