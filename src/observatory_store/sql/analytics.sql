-- name: kept_from
-- From when on each relation is whole; NULL if it always was. Where no spans are left, from now on.
SELECT
    p.relation,
    nullif(
        CASE p.relation
            WHEN 'spans' THEN least(observatory_private.whole_from('spans'), now())
            ELSE observatory_private.oldest_kept(p.relation)
        END,
        '-infinity') AS kept_from
FROM observatory.policies AS p

-- name: first_known
-- The oldest bucket of a project from before a time, in the rollups that are kept longest; NULL if none
-- of them has one. In order, which an index gives.
SELECT least(
    (
        SELECT u.bucket FROM observatory.llm_usage_1d AS u
        WHERE u.project_id = $1 AND u.bucket < $2
        ORDER BY u.bucket
        LIMIT 1
    ),
    (
        SELECT u.bucket FROM observatory.llm_usage_15m AS u
        WHERE u.project_id = $1 AND u.bucket < $2
        ORDER BY u.bucket
        LIMIT 1
    ),
    (
        SELECT s.bucket FROM observatory.service_spans_1h AS s
        WHERE s.project_id = $1 AND s.bucket < $2
        ORDER BY s.bucket
        LIMIT 1
    ))

-- name: project_name
SELECT p.name FROM observatory.projects AS p WHERE p.project_id = $1

-- name: rollup_range
-- What a part of a question reads of a rollup; it stands where the part says "range".
FROM observatory./* relation */ AS u
WHERE u.project_id = $1
    AND u.bucket >= /* start */
    AND u.bucket < /* end */
    /* where */

-- name: spans_range
FROM observatory.spans AS u
WHERE u.project_id = $1
    AND u.start_time >= /* start */
    AND u.start_time < /* end */
    /* where */

-- name: usage
-- Requests, errors, tokens and cost.
SELECT
    /* slot */ AS slot/* groups */,
    sum(a.requests)::bigint AS requests,
    sum(a.errors)::bigint AS errors,
    sum(a.unpriced_requests)::bigint AS unpriced_requests,
    coalesce(sum(a.input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(a.output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(a.cache_read_tokens), 0)::bigint AS cache_read_tokens,
    coalesce(sum(a.cache_write_tokens), 0)::bigint AS cache_write_tokens,
    coalesce(sum(a.reasoning_tokens), 0)::bigint AS reasoning_tokens,
    coalesce(sum(a.cost_usd), 0) AS cost_usd,
    sum(a.duration_us)::bigint AS duration_us
FROM (/* arms */) AS a
GROUP BY slot/* groups */
ORDER BY slot/* groups */
LIMIT $3

-- name: usage_of_rollup
SELECT
    u.bucket AS time/* dimensions */,
    u.requests, u.errors, u.unpriced_requests, u.input_tokens, u.output_tokens,
    u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens, u.cost_usd, u.duration_us
/* range */

-- name: usage_of_spans
SELECT
    u.start_time AS time/* dimensions */,
    1 AS requests,
    (u.status = 'error')::integer AS errors,
    (u.cost_usd IS NULL AND (u.status <> 'error' OR coalesce(u.input_tokens, 0) > 0))::integer
        AS unpriced_requests,
    u.input_tokens, u.output_tokens, u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens,
    u.cost_usd, u.duration_us
/* range */
    AND u.is_inference

-- name: executions_of_rollup
SELECT
    u.bucket AS time/* dimensions */,
    u.spans AS requests, u.errors, 0 AS unpriced_requests, 0 AS input_tokens, 0 AS output_tokens,
    0 AS cache_read_tokens, 0 AS cache_write_tokens, 0 AS reasoning_tokens, 0::numeric AS cost_usd,
    u.duration_us
/* range */

-- name: executions_of_spans
SELECT
    u.start_time AS time/* dimensions */,
    1 AS requests, (u.status = 'error')::integer AS errors, 0 AS unpriced_requests,
    0 AS input_tokens, 0 AS output_tokens, 0 AS cache_read_tokens, 0 AS cache_write_tokens,
    0 AS reasoning_tokens, 0::numeric AS cost_usd, u.duration_us
/* range */
    AND u.tool_name IS NOT NULL

-- name: speed
-- Requests, errors, means and tokens per second.
SELECT
    /* slot */ AS slot/* groups */,
    sum(a.requests)::bigint AS requests,
    sum(a.errors)::bigint AS errors,
    sum(a.duration_us)::bigint AS duration_us,
    max(a.max_duration_us)::bigint AS max_duration_us,
    1000000 * sum(a.output_tokens)::double precision
        / nullif(sum(a.generation_us), 0)::double precision AS tokens_per_second
FROM (/* arms */) AS a
GROUP BY slot/* groups */
ORDER BY slot/* groups */
LIMIT $3

-- name: speed_of_rollup
SELECT
    u.bucket AS time/* dimensions */,
    u.requests, u.errors, u.duration_us, u.max_duration_us, u.output_tokens, u.generation_us
/* range */

-- name: speed_of_spans
SELECT
    u.start_time AS time/* dimensions */,
    1 AS requests, (u.status = 'error')::integer AS errors, u.duration_us,
    u.duration_us AS max_duration_us, u.output_tokens,
    CASE WHEN u.output_tokens > 0 THEN greatest(u.duration_us - coalesce(
        observatory_private.microseconds(u.time_to_first_token_ms), 0), 0)
    END AS generation_us
/* range */
    AND u.is_inference

-- name: quantiles
-- As observatory.quantile() has it, which is slow for each of many groups.
SELECT
    a.slot/* groups */,
    max(a.total)::bigint AS requests,
    ARRAY[/* quantiles */] AS quantiles
FROM (
    SELECT
        /* slot */ AS slot/* groups */,
        a.us_bucket,
        sum(sum(a.requests)) OVER (
            PARTITION BY /* slot *//* groups */ ORDER BY a.us_bucket) AS so_far,
        sum(sum(a.requests)) OVER (PARTITION BY /* slot *//* groups */) AS total
    FROM (/* arms */) AS a
    GROUP BY /* slot *//* groups */, a.us_bucket
) AS a
GROUP BY a.slot/* groups */
LIMIT $4

-- name: quantile
-- The $3[n]th: the bucket of the value at that place among all.
observatory.latency_us(min(a.us_bucket) FILTER (
    WHERE a.so_far > floor(($3::double precision[])[/* n */]::numeric * (a.total - 1))))

-- name: slots
-- Into which interval of $2 a time falls.
width_bucket(a.time, $2::timestamptz[])

-- name: one_slot
cardinality($2::timestamptz[])

-- name: histogram
-- $3 logarithmic buckets in one; -1 of what is 0 stays apart.
SELECT
    /* slot */ AS slot/* groups */,
    CASE WHEN a.us_bucket < 0 THEN -1 ELSE (a.us_bucket + $3::integer - 1) / $3::integer END AS step,
    sum(a.requests)::bigint AS requests
FROM (/* arms */) AS a
GROUP BY slot/* groups */, step
ORDER BY step
LIMIT $4

-- name: durations_of_rollup
SELECT u.bucket AS time/* dimensions */, u.duration_bucket AS us_bucket, u.requests
/* range */

-- name: durations_of_spans
SELECT
    u.start_time AS time/* dimensions */,
    observatory.latency_bucket(u.duration_us) AS us_bucket, 1 AS requests
/* range */
    AND u.is_inference

-- name: first_tokens_of_rollup
SELECT u.bucket AS time/* dimensions */, u.first_token_bucket AS us_bucket, u.requests
/* range */

-- name: first_tokens_of_spans
SELECT
    u.start_time AS time/* dimensions */,
    observatory.latency_bucket(
        observatory_private.microseconds(u.time_to_first_token_ms)) AS us_bucket,
    1 AS requests
/* range */
    AND u.is_inference
    AND observatory_private.microseconds(u.time_to_first_token_ms) IS NOT NULL

-- name: errors
SELECT
    a.error_type,
    a.fingerprint,
    sum(a.errors)::bigint AS errors,
    min(a.first_start) AS first_start,
    max(a.last_start) AS last_start,
    min(a.sample_message) AS sample_message,
    coalesce((array_agg(DISTINCT a.by_provider) FILTER (WHERE a.by_provider IS NOT NULL))[:20], '{}')
        AS providers,
    coalesce((array_agg(DISTINCT a.by_model) FILTER (WHERE a.by_model IS NOT NULL))[:20], '{}')
        AS models,
    (array_agg(DISTINCT a.by_service))[:20] AS services
FROM (/* arms */) AS a
GROUP BY 1, 2
ORDER BY 3 DESC, 2, 1
LIMIT $2

-- name: errors_of_rollup
SELECT
    u.error_type, u.fingerprint, u.errors, u.first_start, u.last_start, u.sample_message,
    u.provider AS by_provider, u.model AS by_model, u.service_name AS by_service
/* range */

-- name: errors_of_spans
SELECT
    u.attributes ->> 'error.type' AS error_type,
    observatory.error_fingerprint(u.status_message, u.attributes ->> 'error.type') AS fingerprint,
    1 AS errors,
    u.start_time AS first_start,
    u.start_time AS last_start,
    left(u.status_message, 1000) AS sample_message,
    u.provider AS by_provider,
    coalesce(u.response_model, u.request_model) AS by_model,
    u.service_name AS by_service
/* range */
    AND u.is_inference
    AND u.status = 'error'

-- name: sessions
-- The newest trace of each session is found by walking the traces from the newest on, as far as the
-- page goes; then the sessions of the page are added up.
WITH latest AS MATERIALIZED (
    SELECT d.session_id, d.first_start
    FROM (
        SELECT t.project_id, t.session_id, t.first_start, t.trace_id
        FROM observatory.trace_days AS t
        -- No condition on the day, as in list_traces.
        WHERE t.project_id = $1
            AND t.first_start >= $2
            AND t.first_start <= $4
            AND (t.first_start, t.session_id) < ($4, $5::text)
            AND t.session_id IS NOT NULL
            /* where */
    ) AS d
    WHERE NOT EXISTS (
        SELECT
        FROM observatory.trace_days AS t
        WHERE t.project_id = d.project_id
            AND hashtextextended(t.session_id, 0) = hashtextextended(d.session_id, 0)
            AND t.session_id = d.session_id
            AND t.first_start >= d.first_start
            AND t.first_start < $3
            AND (t.first_start, t.trace_id) > (d.first_start, d.trace_id)
            AND t.day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
            /* where */
    )
    ORDER BY d.first_start DESC, d.session_id DESC
    LIMIT $6
)
SELECT
    latest.session_id AS session,
    latest.first_start AS last_start,
    encode(convert_to(latest.session_id, 'UTF8'), 'hex') AS key,
    totals.*
FROM latest
CROSS JOIN LATERAL (
    SELECT
        min(t.first_start) AS start_time,
        max(t.last_end) AS end_time,
        count(DISTINCT t.trace_id) AS traces,
        sum(t.span_count)::bigint AS spans,
        sum(t.inference_count)::bigint AS requests,
        sum(t.error_count)::bigint AS errors,
        sum(t.unpriced_count)::bigint AS unpriced_requests,
        sum(t.input_tokens)::bigint AS input_tokens,
        sum(t.output_tokens)::bigint AS output_tokens,
        sum(t.cost_usd) AS cost_usd,
        min(t.user_id) AS "user",
        observatory_private.union_sorted_agg(t.models) AS models
    FROM observatory.trace_days AS t
    WHERE t.project_id = $1
        AND hashtextextended(t.session_id, 0) = hashtextextended(latest.session_id, 0)
        AND t.session_id = latest.session_id
        AND t.first_start >= $2
        AND t.first_start < $3
        AND t.day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
        /* where */
) AS totals
ORDER BY latest.first_start DESC, latest.session_id DESC
