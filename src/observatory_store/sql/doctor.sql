-- name: limit_examining
SET LOCAL statement_timeout = 30000; SET LOCAL lock_timeout = 2000

-- name: server
SELECT
    current_setting('server_version') AS postgres,
    current_setting('server_version_num')::integer AS number,
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb,
    (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
    current_setting('timescaledb.disable_load', true) IS NOT NULL AS preloaded,
    coalesce(current_setting('timescaledb.license', true), '') AS license,
    pg_is_in_recovery() AS is_standby,
    current_setting('default_transaction_read_only') = 'on' AS is_read_only,
    current_setting('synchronous_commit') AS synchronous_commit,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('autovacuum') = 'on' AS autovacuum,
    EXISTS (
        SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)
    ) AS has_lz4,
    EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = 'observatory' AND c.relname = 'policies'
    ) AS has_schema

-- name: server_time
SELECT clock_timestamp()

-- name: server_process
SELECT pg_backend_pid()

-- name: columns_without_lz4
-- Those for which the schema asks for it. A column without a setting of its own goes by the server's.
SELECT
    format(
        'ALTER TABLE observatory.%I %s', c.relname,
        string_agg(format('ALTER %I SET COMPRESSION lz4', a.attname), ', ' ORDER BY a.attnum)) AS mend
FROM (VALUES
    ('spans', ARRAY['attributes', 'events', 'links']),
    (
        'span_payloads',
        ARRAY['input_messages', 'output_messages', 'system_instructions', 'tool_definitions',
            'tool_arguments', 'tool_result', 'content_attributes']
    ),
    ('metric_points', ARRAY['exemplars']),
    ('logs', ARRAY['body', 'attributes'])
) AS t (relation, columns)
JOIN pg_class AS c ON c.oid = to_regclass(format('observatory.%I', t.relation))
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = ANY (t.columns)
WHERE a.attcompression <> 'l'
    AND (a.attcompression <> '' OR current_setting('default_toast_compression') <> 'lz4')
GROUP BY c.relname
ORDER BY c.relname

-- name: scheduler
SELECT
    coalesce(current_setting('timescaledb.max_background_workers', true), '0') = '0' AS is_off,
    coalesce(current_setting('timescaledb.restoring', true), 'off') = 'on' AS is_restoring,
    installed_at < now() - interval '1 hour' AS is_old
FROM observatory.installation

-- name: policy_jobs
WITH job AS (
    SELECT proc_name, hypertable_name AS relation, config
    FROM timescaledb_information.jobs
    WHERE hypertable_schema IN ('observatory', 'observatory_private')
)
SELECT
    p.relation,
    CASE
        WHEN p.relation IN (SELECT name FROM observatory_private.rollups)
            THEN 'observatory_private.' || p.relation
        ELSE 'observatory.' || p.relation
    END AS target,
    p.retention::text AS retention,
    r.config ->> 'drop_after' AS drop_after,
    p.retention IS NOT DISTINCT FROM (r.config ->> 'drop_after')::interval AS retention_agrees,
    p.columnstore_after::text AS columnstore_after,
    c.config ->> 'compress_after' AS compress_after,
    p.columnstore_after IS NOT DISTINCT FROM (c.config ->> 'compress_after')::interval
        AS columnstore_agrees
FROM observatory.policies AS p
LEFT JOIN job AS r ON r.relation = p.relation AND r.proc_name = 'policy_retention'
LEFT JOIN job AS c ON c.relation = p.relation AND c.proc_name = 'policy_compression'
ORDER BY p.relation

-- name: refresh_jobs
SELECT
    r.name AS relation,
    r.source,
    j.job_id IS NOT NULL AS is_there,
    j.config ->> 'start_offset' AS start_offset,
    p.retention::text AS retention,
    p.retention IS NULL
        OR coalesce((j.config ->> 'start_offset')::interval < p.retention, false) AS is_safe,
    p.complete_from IS NULL
        OR coalesce(
            now() - (j.config ->> 'start_offset')::interval
                >= p.complete_from - interval '1 minute', false) AS is_whole,
    p.complete_from
FROM observatory_private.rollups AS r
JOIN observatory.policies AS p ON p.relation = r.source
LEFT JOIN timescaledb_information.jobs AS j
    ON j.hypertable_schema = 'observatory_private'
    AND j.hypertable_name = r.name
    AND j.proc_name = 'policy_refresh_continuous_aggregate'
WHERE r.is_stored
ORDER BY r.refresh_order

-- name: unpriced
SELECT provider, model, sum(unpriced_requests)::bigint AS requests
FROM observatory.llm_usage_15m
WHERE project_id = ANY (ARRAY(SELECT project_id FROM observatory.projects))
    AND bucket >= now() - interval '1 day'
GROUP BY 1, 2
HAVING sum(unpriced_requests) > 0
ORDER BY 3 DESC, 1, 2

-- name: expected_gone
-- What is older than this should have been dropped two days ago; a chunk goes once all of it may.
SELECT
    relation,
    retention::text AS retention,
    date_bin('1 day', now() - retention, '2000-01-01T00:00:00Z') - interval '2 days'
        - greatest(coalesce(chunk_interval, '1 day') - interval '1 day', interval '0') AS before,
    relation IN (SELECT name FROM observatory_private.rollups) AS is_rollup
FROM observatory.policies
WHERE retention IS NOT NULL
ORDER BY relation

-- name: unindexed_days
-- Days with rows that ended so long ago that a daily `maintain` should have indexed their words.
SELECT t.relation, d.first
FROM (VALUES ('span_payloads'), ('logs')) AS t (relation)
CROSS JOIN LATERAL observatory_private.text_days(t.relation) AS d
WHERE d.is_finished
    AND d.is_valid IS NOT TRUE
    AND d.last < now() - interval '26 hours'
    AND CASE t.relation
        WHEN 'logs' THEN EXISTS (
            SELECT
            FROM observatory.projects AS p
            CROSS JOIN LATERAL (
                SELECT
                FROM observatory.logs AS l
                WHERE l.project_id = p.project_id
                    AND l.time >= d.first
                    AND l.time < d.last
                LIMIT 1
            ) AS one)
        ELSE EXISTS (
            SELECT
            FROM observatory.projects AS p
            CROSS JOIN LATERAL (
                SELECT
                FROM observatory.span_payloads AS s
                WHERE s.project_id = p.project_id
                    AND s.start_time >= d.first
                    AND s.start_time < d.last
                LIMIT 1
            ) AS one)
        END
ORDER BY d.first, t.relation

-- name: old_transactions
-- The clock's time: now() is when this transaction began.
SELECT who, "end", clock_timestamp() - began AS age
FROM (
    SELECT
        format(
            '%s (process %s, %s)', coalesce(nullif(application_name, ''), usename), pid, state) AS who,
        format('SELECT pg_terminate_backend(%s)', pid) AS "end",
        xact_start AS began
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    UNION ALL
    SELECT
        format('the prepared transaction %s of %s', gid, owner),
        format('ROLLBACK PREPARED %L', gid),
        prepared
    FROM pg_prepared_xacts
    WHERE database = current_database()
) AS open
WHERE began < clock_timestamp() - $1::interval
ORDER BY began

-- name: hidden_sessions
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND query = '<insufficient privilege>'

-- name: followers
-- Connected ones, and slots whose reader is away. What a role may not see is NULL.
WITH written AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END
        AS lsn
)
SELECT
    application_name AS name,
    true AS is_connected,
    pg_wal_lsn_diff(lsn, coalesce(replay_lsn, flush_lsn, sent_lsn))::bigint AS bytes,
    replay_lag AS lag
FROM pg_stat_replication, written
UNION ALL
SELECT slot_name, false, pg_wal_lsn_diff(lsn, restart_lsn)::bigint, NULL
FROM pg_replication_slots, written
WHERE NOT active
ORDER BY 1

-- name: local_data_directory
-- NULL from another machine or container, whose path of that name is another; pg_settings hides it from who may not know.
SELECT setting
FROM pg_settings
WHERE name = 'data_directory' AND inet_server_addr() IS NOT DISTINCT FROM inet_client_addr()

-- name: growth_of_tables
-- By the planner's statistics of the time: which part of the rows is of the last week before ANALYZE.
WITH relations AS (
    SELECT p.relation, p.retention, n.nspname, c.relname, c.oid,
        CASE
            WHEN r.name IS NOT NULL THEN 'bucket'
            WHEN p.relation = 'trace_days' THEN 'day'
            WHEN p.relation IN ('spans', 'span_payloads') THEN 'start_time'
            ELSE 'time'
        END AS time_column,
        CASE WHEN p.relation = 'trace_days' THEN interval '1 day' ELSE coalesce(r.width, '0') END
            AS width
    FROM observatory.policies AS p
    LEFT JOIN observatory_private.rollups AS r ON r.name = p.relation
    JOIN pg_class AS c
        ON c.oid = CASE
            WHEN r.name IS NULL THEN to_regclass(format('observatory.%I', p.relation))
            ELSE to_regclass(format('observatory_private.%I', p.relation || '_history'))
        END
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    -- The history of an aggregate is what was before a promotion, and grows no more.
    WHERE observatory.edition() = 'postgres'
        OR (observatory.edition() = 'apache' AND r.name IS NOT NULL)
),
samples AS (
    SELECT t.relation, v.time, v.weight
    FROM relations AS t
    JOIN pg_stats AS s
        ON (s.schemaname, s.tablename, s.attname) = (t.nspname, t.relname, t.time_column)
    CROSS JOIN LATERAL (
        SELECT common.time::timestamptz AS time, common.frequency AS weight
        FROM unnest(s.most_common_vals::text::text[], s.most_common_freqs) AS common (time, frequency)
        UNION ALL
        SELECT
            bound.time::timestamptz,
            CASE WHEN bound.position > 1 THEN
                (1 - coalesce((SELECT sum(f) FROM unnest(s.most_common_freqs) AS f), 0))
                    / (cardinality(s.histogram_bounds::text::text[]) - 1)
            ELSE 0 END
        FROM unnest(s.histogram_bounds::text::text[]) WITH ORDINALITY AS bound (time, position)
    ) AS v
),
extents AS (
    SELECT relation, min(time) AS oldest, max(time) AS newest FROM samples GROUP BY relation
),
rates AS (
    SELECT
        t.relation, t.retention, e.oldest, pg_total_relation_size(t.oid) AS bytes,
        sum(s.weight) FILTER (WHERE s.time > e.newest - interval '7 days') AS part,
        extract(epoch FROM least(e.newest - e.oldest + t.width, interval '7 days')) / 86400 AS days
    FROM relations AS t
    JOIN extents AS e USING (relation)
    JOIN samples AS s USING (relation)
    GROUP BY t.relation, t.retention, t.oid, t.width, e.oldest, e.newest
)
SELECT
    relation,
    bytes,
    (bytes * part / days)::double precision AS row_bytes_a_day,
    NULL::double precision AS columnar_bytes_a_day,
    (extract(epoch FROM now() - oldest) / 86400)::double precision AS kept_days,
    (extract(epoch FROM retention) / 86400)::double precision AS retention_days,
    NULL::double precision AS columnar_after_days
FROM rates
WHERE days >= 1
ORDER BY relation

-- name: growth_of_hypertables
-- By the sizes of the last whole days' chunks, or of what has passed of a longer chunk.
WITH hypertables AS (
    SELECT hypertable_schema AS schema_name, hypertable_name AS table_name,
        hypertable_name::text AS relation
    FROM timescaledb_information.hypertables
    WHERE hypertable_schema = 'observatory'
    UNION ALL
    SELECT materialization_hypertable_schema, materialization_hypertable_name, view_name::text
    FROM timescaledb_information.continuous_aggregates
    WHERE view_schema = 'observatory_private'
),
sizes AS MATERIALIZED (
    SELECT t.relation, s.chunk_schema, s.chunk_name, s.total_bytes
    FROM hypertables AS t
    CROSS JOIN LATERAL chunks_detailed_size(
        format('%I.%I', t.schema_name, t.table_name)::regclass) AS s
),
chunks AS (
    SELECT s.relation, c.is_compressed, c.range_start, c.range_end, s.total_bytes,
        min(c.range_start) OVER (PARTITION BY s.relation) AS oldest,
        min(c.range_start) FILTER (WHERE s.relation = 'spans') OVER () AS oldest_spans
    FROM sizes AS s
    JOIN timescaledb_information.chunks AS c USING (chunk_schema, chunk_name)
),
passed AS (
    SELECT relation, is_compressed, total_bytes,
        -- The first chunk begins before its data do.
        CASE WHEN range_start > oldest THEN range_start
        ELSE greatest(range_start, least(i.installed_at, oldest_spans)) END AS first,
        least(range_end, now()) AS last
    FROM chunks
    CROSS JOIN observatory.installation AS i
    WHERE range_start < now()
        AND (range_end <= now() OR now() - range_start > interval '1 day')
),
newest AS (
    SELECT *,
        min(first) OVER (PARTITION BY relation) AS oldest,
        max(last) OVER (PARTITION BY relation, is_compressed) AS newest
    FROM passed
    WHERE last - first >= interval '1 day'
),
rates AS (
    SELECT relation, min(oldest) AS oldest, is_compressed,
        sum(total_bytes) / (extract(epoch FROM max(last) - min(first)) / 86400) AS bytes_a_day
    FROM newest
    WHERE last > newest - interval '7 days'
    GROUP BY relation, is_compressed
)
SELECT
    p.relation,
    b.bytes,
    (max(r.bytes_a_day) FILTER (WHERE NOT r.is_compressed))::double precision AS row_bytes_a_day,
    (max(r.bytes_a_day) FILTER (WHERE r.is_compressed))::double precision AS columnar_bytes_a_day,
    (extract(epoch FROM now() - min(r.oldest)) / 86400)::double precision AS kept_days,
    (extract(epoch FROM p.retention) / 86400)::double precision AS retention_days,
    CASE WHEN observatory.edition() = 'community' THEN
        (extract(epoch FROM p.columnstore_after + p.chunk_interval) / 86400)::double precision
    END AS columnar_after_days
FROM observatory.policies AS p
JOIN (
    -- With what was before a promotion.
    SELECT relation,
        (sum(total_bytes) + coalesce(
            pg_total_relation_size(to_regclass(format('observatory_private.%I', relation || '_history'))),
            0))::bigint AS bytes
    FROM sizes
    GROUP BY relation
) AS b USING (relation)
JOIN rates AS r USING (relation)
GROUP BY p.relation, p.retention, p.columnstore_after, p.chunk_interval, b.bytes
ORDER BY p.relation

-- name: dead_rows
-- Of our tables, of those of our aggregates (which their views read) and of the chunks of both.
WITH ours AS (
    SELECT c.oid
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('observatory', 'observatory_private') AND c.relkind = 'r'
    UNION
    SELECT d.refobjid
    FROM pg_class AS v
    JOIN pg_namespace AS n ON n.oid = v.relnamespace
    JOIN pg_rewrite AS r ON r.ev_class = v.oid
    JOIN pg_depend AS d
        ON (d.classid, d.objid, d.refclassid) = ('pg_rewrite'::regclass, r.oid, 'pg_class'::regclass)
    WHERE n.nspname = 'observatory_private' AND v.relkind = 'v'
),
with_chunks AS (
    SELECT oid, true AS is_whole FROM ours
    UNION
    SELECT inhrelid, false FROM pg_inherits JOIN ours ON oid = inhparent
)
SELECT
    s.relid::regclass::text AS name,
    s.n_live_tup AS live,
    s.n_dead_tup AS dead,
    greatest(s.last_vacuum, s.last_autovacuum) IS NOT NULL AS was_vacuumed,
    coalesce(greatest(s.last_vacuum, s.last_autovacuum) > now() - interval '1 hour', false)
        AS is_fresh,
    -- TimescaleDB itself switches it off for some chunks.
    o.is_whole AND coalesce((
        SELECT NOT option_value::boolean
        FROM pg_options_to_table(c.reloptions)
        WHERE option_name = 'autovacuum_enabled'
    ), false) AS is_left_out
FROM with_chunks AS o
JOIN pg_class AS c USING (oid)
JOIN pg_stat_user_tables AS s ON s.relid = o.oid
ORDER BY s.n_dead_tup DESC, 1

-- name: sender_delays
-- How long after its end each of the newest spans was stored; that of a sender ahead is among them.
SELECT
    service_name AS service,
    count(*) AS spans,
    extract(epoch FROM min(delay))::double precision AS least,
    extract(epoch FROM max(delay))::double precision AS most
FROM (
    SELECT
        s.service_name,
        s.ingested_at - s.start_time - s.duration_us * interval '1 microsecond' AS delay
    FROM observatory.projects AS p
    CROSS JOIN LATERAL (
        SELECT service_name, start_time, duration_us, ingested_at
        FROM observatory.spans
        WHERE project_id = p.project_id AND start_time > now() - interval '2 hours'
        ORDER BY start_time DESC
        LIMIT 1000
    ) AS s
    LIMIT 50000
) AS newest
GROUP BY service_name
ORDER BY service_name

-- name: settings
-- What this role may not see is NULL.
SELECT
    current_setting('max_connections')::integer AS max_connections,
    current_setting('superuser_reserved_connections')::integer
        + coalesce(current_setting('reserved_connections', true)::integer, 0) AS reserved_connections,
    (SELECT sum(numbackends) FROM pg_stat_database)::integer AS used_connections,
    pg_size_bytes(current_setting('work_mem')) AS work_mem,
    CASE (SELECT source FROM pg_settings WHERE name = 'work_mem')
        WHEN 'database' THEN format('ALTER DATABASE %I', current_database())
        WHEN 'user' THEN format('ALTER ROLE %I', session_user)
        WHEN 'database user'
            THEN format('ALTER ROLE %I IN DATABASE %I', session_user, current_database())
        ELSE 'ALTER SYSTEM'
    END AS alter_work_mem,
    (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS preloaded
