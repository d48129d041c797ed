"""Which edition a database was built for, and why no higher one."""

from __future__ import annotations

from observatory_store.schema.connection import Connection, one

_EXPLAINED = """
    SELECT format('%s (%s)', edition, CASE
        WHEN version IS NULL AND NOT is_available THEN 'TimescaleDB is not installed on this server'
        WHEN version IS NULL AND NOT is_loaded THEN
            'the server has TimescaleDB, but not in shared_preload_libraries'
        WHEN version IS NULL THEN
            format('role %I may not create the extension timescaledb', current_user)
        WHEN edition = 'community' THEN format('TimescaleDB %s', version)
        WHEN edition = 'apache' AND licence = 'apache' THEN
            format('TimescaleDB %s under the Apache licence', version)
        ELSE format('TimescaleDB %s is too old for more', version)
    END)
    FROM (
        SELECT observatory.edition(),
            (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
            EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb'),
            current_setting('timescaledb.disable_load', true) IS NOT NULL,
            current_setting('timescaledb.license', true)
    ) AS server (edition, version, is_available, is_loaded, licence)
"""


def explain_edition(connection: Connection) -> str:
    """Return the edition that a database was just built for, with what made it that one."""
    found: str = one(connection, _EXPLAINED)
    return found
