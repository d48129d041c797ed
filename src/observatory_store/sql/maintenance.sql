-- name: take_your_time
-- Until the connection goes back to its pool, which resets it.
SET statement_timeout = 0

-- name: wait_for_locks
SET lock_timeout = 0

-- name: wait_no_longer
RESET lock_timeout

-- name: edition
SELECT observatory.edition()

-- name: lock
SELECT pg_advisory_lock($1)

-- name: try_lock
SELECT pg_try_advisory_lock($1)

-- name: unlock
SELECT pg_advisory_unlock($1)

-- name: pending
SELECT count(DISTINCT (project_id, bucket)) AS buckets, min(noted_at) AS oldest
FROM observatory_private.changed_buckets

-- name: refresh_changed
-- One statement, so that all of it sees one snapshot: a quarter-hour that somebody changes meanwhile is
-- noted by a row that this does not see, does not delete, and the next refresh finds.
WITH due AS (
    SELECT DISTINCT project_id, bucket
    FROM observatory_private.changed_buckets
    ORDER BY bucket, project_id
    LIMIT $1
),
whole AS (
    SELECT due.*
    FROM due
    JOIN observatory_private.changed_whole_buckets USING (project_id, bucket)
),
noted AS (
    DELETE FROM observatory_private.changed_buckets AS c
    USING due
    WHERE c.project_id = due.project_id
        AND c.bucket = due.bucket
),
stale AS (
    DELETE FROM observatory_private.llm_usage_15m_history AS h
    USING whole
    WHERE h.project_id = whole.project_id
        AND h.bucket = whole.bucket
),
fresh AS (
    INSERT INTO observatory_private.llm_usage_15m_history
    SELECT whole.bucket, whole.project_id, u.*
    FROM whole
    CROSS JOIN LATERAL observatory_private.count_llm_usage(whole.project_id, whole.bucket) AS u
)
SELECT count(*) FROM due

-- name: noted_windows
-- Runs of adjacent quarter-hours, oldest first, with the rows that note them.
WITH noted AS (
    SELECT ctid, bucket,
        bucket - interval '15 minutes' * dense_rank() OVER (ORDER BY bucket) AS run
    FROM observatory_private.changed_buckets
)
SELECT
    min(bucket) AS first,
    max(bucket) + interval '15 minutes' AS last,
    count(DISTINCT bucket) AS buckets,
    array_agg(ctid::text) AS rows
FROM noted
GROUP BY run
ORDER BY first

-- name: forget_noted
DELETE FROM observatory_private.changed_buckets
WHERE ctid = ANY ($1::text[]::tid[])

-- name: refresh_window
SELECT
    observatory_private.oldest_kept('spans') AS oldest,
    date_bin('15 minutes', now(), '2000-01-01T00:00:00Z') AS newest

-- name: refresh_aggregate
CALL refresh_continuous_aggregate('observatory_private.llm_usage_15m', $1::timestamptz, $2::timestamptz)

-- name: retention
SELECT
    relation,
    date_bin('1 day', now() - retention, '2000-01-01T00:00:00Z') AS cut
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
DELETE FROM observatory.spans
WHERE ctid = ANY (ARRAY(SELECT ctid FROM observatory.spans WHERE start_time < $1 LIMIT $2))

-- name: delete_span_payloads
DELETE FROM observatory.span_payloads
WHERE ctid = ANY (ARRAY(SELECT ctid FROM observatory.span_payloads WHERE start_time < $1 LIMIT $2))

-- name: delete_trace_days
DELETE FROM observatory.trace_days
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM observatory.trace_days
    WHERE day < ($1::timestamptz AT TIME ZONE 'UTC')::date LIMIT $2))

-- name: delete_metric_points
DELETE FROM observatory.metric_points
WHERE ctid = ANY (ARRAY(SELECT ctid FROM observatory.metric_points WHERE time < $1 LIMIT $2))

-- name: delete_logs
DELETE FROM observatory.logs
WHERE ctid = ANY (ARRAY(SELECT ctid FROM observatory.logs WHERE time < $1 LIMIT $2))

-- name: delete_llm_usage_15m
DELETE FROM observatory_private.llm_usage_15m_history
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM observatory_private.llm_usage_15m_history WHERE bucket < $1 LIMIT $2))
