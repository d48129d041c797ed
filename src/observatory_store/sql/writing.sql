-- name: insert_resource
INSERT INTO observatory.resources (
    project_id, resource_id, service_name, environment, attributes, dropped_attributes_count,
    schema_url, entity_refs, scope_name, scope_version, scope_attributes,
    scope_dropped_attributes_count, scope_schema_url
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT DO NOTHING

-- name: insert_metric
INSERT INTO observatory.metrics (
    project_id, metric_id, name, unit, type, temporality, is_monotonic, description, metadata
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING

-- name: insert_series
INSERT INTO observatory.metric_series (
    project_id, series_id, metric_id, resource_id, service_name, attributes
)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING

-- name: select_limits
SELECT
    relation,
    observatory_private.oldest_kept(relation) AS oldest,
    retention,
    observatory.edition() AS edition
FROM observatory.policies

-- name: stage_spans
CREATE TEMPORARY TABLE IF NOT EXISTS span_stage
    (LIKE observatory.spans INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: stage_payloads
CREATE TEMPORARY TABLE IF NOT EXISTS payload_stage
    (LIKE observatory.span_payloads INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: insert_spans
INSERT INTO observatory.spans
SELECT * FROM span_stage
-- The same order in every session, so that two that store the same spans cannot deadlock.
ORDER BY project_id, trace_id, span_id, start_time
ON CONFLICT DO NOTHING
RETURNING project_id, trace_id, span_id, start_time

-- name: insert_payloads
INSERT INTO observatory.span_payloads
SELECT * FROM payload_stage
ON CONFLICT DO NOTHING

-- name: stage_trace_days
CREATE TEMPORARY TABLE IF NOT EXISTS trace_day_stage
    (LIKE observatory.trace_days) ON COMMIT DELETE ROWS

-- name: upsert_trace_days
INSERT INTO observatory.trace_days AS t
SELECT * FROM trace_day_stage
ORDER BY project_id, trace_id, day
ON CONFLICT (project_id, trace_id, day) DO UPDATE SET
    first_start = least(t.first_start, excluded.first_start),
    last_end = greatest(t.last_end, excluded.last_end),
    (root_start, root_rank, root_span_id, root_name, service_name) = (
        SELECT r.root_start, r.root_rank, r.root_span_id, r.root_name, r.service_name
        FROM (VALUES
            (t.root_start, t.root_rank, t.root_span_id, t.root_name, t.service_name),
            (excluded.root_start, excluded.root_rank, excluded.root_span_id,
                excluded.root_name, excluded.service_name)
        ) AS r (root_start, root_rank, root_span_id, root_name, service_name)
        ORDER BY r.root_rank, r.root_start, r.root_span_id
        LIMIT 1
    ),
    environment = least(t.environment COLLATE "C", excluded.environment COLLATE "C"),
    user_id = least(t.user_id COLLATE "C", excluded.user_id COLLATE "C"),
    session_id = least(t.session_id COLLATE "C", excluded.session_id COLLATE "C"),
    other_users = CASE
        WHEN coalesce(t.other_users, excluded.other_users) IS NOT NULL
            OR t.user_id <> excluded.user_id
            THEN observatory_private.others_of(
                t.other_users || excluded.other_users || t.user_id || excluded.user_id
            )
    END,
    other_sessions = CASE
        WHEN coalesce(t.other_sessions, excluded.other_sessions) IS NOT NULL
            OR t.session_id <> excluded.session_id
            THEN observatory_private.others_of(
                t.other_sessions || excluded.other_sessions || t.session_id || excluded.session_id
            )
    END,
    span_count = t.span_count + excluded.span_count,
    error_count = t.error_count + excluded.error_count,
    inference_count = t.inference_count + excluded.inference_count,
    unpriced_count = t.unpriced_count + excluded.unpriced_count,
    input_tokens = t.input_tokens + excluded.input_tokens,
    output_tokens = t.output_tokens + excluded.output_tokens,
    cache_read_tokens = t.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = t.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = t.reasoning_tokens + excluded.reasoning_tokens,
    cost_usd = t.cost_usd + excluded.cost_usd,
    providers = observatory_private.union_sorted(t.providers, excluded.providers),
    models = observatory_private.union_sorted(t.models, excluded.models)

-- name: stage_logs
CREATE TEMPORARY TABLE IF NOT EXISTS log_stage
    (LIKE observatory.logs INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: insert_logs
INSERT INTO observatory.logs
SELECT * FROM log_stage
ORDER BY project_id, time, content_hash, ordinal
ON CONFLICT DO NOTHING
RETURNING project_id, time, content_hash, ordinal

-- name: stage_points
CREATE TEMPORARY TABLE IF NOT EXISTS point_stage
    (LIKE observatory.metric_points INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: insert_points
INSERT INTO observatory.metric_points
SELECT * FROM point_stage
ORDER BY project_id, series_id, time, time_nanos, ctid
ON CONFLICT DO NOTHING
RETURNING project_id, series_id, time, time_nanos

-- name: select_conflicting_points
SELECT s.position
FROM (SELECT row_number() OVER (ORDER BY ctid) AS position, t.* FROM point_stage AS t) AS s
JOIN observatory.metric_points AS p USING (project_id, series_id, time, time_nanos)
WHERE p.time BETWEEN $1 AND $2
    -- Column by column: a whole row of a columnar chunk cannot be compared.
    AND ROW(
        s.start_nanos, s.start_time, s.flags, s.value_int, s.value_double, s.count, s.sum, s.min,
        s.max, s.zero_count, s.zero_threshold, s.scale, s.positive_offset, s.negative_offset,
        s.bucket_counts, s.explicit_bounds, s.positive_counts, s.negative_counts, s.quantiles,
        s.quantile_values, s.exemplars
    ) IS DISTINCT FROM ROW(
        p.start_nanos, p.start_time, p.flags, p.value_int, p.value_double, p.count, p.sum, p.min,
        p.max, p.zero_count, p.zero_threshold, p.scale, p.positive_offset, p.negative_offset,
        p.bucket_counts, p.explicit_bounds, p.positive_counts, p.negative_counts, p.quantiles,
        p.quantile_values, p.exemplars
    )
