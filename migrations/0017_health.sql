-- What: the views storage, rollup_status and log_severities.
-- Why: how large things are, what comes in and whether the rollups keep up is asked in SQL by people and
--      dashboards whose role may read neither observatory_private nor the bodies of logs.
-- Locks: none that another session could hold.
-- Reversible: yes.
-- depends: 0015_usage_by

-- A function in PL/pgSQL, which finds TimescaleDB's views when it runs: a view over these would keep
-- the extension from being updated.
CREATE OR REPLACE FUNCTION observatory_private.storage() RETURNS TABLE (
    relation text, bytes bigint, chunks bigint, columnstore_chunks bigint
)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT
        regexp_replace(c.relname::text, '_history$', ''),
        sum(pg_total_relation_size(c.oid))::bigint, NULL::bigint, NULL::bigint
    FROM pg_class AS c
    WHERE c.relnamespace IN (
            SELECT oid FROM pg_namespace WHERE nspname IN ('observatory', 'observatory_private'))
        AND c.relkind = 'r'
        -- These have chunks, or an aggregate that does, and are below.
        AND (observatory.edition() = 'postgres' OR NOT EXISTS (
            SELECT FROM observatory.policies AS p
            WHERE p.relation = regexp_replace(c.relname::text, '_history$', '')
                AND (observatory.edition() = 'community' OR p.relation = c.relname)
        ))
    GROUP BY 1;
    IF observatory.edition() <> 'postgres' THEN
        RETURN QUERY
        SELECT
            h.name,
            hypertable_size(h.hypertable) + coalesce(pg_total_relation_size(h.history), 0),
            count(c.chunk_name),
            count(c.chunk_name) FILTER (WHERE c.is_compressed)
        FROM (
            SELECT hypertable_schema AS schema_name, hypertable_name AS table_name,
                hypertable_name::text AS name, NULL::regclass AS history,
                format('%I.%I', hypertable_schema, hypertable_name)::regclass AS hypertable
            FROM timescaledb_information.hypertables
            WHERE hypertable_schema = 'observatory'
            UNION ALL
            SELECT materialization_hypertable_schema, materialization_hypertable_name,
                view_name::text, to_regclass(format('observatory_private.%I', view_name || '_history')),
                format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
                ::regclass
            FROM timescaledb_information.continuous_aggregates
            WHERE view_schema = 'observatory_private'
        ) AS h
        LEFT JOIN timescaledb_information.chunks AS c
            ON c.hypertable_schema = h.schema_name AND c.hypertable_name = h.table_name
        GROUP BY h.name, h.hypertable, h.history;
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.storage() IS 'What the view observatory.storage shows.';

CREATE OR REPLACE VIEW observatory.storage AS
SELECT s.relation, s.bytes, s.chunks, s.columnstore_chunks FROM observatory_private.storage() AS s;

COMMENT ON VIEW observatory.storage IS 'How much room each relation takes, rollups too.';
COMMENT ON COLUMN observatory.storage.relation IS 'The table or the rollup.';
COMMENT ON COLUMN observatory.storage.bytes IS 'With indexes, TOAST and all chunks.';
COMMENT ON COLUMN observatory.storage.chunks IS 'Chunks; NULL of a plain table, which has none.';
COMMENT ON COLUMN observatory.storage.columnstore_chunks IS
    'Those that are columnar (community edition).';

CREATE OR REPLACE VIEW observatory.rollup_status AS
SELECT
    r.name AS rollup,
    r.refresh_order,
    count(DISTINCT (p.bucket, p.project_id)) FILTER (WHERE p.rollup IS NOT NULL) AS pending_buckets,
    min(p.since) AS oldest_pending
FROM observatory_private.rollups AS r
LEFT JOIN observatory_private.pending_buckets AS p ON p.rollup = r.name
WHERE r.is_stored
GROUP BY r.name;

COMMENT ON VIEW observatory.rollup_status IS 'How far each rollup is behind its spans.';
COMMENT ON COLUMN observatory.rollup_status.rollup IS 'The rollup.';
COMMENT ON COLUMN observatory.rollup_status.refresh_order IS 'The order of refreshing.';
COMMENT ON COLUMN observatory.rollup_status.pending_buckets IS
    'Parts of it that wait for a refresh. On apache and postgres they are counted at each query '
    'meanwhile; on community they are shown as of the last refresh.';
COMMENT ON COLUMN observatory.rollup_status.oldest_pending IS
    'Since when the oldest of them waits. NULL if none does.';

-- A grant of single columns fails on a hypertable with a columnstore.
CREATE OR REPLACE VIEW observatory.log_severities AS
SELECT project_id, time, service_name, severity_number FROM observatory.logs;

COMMENT ON VIEW observatory.log_severities IS
    'The log records without what they say, for roles that may not read that.';
COMMENT ON COLUMN observatory.log_severities.project_id IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.time IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.service_name IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.severity_number IS 'As in logs.';
