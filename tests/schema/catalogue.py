"""What a database's catalogue holds of ours, as text that can be compared."""

from __future__ import annotations

import re

import psycopg

OURS = "('observatory', 'observatory_private')"

_QUERIES = (
    f"""SELECT format('schema %s: %s', nspname, obj_description(oid, 'pg_namespace'))
        FROM pg_namespace WHERE nspname IN {OURS}""",
    f"""SELECT format('relation %s kind %s options %s: %s', c.oid::regclass, relkind, reloptions,
            obj_description(c.oid, 'pg_class'))
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname IN {OURS} AND relkind IN ('r', 'v', 'm', 'p', 'i', 'S')""",
    f"""SELECT format('column %s.%s %s not null %s default %s compression %s: %s', c.oid::regclass,
            attname, format_type(atttypid, atttypmod), attnotnull,
            pg_get_expr(adbin, adrelid), attcompression, col_description(c.oid, attnum))
        FROM pg_attribute a
        JOIN pg_class c ON c.oid = attrelid
        JOIN pg_namespace n ON n.oid = relnamespace
        LEFT JOIN pg_attrdef d ON adrelid = c.oid AND adnum = attnum
        WHERE nspname IN {OURS} AND attnum > 0 AND NOT attisdropped
            AND relkind IN ('r', 'v', 'm', 'p')""",
    f"""SELECT format('constraint %s on %s: %s', conname, conrelid::regclass,
            pg_get_constraintdef(c.oid))
        FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE nspname IN {OURS}""",
    f"SELECT format('index %s', indexdef) FROM pg_indexes WHERE schemaname IN {OURS}",
    f"""SELECT format('view %s.%s: %s', schemaname, viewname, definition)
        FROM pg_views WHERE schemaname IN {OURS}""",
    f"""SELECT format('function %s: %s %s', p.oid::regprocedure,
            CASE WHEN prokind = 'a' THEN 'aggregate' ELSE pg_get_functiondef(p.oid) END,
            obj_description(p.oid, 'pg_proc'))
        FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname IN {OURS}""",
    "SELECT format('policy %s', p) FROM observatory.policies p",
)
_TIMESCALE_QUERIES = (
    """SELECT format('dimension %s.%s %s every %s', hypertable_name, column_name, column_type,
            time_interval)
        FROM timescaledb_information.dimensions WHERE hypertable_schema = 'observatory'""",
    """SELECT format('job %s on %s.%s every %s: %s', proc_name, hypertable_schema, hypertable_name,
            schedule_interval, config - 'hypertable_id' - 'mat_hypertable_id')
        FROM timescaledb_information.jobs WHERE job_id >= 1000""",
    """SELECT format('aggregate %s real-time %s: %s', view_name, NOT materialized_only,
            view_definition)
        FROM timescaledb_information.continuous_aggregates""",
)
_COLUMNSTORE_QUERY = """
    SELECT format('columnstore %s by %s order %s', hypertable, segmentby, orderby)
    FROM timescaledb_information.hypertable_columnstore_settings
"""


def catalogue(url: str) -> list[str]:
    """Return a line for everything of ours, with generated names made alike."""
    with psycopg.connect(url, autocommit=True) as connection:
        queries = list(_QUERIES)
        edition = connection.execute("SELECT observatory.edition()").fetchone()
        assert edition is not None
        if edition[0] != "postgres":
            queries += _TIMESCALE_QUERIES
        if edition[0] == "community":
            queries.append(_COLUMNSTORE_QUERY)
        lines = [row[0] for query in queries for row in connection.execute(query).fetchall()]
    return sorted(re.sub(r"(_hypertable_|cagg_watermark\()\d+", r"\1N", line) for line in lines)


def strangers(url: str) -> set[str]:
    """Return all schemas, relations and functions but PostgreSQL's, an extension's and yoyo's."""
    query = """
        WITH object AS (
            SELECT 'pg_namespace'::regclass AS class, oid, nspname AS schema, nspname AS name
            FROM pg_namespace
            UNION ALL
            SELECT 'pg_class'::regclass, c.oid, nspname, c.oid::regclass::text
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE NOT EXISTS (
                -- An index or a sequence goes with its table.
                SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                AND d.refclassid = 'pg_class'::regclass)
                AND relkind NOT IN ('i', 't')
            UNION ALL
            SELECT 'pg_proc'::regclass, p.oid, nspname, p.oid::regprocedure::text
            FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
        )
        SELECT name FROM object
        WHERE schema NOT LIKE 'pg\\_%' AND schema NOT IN ('information_schema')
            AND name <> 'public' AND name !~ 'yoyo'
            AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = object.class AND d.objid = object.oid AND d.deptype = 'e')
    """
    with psycopg.connect(url, autocommit=True) as connection:
        return {row[0] for row in connection.execute(query).fetchall()}
