-- name: list_spans
SELECT s.*
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.start_time >= $2
    AND s.start_time < $3
    -- How far back the page goes. A columnstore is read in the order of time alone, batch by batch; for
    -- the whole order of the list it would be read to its end, and sorted, for every page.
    AND s.start_time >= (
        SELECT min(page.start_time)
        FROM (
            SELECT s.start_time
            FROM observatory.spans AS s
            WHERE s.project_id = $1
                AND s.start_time >= $2
                AND s.start_time < $3
                /* where */
            ORDER BY s.start_time DESC
            LIMIT $4
        ) AS page
    )
    /* where */
ORDER BY s.start_time DESC, s.trace_id DESC, s.span_id DESC
LIMIT $4

-- name: spans_of_trace
SELECT s.*
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.trace_id = $2
    AND s.start_time >= $3
    AND s.start_time <= $4
ORDER BY s.start_time, s.start_nanos, s.span_id
LIMIT $5

-- name: payloads_of_trace
SELECT p.*
FROM observatory.span_payloads AS p
WHERE p.project_id = $1
    AND p.trace_id = $2
    AND p.start_time >= $3
    AND p.start_time <= $4
    AND p.span_id = ANY ($5::bytea[])

-- name: messages_of_trace
SELECT
    l.span_id,
    coalesce(l.event_name, l.attributes ->> 'event.name', l.attributes ->> 'event_name') AS name,
    l.body,
    l.attributes
FROM observatory.logs AS l
WHERE l.project_id = $1
    AND l.trace_id = $2
    AND l.time >= $3
    AND l.time <= $4
    AND l.span_id = ANY ($5::bytea[])
    AND coalesce(l.event_name, l.attributes ->> 'event.name', l.attributes ->> 'event_name')
        = ANY ($6::text[])
ORDER BY l.time, l.time_nanos, l.observed_time, l.observed_nanos
LIMIT $7

-- name: resources_by_id
SELECT r.*
FROM observatory.resources AS r
WHERE r.project_id = $1
    AND r.resource_id = ANY ($2::bigint[])

-- name: trace_summary
SELECT t.*
FROM observatory.traces AS t
WHERE t.project_id = $1
    AND t.trace_id = $2

-- name: list_traces
SELECT t.*
FROM (
    SELECT d.project_id, d.trace_id, d.first_start
    FROM observatory.trace_days AS d
    WHERE d.project_id = $1
        AND d.first_start >= $2
        AND (d.first_start, d.trace_id) < ($3, $4)
        -- No condition on the day: it would leave out chunks, but the planner would multiply the two
        -- and expect so few rows that it sorts the whole range instead of walking the index.
) AS page
CROSS JOIN LATERAL (
    SELECT merged.*
    FROM observatory.traces AS merged
    WHERE merged.project_id = page.project_id
        AND merged.trace_id = page.trace_id
    -- Without this the planner would merge the days of all traces before it takes a page of them.
    OFFSET 0
) AS t
-- Not for a later day of a trace: it is listed where it began. (It never began after; but for an
-- equation the planner would expect next to no rows, and read the whole range for a page of them.)
WHERE t.start_time >= page.first_start
    /* where */
ORDER BY page.first_start DESC, page.trace_id DESC
LIMIT $5

-- name: list_logs
SELECT l.*
FROM observatory.logs AS l
WHERE l.project_id = $1
    AND l.time >= $2
    AND l.time < $3
    -- As in list_spans.
    AND l.time >= (
        SELECT min(page.time)
        FROM (
            SELECT l.time
            FROM observatory.logs AS l
            WHERE l.project_id = $1
                AND l.time >= $2
                AND l.time < $3
                /* where */
            ORDER BY l.time DESC
            LIMIT $4
        ) AS page
    )
    /* where */
ORDER BY l.time DESC, l.content_hash DESC, l.ordinal DESC
LIMIT $4

-- name: list_metrics
SELECT m.*
FROM observatory.metrics AS m
WHERE m.project_id = $1
    /* where */
ORDER BY m.name, m.metric_id
LIMIT $2

-- name: list_points
SELECT
    p.*,
    m.metric_id,
    m.name,
    m.unit,
    m.type,
    m.temporality,
    m.is_monotonic,
    m.description,
    m.metadata,
    r.resource_id,
    r.attributes AS series_attributes
FROM observatory.metrics AS m
JOIN observatory.metric_series AS r USING (project_id, metric_id)
JOIN observatory.metric_points AS p USING (project_id, series_id)
WHERE m.project_id = $1
    AND m.name = $5
    AND p.time >= $2
    AND p.time < $3
    /* where */
ORDER BY r.series_id, p.time, p.time_nanos
LIMIT $4
