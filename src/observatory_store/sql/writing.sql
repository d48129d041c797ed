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
WITH inserted AS (
    INSERT INTO observatory.spans
    SELECT * FROM span_stage
    -- The same order in every session, so that two that store the same spans cannot deadlock.
    ORDER BY project_id, trace_id, span_id, start_time
    ON CONFLICT DO NOTHING
    RETURNING
        project_id, trace_id, span_id, parent_span_id, flags, start_time, duration_us, name, status,
        service_name, environment, user_id, session_id, is_inference, provider,
        coalesce(response_model, request_model) AS model, input_tokens, output_tokens,
        cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd,
        (start_time AT TIME ZONE 'UTC')::date AS day,
        CASE
            WHEN parent_span_id IS NULL THEN 0
            WHEN flags & 768 = 768 THEN 1
            ELSE 2
        END AS root_rank
),
payloads AS (
    INSERT INTO observatory.span_payloads
    SELECT p.*
    FROM payload_stage AS p
    JOIN inserted USING (project_id, trace_id, span_id, start_time)
    ON CONFLICT DO NOTHING
),
roots AS (
    SELECT DISTINCT ON (project_id, trace_id, day)
        project_id, trace_id, day, root_rank, start_time AS root_start, span_id AS root_span_id,
        name AS root_name, service_name
    FROM inserted
    ORDER BY project_id, trace_id, day, root_rank, start_time, span_id
),
days AS (
    SELECT
        project_id,
        trace_id,
        day,
        min(start_time) AS first_start,
        max(start_time + duration_us * interval '1 microsecond') AS last_end,
        min(environment) AS environment,
        min(user_id) AS user_id,
        min(session_id) AS session_id,
        count(*) AS span_count,
        count(*) FILTER (WHERE status = 'error') AS error_count,
        count(*) FILTER (WHERE is_inference) AS inference_count,
        count(*) FILTER (WHERE is_inference AND cost_usd IS NULL
            AND (status <> 'error' OR input_tokens > 0)) AS unpriced_count,
        coalesce(sum(input_tokens) FILTER (WHERE is_inference), 0) AS input_tokens,
        coalesce(sum(output_tokens) FILTER (WHERE is_inference), 0) AS output_tokens,
        coalesce(sum(cache_read_tokens) FILTER (WHERE is_inference), 0) AS cache_read_tokens,
        coalesce(sum(cache_write_tokens) FILTER (WHERE is_inference), 0) AS cache_write_tokens,
        coalesce(sum(reasoning_tokens) FILTER (WHERE is_inference), 0) AS reasoning_tokens,
        coalesce(sum(cost_usd) FILTER (WHERE is_inference), 0) AS cost_usd,
        coalesce(array_agg(DISTINCT provider ORDER BY provider)
            FILTER (WHERE is_inference AND provider IS NOT NULL), '{}') AS providers,
        coalesce(array_agg(DISTINCT model ORDER BY model)
            FILTER (WHERE is_inference AND model IS NOT NULL), '{}') AS models
    FROM inserted
    GROUP BY project_id, trace_id, day
),
upserted AS (
    INSERT INTO observatory.trace_days AS t (
        project_id, day, trace_id, first_start, last_end, root_start, root_rank, root_span_id,
        root_name, service_name, environment, user_id, session_id, span_count, error_count,
        inference_count, unpriced_count, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, cost_usd, providers, models
    )
    SELECT
        project_id, day, trace_id, first_start, last_end, root_start, root_rank, root_span_id,
        root_name, service_name, environment, user_id, session_id, span_count, error_count,
        inference_count, unpriced_count, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, reasoning_tokens, cost_usd, providers, models
    FROM days
    JOIN roots USING (project_id, trace_id, day)
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
        environment = least(t.environment, excluded.environment),
        user_id = least(t.user_id, excluded.user_id),
        session_id = least(t.session_id, excluded.session_id),
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
),
changed AS (
    INSERT INTO observatory_private.changed_buckets (project_id, bucket)
    SELECT DISTINCT project_id, date_bin('15 minutes', start_time, '2000-01-01T00:00:00Z') AS bucket
    FROM inserted
    WHERE is_inference AND start_time < $1
)
SELECT count(*) FROM inserted

-- name: stage_logs
CREATE TEMPORARY TABLE IF NOT EXISTS log_stage
    (LIKE observatory.logs INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: insert_logs
WITH inserted AS (
    INSERT INTO observatory.logs
    SELECT * FROM log_stage
    ORDER BY project_id, time, content_hash, ordinal
    ON CONFLICT DO NOTHING
    RETURNING 1 AS one
)
SELECT count(*) FROM inserted

-- name: stage_points
CREATE TEMPORARY TABLE IF NOT EXISTS point_stage
    (LIKE observatory.metric_points INCLUDING COMPRESSION) ON COMMIT DELETE ROWS

-- name: insert_points
WITH inserted AS (
    INSERT INTO observatory.metric_points
    SELECT * FROM point_stage
    ORDER BY project_id, series_id, time, time_nanos, ctid
    ON CONFLICT DO NOTHING
    RETURNING 1 AS one
)
SELECT count(*) FROM inserted

-- name: select_conflicting_points
SELECT m.name, s.time
FROM point_stage AS s
JOIN observatory.metric_points AS p USING (project_id, series_id, time, time_nanos)
JOIN observatory.metric_series AS r USING (project_id, series_id)
JOIN observatory.metrics AS m USING (project_id, metric_id)
WHERE p.time BETWEEN $1 AND $2
    AND to_jsonb(s) - 'ingested_at' IS DISTINCT FROM to_jsonb(p) - 'ingested_at'
