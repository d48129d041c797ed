-- What: the views storage, rollup_status and log_severities.
-- Why: how large things are, what comes in and whether the rollups keep up is asked in SQL by people and
--      dashboards whose role may read neither observatory_private nor the bodies of logs.
-- Locks: none that another session could hold.
-- Reversible: yes.
-- depends: 0016_recosts

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

-- With the rights of its owner: who reads the view may read neither of what it is made from.
CREATE OR REPLACE FUNCTION observatory_private.late_from(rollup_name text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF observatory.edition() <> 'community' THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH RECURSIVE counted AS (
            SELECT r.name, r.source FROM observatory_private.rollups AS r
            WHERE r.name = rollup_name AND r.is_stored
            UNION
            SELECT s.name, s.source
            FROM counted
            JOIN observatory_private.rollups AS s ON s.name = counted.source
        ),
        aggregates AS (
            SELECT
                a.mat_hypertable_id, a.raw_hypertable_id, w.watermark,
                known.whole_from,
                _timescaledb_functions.to_unix_microseconds(known.whole_from) AS whole_from_us
            FROM counted
            JOIN observatory_private.rollups AS r ON r.name = counted.name
            -- No further back than the policy looks: what is noted there is never counted.
            CROSS JOIN LATERAL greatest(
                observatory_private.whole_from(r.name),
                now() - observatory_private.refresh_reach(r) + r.width
            ) AS known (whole_from)
            JOIN _timescaledb_catalog.continuous_agg AS a
                ON a.user_view_schema = 'observatory_private' AND a.user_view_name = counted.name
            JOIN _timescaledb_catalog.continuous_aggs_watermark AS w USING (mat_hypertable_id)
        )
        SELECT _timescaledb_functions.to_timestamp(
            min(greatest(l.lowest_modified_value, a.whole_from_us)))
        FROM aggregates AS a
        JOIN (
            SELECT h.hypertable_id, NULL::integer AS materialization_id, h.lowest_modified_value,
                h.greatest_modified_value
            FROM _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log AS h
            UNION ALL
            SELECT NULL, m.materialization_id, m.lowest_modified_value, m.greatest_modified_value
            FROM _timescaledb_catalog.continuous_aggs_materialization_invalidation_log AS m
            UNION ALL
            SELECT NULL, b.materialization_id, b.lowest_modified_value, b.greatest_modified_value
            FROM _timescaledb_catalog.continuous_aggs_materialization_ranges AS b
        ) AS l ON l.hypertable_id = a.raw_hypertable_id OR l.materialization_id = a.mat_hypertable_id
        WHERE isfinite(a.whole_from)
            AND l.lowest_modified_value < a.watermark
            AND l.greatest_modified_value >= a.whole_from_us);
EXCEPTION
    -- These notes are TimescaleDB's own, and where they are may change.
    WHEN undefined_table OR undefined_column OR undefined_function THEN
        RETURN NULL;
END
$$;

COMMENT ON FUNCTION observatory_private.late_from(text) IS
    'From when on the rollup, or one that it is counted from, may lack spans that came into buckets '
    'counted before, by what TimescaleDB notes for its refresh (community edition), which is one range '
    'for each transaction. NULL if it lacks none, as on the other editions; or if this TimescaleDB keeps '
    'its notes elsewhere.';

CREATE OR REPLACE VIEW observatory.rollup_status AS
SELECT
    r.name AS rollup,
    r.refresh_order,
    count(DISTINCT (p.bucket, p.project_id)) FILTER (WHERE p.rollup IS NOT NULL) AS pending_buckets,
    min(p.since) AS oldest_pending,
    observatory_private.late_from(r.name) AS late_from
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
COMMENT ON COLUMN observatory.rollup_status.late_from IS
    'On community, from when on it may lack spans that came after it was counted, however late they were: '
    'the refresh counts them within the hour. NULL if it lacks none, and on the other editions.';

-- A grant of single columns fails on a hypertable with a columnstore.
CREATE OR REPLACE VIEW observatory.log_severities AS
SELECT project_id, time, service_name, severity_number FROM observatory.logs;

COMMENT ON VIEW observatory.log_severities IS
    'The log records without what they say, for roles that may not read that.';
COMMENT ON COLUMN observatory.log_severities.project_id IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.time IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.service_name IS 'As in logs.';
COMMENT ON COLUMN observatory.log_severities.severity_number IS 'As in logs.';
