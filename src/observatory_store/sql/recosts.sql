-- name: take_your_time
-- Until the connection goes back to its pool, which resets it. A plan for any values could not leave
-- out chunks, and batches of a columnar one, by their time.
SET statement_timeout = 0; SET plan_cache_mode = force_custom_plan

-- name: try_lock
SELECT pg_try_advisory_lock($1)

-- name: unlock
SELECT pg_advisory_unlock($1)

-- name: newest_sync
SELECT max(price_sync_id) FROM observatory.price_syncs

-- name: whole_from
-- NULL if nothing was ever dropped.
SELECT nullif(
    greatest(
        observatory_private.whole_from('spans'), observatory_private.oldest_kept('spans')),
    '-infinity')

-- name: begin
INSERT INTO observatory.recosts (
    started_by, reason, range_start, range_end, project_id, provider, model, cost_source,
    price_sync_id, bundled_prices, done_day, done_before
)
VALUES (coalesce($1, current_user), $2, $3, $4, $5, $6, $7, $8, $9, $10, $3, $3)
RETURNING recost_id

-- name: by_id
SELECT * FROM observatory.recosts WHERE recost_id = $1

-- name: next_calls
-- Of each project, when its first span of the range began.
SELECT p.project_id, s.start_time
FROM observatory.projects AS p
CROSS JOIN LATERAL (
    SELECT start_time
    FROM observatory.spans
    WHERE project_id = p.project_id AND start_time >= $1 AND start_time < $2
    ORDER BY start_time
    LIMIT 1
) AS s
WHERE $3::integer IS NULL OR p.project_id = $3
ORDER BY p.project_id

-- name: slice
SELECT
    trace_id, span_id, start_time AS time, provider, request_model, response_model, operation,
    input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
    input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens,
    web_search_requests, service_tier, cost_usd, price_ref, sent_cost_usd,
    status <> 'error' OR coalesce(input_tokens > 0, false) AS should_cost
FROM observatory.spans
WHERE project_id = $1 AND start_time >= $2 AND start_time < $3
    AND is_inference
    AND ($4::text[] IS NULL OR provider = ANY ($4))
    AND ($5::text IS NULL OR coalesce(response_model, request_model) = $5)
ORDER BY start_time
LIMIT $6

-- name: stage
CREATE TEMPORARY TABLE IF NOT EXISTS recost_stage (
    trace_id uuid NOT NULL,
    span_id bytea NOT NULL,
    start_time timestamptz NOT NULL,
    old_cost_usd numeric,
    old_price_ref text,
    new_cost_usd numeric,
    new_price_ref text,
    should_cost boolean NOT NULL
) ON COMMIT DELETE ROWS

-- name: allow_decompression
-- Otherwise TimescaleDB refuses to change calls in more than some batches of a columnar chunk.
SELECT set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)

-- name: update_spans
-- Project and times as values, because only by these a columnar chunk finds the batches to unpack.
UPDATE observatory.spans AS s
SET cost_usd = r.new_cost_usd, price_ref = r.new_price_ref
FROM pg_temp.recost_stage AS r
WHERE s.project_id = $1 AND s.start_time >= $2 AND s.start_time <= $3
    AND s.trace_id = r.trace_id AND s.span_id = r.span_id AND s.start_time = r.start_time
    AND s.cost_usd IS NOT DISTINCT FROM r.old_cost_usd
    AND s.price_ref IS NOT DISTINCT FROM r.old_price_ref

-- name: lock_trace_days
-- In the order in which writers of spans change them, so that nobody deadlocks.
SELECT
FROM observatory.trace_days
WHERE project_id = $1 AND day = $2
    AND trace_id IN (SELECT trace_id FROM pg_temp.recost_stage)
ORDER BY trace_id
FOR UPDATE

-- name: update_trace_days
UPDATE observatory.trace_days AS t
SET cost_usd = t.cost_usd + r.cost_usd, unpriced_count = t.unpriced_count + r.unpriced_count
FROM (
    SELECT
        trace_id,
        sum(coalesce(new_cost_usd, 0) - coalesce(old_cost_usd, 0)) AS cost_usd,
        count(*) FILTER (WHERE should_cost AND new_cost_usd IS NULL)
            - count(*) FILTER (WHERE should_cost AND old_cost_usd IS NULL) AS unpriced_count
    FROM pg_temp.recost_stage
    GROUP BY trace_id
) AS r
WHERE t.project_id = $1 AND t.day = $2 AND t.trace_id = r.trace_id

-- name: note_changed
INSERT INTO observatory_private.changed_buckets (project_id, bucket)
SELECT DISTINCT $1::integer, date_bin('15 minutes', start_time, '2000-01-01T00:00:00Z')
FROM pg_temp.recost_stage

-- name: progress
UPDATE observatory.recosts
SET done_day = $2, done_project = $3, done_before = $4, calls = $5, changed = $6,
    old_cost_usd = $7, new_cost_usd = $8, models = $9
WHERE recost_id = $1

-- name: finish
UPDATE observatory.recosts SET finished_at = now() WHERE recost_id = $1

-- name: is_under_way
SELECT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = $1::bigint::oid AND objid = $2::bigint::oid
)

-- name: unfinished
-- But for those whose calls a later one did.
SELECT
    recost_id, started_by, started_at AT TIME ZONE 'UTC' AS started_at,
    range_start AT TIME ZONE 'UTC' AS range_start, range_end AT TIME ZONE 'UTC' AS range_end,
    done_day AT TIME ZONE 'UTC' AS done_day
FROM observatory.recosts AS r
WHERE finished_at IS NULL
    AND NOT EXISTS (
        SELECT
        FROM observatory.recosts AS later
        WHERE later.recost_id > r.recost_id AND later.finished_at IS NOT NULL
            AND later.range_start <= r.range_start AND later.range_end >= r.range_end
            AND coalesce(later.project_id = r.project_id, later.project_id IS NULL)
            AND coalesce(later.provider = r.provider, later.provider IS NULL)
            AND coalesce(later.model = r.model, later.model IS NULL)
    )
ORDER BY recost_id
