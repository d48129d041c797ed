-- name: take_your_time
-- Until the connection goes back to its pool, which resets it.
SET statement_timeout = 0

-- name: wait_for_locks
SET lock_timeout = 0

-- name: wait_no_longer
-- Than the pool's connections do.
SET lock_timeout TO DEFAULT

-- name: wait_for_locks_here
SET LOCAL lock_timeout = 0

-- name: wait_no_longer_here
SET LOCAL lock_timeout TO DEFAULT

-- name: edition
SELECT observatory.edition()

-- name: lock
SELECT pg_advisory_lock($1)

-- name: try_lock
SELECT pg_try_advisory_lock($1)

-- name: unlock
SELECT pg_advisory_unlock($1)

-- name: pending
SELECT rollup, observatory.edition() AS edition, pending_buckets, oldest_pending, late_from
FROM observatory.rollup_status
ORDER BY refresh_order

-- name: stored_rollups
SELECT name, unit FROM observatory_private.rollups WHERE is_stored ORDER BY refresh_order

-- name: take_over
SELECT observatory_private.take_over_changes()

-- name: recount
SELECT observatory_private.recount($1, CASE WHEN $2 THEN now() ELSE 'infinity' END, $3)

-- name: gathered_before
SELECT now() - $1::interval

-- name: stale_windows
-- Runs of adjacent buckets, oldest first.
WITH stale AS (
    SELECT DISTINCT s.bucket, r.unit
    FROM observatory_private.stale_buckets AS s
    JOIN observatory_private.rollups AS r ON r.name = s.rollup
    WHERE s.rollup = $1 AND s.noted_at <= $2
),
numbered AS (
    SELECT bucket, unit, bucket - unit * row_number() OVER (ORDER BY bucket) AS run
    FROM stale
    WHERE bucket >= (SELECT observatory_private.whole_from($1))
)
SELECT min(bucket) AS first, max(bucket + unit) AS last
FROM numbered
GROUP BY run
ORDER BY 1

-- name: forget_stale
DELETE FROM observatory_private.stale_buckets WHERE rollup = $1 AND noted_at <= $2

-- name: whole_window
-- Up to the present: a bucket that still goes on would be materialized as it is now.
SELECT first, last
FROM (
    SELECT
        greatest($2::timestamptz, observatory_private.whole_from(name)) AS first,
        least($3::timestamptz, date_bin(width, now(), '2000-01-01T00:00:00Z')) AS last
    FROM observatory_private.rollups
    WHERE name = $1
) AS whole
WHERE first < last

-- name: projects_of_spans
-- One probe of the index for each, of those too that no row of projects or trace_days tells of.
WITH RECURSIVE found AS (
    SELECT min(project_id) AS project_id FROM observatory.spans
    UNION ALL
    SELECT (SELECT min(project_id) FROM observatory.spans WHERE project_id > found.project_id)
    FROM found
    WHERE found.project_id IS NOT NULL
)
SELECT array_agg(project_id) FROM found WHERE project_id IS NOT NULL

-- name: days_of_spans
SELECT
    (min(s.oldest) AT TIME ZONE 'UTC')::date AS first,
    (max(s.newest) AT TIME ZONE 'UTC')::date AS last
FROM unnest($1::integer[]) AS p (project_id)
CROSS JOIN LATERAL (
    SELECT min(start_time) AS oldest, max(start_time) AS newest
    FROM observatory.spans
    WHERE project_id = p.project_id
) AS s

-- name: days_of_chunks
-- A span may be ahead of the clock by a day.
SELECT
    (min(range_start) AT TIME ZONE 'UTC')::date AS first,
    (least(max(range_end) - interval '1 microsecond', now() + interval '1 day')
        AT TIME ZONE 'UTC')::date AS last
FROM timescaledb_information.chunks
WHERE hypertable_schema = 'observatory' AND hypertable_name = 'spans'

-- name: mark_stale
INSERT INTO observatory_private.stale_buckets (rollup, bucket, project_id, noted_at)
SELECT r.name, u.bucket, p.project_id, now()
FROM observatory_private.rollups AS r
CROSS JOIN unnest($4::integer[]) AS p (project_id)
CROSS JOIN LATERAL (
    SELECT
    FROM observatory.spans
    WHERE project_id = p.project_id AND start_time >= $2 AND start_time < $3
    LIMIT 1
) AS has_spans
CROSS JOIN LATERAL generate_series($2, $3 - r.unit, r.unit) AS u (bucket)
WHERE r.name = $1
ON CONFLICT DO NOTHING

-- name: refresh_aggregate
CALL refresh_continuous_aggregate(
    ('observatory_private.' || $1::text)::regclass, $2::timestamptz, $3::timestamptz, force => $4)

-- name: retention
SELECT
    relation,
    date_bin('1 day', now() - retention, '2000-01-01T00:00:00Z') AS cut,
    relation IN (SELECT name FROM observatory_private.rollups) AS is_rollup
FROM observatory.policies
WHERE retention IS NOT NULL
ORDER BY relation

-- name: note_complete_from
UPDATE observatory.policies
SET complete_from = greatest(complete_from, $2)
WHERE relation = $1

-- name: drop_chunks
SELECT count(*) FROM drop_chunks($1::regclass, older_than => $2::timestamptz)

-- name: drop_chunks_by_date
SELECT count(*) FROM drop_chunks($1::regclass, older_than => ($2::timestamptz AT TIME ZONE 'UTC')::date)

-- name: delete_spans
-- The time once more, in this and the next four: if the table becomes a hypertable meanwhile, rows of
-- several chunks have the same ctid.
DELETE FROM observatory.spans
WHERE start_time < $1
    AND ctid = ANY (ARRAY(SELECT ctid FROM observatory.spans WHERE start_time < $1 LIMIT $2))

-- name: delete_span_payloads
DELETE FROM observatory.span_payloads
WHERE start_time < $1
    AND ctid = ANY (ARRAY(SELECT ctid FROM observatory.span_payloads WHERE start_time < $1 LIMIT $2))

-- name: delete_trace_days
DELETE FROM observatory.trace_days
WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date
    AND ctid = ANY (ARRAY(
        SELECT ctid FROM observatory.trace_days
        WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date LIMIT $2))

-- name: delete_metric_points
DELETE FROM observatory.metric_points
WHERE time < $1
    AND ctid = ANY (ARRAY(SELECT ctid FROM observatory.metric_points WHERE time < $1 LIMIT $2))

-- name: delete_logs
DELETE FROM observatory.logs
WHERE time < $1
    AND ctid = ANY (ARRAY(SELECT ctid FROM observatory.logs WHERE time < $1 LIMIT $2))

-- name: expire_rollup
SELECT observatory_private.expire_rollup($1, $2, $3)

-- name: lock_until_committed
SELECT pg_advisory_xact_lock($1)

-- name: rollup_lag
SELECT
    count(DISTINCT (project_id, bucket)) AS buckets,
    (SELECT count(*) FROM observatory_private.changed_buckets) AS notes,
    coalesce(extract(epoch FROM now() - min(since)), 0)::double precision AS seconds,
    pg_total_relation_size('observatory_private.changed_buckets')
        + pg_total_relation_size('observatory_private.stale_buckets') AS bytes
FROM (
    SELECT project_id, bucket, noted_at AS since FROM observatory_private.changed_buckets
    UNION ALL
    SELECT s.project_id, s.bucket, greatest(s.noted_at, s.bucket + r.unit)
    FROM observatory_private.stale_buckets AS s
    JOIN observatory_private.rollups AS r ON r.name = s.rollup
    WHERE s.bucket + r.unit <= now()
) AS waiting

-- name: limit_measuring
SET LOCAL statement_timeout = 1000; SET LOCAL lock_timeout = 200

-- name: relation_sizes
SELECT relation, bytes, chunks, columnstore_chunks FROM observatory.storage ORDER BY 1

-- name: jobs
-- The last error is for the owner of the job to see.
SELECT
    j.job_id,
    CASE j.proc_name
        WHEN 'policy_compression' THEN 'columnstore'
        WHEN 'policy_retention' THEN 'retention'
        WHEN 'policy_refresh_continuous_aggregate' THEN 'refresh'
        ELSE j.proc_name
    END AS job,
    j.hypertable_name AS relation,
    j.scheduled,
    s.last_run_started_at IS NOT NULL AS has_run,
    coalesce(s.last_run_status = 'Failed', false) AS failed,
    coalesce(s.total_failures, 0) AS failures,
    nullif(s.last_successful_finish, '-infinity') AS succeeded_at,
    coalesce(s.job_status = 'Scheduled' AND s.next_start < now() - interval '1 hour', false) AS overdue,
    e.err_message AS error
FROM timescaledb_information.jobs AS j
LEFT JOIN timescaledb_information.job_stats AS s USING (job_id)
LEFT JOIN LATERAL (
    SELECT err_message
    FROM timescaledb_information.job_errors AS all_errors
    WHERE all_errors.job_id = j.job_id
    ORDER BY finish_time DESC
    LIMIT 1
) AS e ON true
WHERE j.hypertable_schema IN ('observatory', 'observatory_private')
ORDER BY 2, 3

-- name: editions
SELECT observatory.edition() AS built, observatory_private.detect_edition() AS detected

-- name: oldest_spans
SELECT min(start_time) FROM observatory.spans WHERE start_time < $1

-- name: oldest_span_payloads
SELECT min(start_time) FROM observatory.span_payloads WHERE start_time < $1

-- name: oldest_trace_days
SELECT min(day)::timestamp AT TIME ZONE 'UTC' FROM observatory.trace_days
WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date

-- name: oldest_metric_points
SELECT min(time) FROM observatory.metric_points WHERE time < $1

-- name: oldest_logs
SELECT min(time) FROM observatory.logs WHERE time < $1

-- name: oldest_in_rollup
SELECT observatory_private.oldest_in_rollup($1, $2)

-- name: text_index_commands
-- What makes an index for each finished day that lacks one, and removes those of columnar or older days.
-- CONCURRENTLY, so that late rows are written meanwhile; what was broken off is made anew.
SELECT
    d.first,
    d.is_finished,
    format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', d.index_schema, d.index_name) AS drop_index,
    format(
        'CREATE INDEX CONCURRENTLY %I ON %s USING gin (observatory_private.%s)'
        ' WHERE %I >= %L AND %I <= %L',
        d.index_name, d.part, t.words, t.time_column, d.first, t.time_column, d.last) AS create_index
FROM (VALUES
    (
        'span_payloads',
        'start_time',
        'payload_words(project_id, input_messages, output_messages, system_instructions,'
        ' tool_arguments, tool_result)'),
    ('logs', 'time', 'body_words(project_id, body)')
) AS t (relation, time_column, words)
CROSS JOIN LATERAL observatory_private.text_days(t.relation) AS d
LEFT JOIN pg_class AS c
    ON c.oid = to_regclass(format('%I.%I', d.index_schema, d.index_name))
WHERE t.relation = $1
    AND CASE WHEN d.is_finished THEN d.is_valid IS NOT TRUE ELSE c.oid IS NOT NULL END
ORDER BY d.first

-- name: policies
SELECT
    p.relation,
    p.retention,
    p.columnstore_after,
    p.chunk_interval,
    observatory_private.oldest_kept(p.relation) AS whole_from,
    s.bytes,
    p.relation IN (SELECT name FROM observatory_private.rollups) AS is_rollup
FROM observatory.policies AS p
LEFT JOIN observatory.storage AS s USING (relation)
ORDER BY is_rollup, p.relation

-- name: lock_policies
-- What a change may be is told by the other policies: two at once would not see each other.
LOCK TABLE observatory.policies IN SHARE ROW EXCLUSIVE MODE

-- name: policy_ages
SELECT
    relation,
    retention,
    columnstore_after,
    chunk_interval,
    relation IN (SELECT name FROM observatory_private.rollups) AS is_rollup
FROM observatory.policies
ORDER BY is_rollup, relation

-- name: set_retention
UPDATE observatory.policies SET retention = $2 WHERE relation = $1

-- name: set_columnstore_after
UPDATE observatory.policies SET columnstore_after = $2 WHERE relation = $1

-- name: set_chunk_interval
UPDATE observatory.policies SET chunk_interval = $2 WHERE relation = $1

-- name: set_chunks_of_table
SELECT set_chunk_time_interval(format('observatory.%I', $1::text)::regclass, $2::interval)

-- name: set_chunks_of_rollup
SELECT set_chunk_time_interval(format('observatory_private.%I', $1::text)::regclass, $2::interval)

-- name: cut_at
SELECT date_bin('1 day', now() - $1::interval, '2000-01-01T00:00:00Z')

-- name: expiring_chunks
-- Those that end before the cut, and what asks the planner how many rows they have.
SELECT
    min(c.range_start) AS first,
    max(c.range_end) AS before,
    sum(s.total_bytes)::bigint AS bytes,
    format(
        'EXPLAIN (FORMAT JSON) SELECT FROM %I.%I WHERE %I < %L',
        c.hypertable_schema, c.hypertable_name, c.primary_dimension,
        to_char(max(c.range_end) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS estimate
FROM timescaledb_information.chunks AS c
LEFT JOIN timescaledb_information.continuous_aggregates AS a
    ON a.materialization_hypertable_schema = c.hypertable_schema
    AND a.materialization_hypertable_name = c.hypertable_name
CROSS JOIN LATERAL chunks_detailed_size(
    format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass) AS s
WHERE coalesce(a.view_schema, c.hypertable_schema) IN ('observatory', 'observatory_private')
    AND coalesce(a.view_name, c.hypertable_name) = $1
    AND c.range_end <= $2
    AND (s.chunk_schema, s.chunk_name) = (c.chunk_schema, c.chunk_name)
GROUP BY c.hypertable_schema, c.hypertable_name, c.primary_dimension

-- name: expiring_rows
SELECT
    pg_total_relation_size(c.oid) AS bytes,
    greatest(c.reltuples, 0)::bigint AS rows,
    format(
        'EXPLAIN (FORMAT JSON) SELECT FROM %s WHERE %I < %L',
        c.oid::regclass, t.time_column,
        to_char($2::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) AS estimate
FROM (
    SELECT
        CASE
            WHEN is_rollup THEN format('observatory_private.%I', relation || '_history')
            ELSE format('observatory.%I', relation)
        END AS name,
        CASE
            WHEN is_rollup THEN 'bucket'
            WHEN relation = 'trace_days' THEN 'day'
            WHEN relation IN ('spans', 'span_payloads') THEN 'start_time'
            ELSE 'time'
        END AS time_column
    FROM (
        SELECT $1::text AS relation,
            $1::text IN (SELECT r.name FROM observatory_private.rollups AS r) AS is_rollup
    ) AS wanted
) AS t
JOIN pg_class AS c ON c.oid = t.name::regclass
