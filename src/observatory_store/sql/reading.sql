-- name: floor_of_spans
-- The start of the $4th newest span before $3: a list reads no further than that at once.
SELECT s.start_time
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.start_time >= $2
    AND s.start_time < $3
ORDER BY s.start_time DESC
OFFSET $4::integer - 1
LIMIT 1

-- name: list_spans
-- $2 is the floor of a page or of a window, never of a long range: a columnstore is read in the order
-- of time alone, and for the whole order of the list it is read to its end, and sorted.
SELECT s.*
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.start_time >= $2
    AND s.start_time <= $3
    AND (s.start_time, s.trace_id, s.span_id) < ($3, $4, $5)
    /* where */
ORDER BY s.start_time DESC, s.trace_id DESC, s.span_id DESC
LIMIT $6

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
-- The first one, and as many more as have $6 bytes together; that is told without reading them.
SELECT p.*
FROM (
    SELECT
        p.*,
        count(*) OVER () AS all_payloads,
        row_number() OVER (ORDER BY p.start_time, p.span_id) AS number,
        sum(
            coalesce(octet_length(p.input_messages), 0)
            + coalesce(octet_length(p.output_messages), 0)
            + coalesce(octet_length(p.system_instructions), 0)
            + coalesce(octet_length(p.tool_definitions), 0)
            + coalesce(octet_length(p.tool_arguments), 0)
            + coalesce(octet_length(p.tool_result), 0)
            + coalesce(octet_length(p.content_attributes), 0)
        ) OVER (ORDER BY p.start_time, p.span_id ROWS UNBOUNDED PRECEDING) AS bytes
    FROM observatory.span_payloads AS p
    WHERE p.project_id = $1
        AND p.trace_id = $2
        AND p.start_time >= $3
        AND p.start_time <= $4
        AND p.span_id = ANY ($5::bytea[])
) AS p
WHERE p.bytes <= $6
    OR p.number = 1

-- name: messages_of_trace
-- The first ones, with $8 bytes together as they are stored, or $7 of them.
SELECT m.span_id, m.name, m.body, m.attributes
FROM (
    SELECT
        l.span_id,
        l.body,
        l.attributes,
        coalesce(l.event_name, l.attributes ->> 'event.name', l.attributes ->> 'event_name')
            AS name,
        row_number() OVER by_time AS number,
        sum(coalesce(pg_column_size(l.body), 0) + coalesce(pg_column_size(l.attributes), 0))
            OVER (by_time ROWS UNBOUNDED PRECEDING) AS bytes
    FROM observatory.logs AS l
    WHERE l.project_id = $1
        AND l.trace_id = $2
        AND l.time >= $3
        AND l.time <= $4
        AND l.span_id = ANY ($5::bytea[])
        AND coalesce(l.event_name, l.attributes ->> 'event.name', l.attributes ->> 'event_name')
            = ANY ($6::text[])
    WINDOW by_time AS (ORDER BY l.time, l.time_nanos, l.observed_time, l.observed_nanos)
) AS m
WHERE m.number <= $7
    AND (m.bytes <= $8 OR m.number = 1)
ORDER BY m.number

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

-- name: floor_of_traces
SELECT d.first_start
FROM observatory.trace_days AS d
WHERE d.project_id = $1
    AND d.first_start >= $2
    AND d.first_start < $3
ORDER BY d.first_start DESC
OFFSET $4::integer - 1
LIMIT 1

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

-- name: floor_of_named_traces
-- The later one of the $4th newest day of a trace that has the name, and of the $4th that has several.
SELECT max(d.first_start)
FROM (
    (
        SELECT d.first_start
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start >= $2
            AND d.first_start < $3
            /* least */
        ORDER BY d.first_start DESC
        OFFSET $4::integer - 1
        LIMIT 1
    )
    UNION ALL
    (
        SELECT d.first_start
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start >= $2
            AND d.first_start < $3
            AND (d.other_users IS NOT NULL OR d.other_sessions IS NOT NULL)
        ORDER BY d.first_start DESC
        OFFSET $4::integer - 1
        LIMIT 1
    )
) AS d

-- name: count_later_days
-- What found_by_name reads after its window: $3 at most, of each kind.
SELECT count(*)
FROM (
    (
        SELECT
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start > $2
            /* least */
        LIMIT $3
    )
    UNION ALL
    (
        SELECT
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start > $2
            AND (d.other_users IS NOT NULL OR d.other_sessions IS NOT NULL)
        LIMIT $3
    )
) AS d

-- name: found_by_name
-- Of a trace that began in the window, the first day with the name may be a later one.
found AS (
    SELECT d.trace_id
    FROM observatory.trace_days AS d
    WHERE d.project_id = $1
        AND d.first_start >= $2
        AND d.first_start <= $3
        /* least */
    UNION
    SELECT d.trace_id
    FROM observatory.trace_days AS d
    WHERE d.project_id = $1
        AND d.first_start >= $2
        AND d.first_start <= $3
        /* others */
    UNION
    SELECT d.trace_id
    FROM (
        SELECT d.trace_id
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start > $3
            /* least */
        UNION
        SELECT d.trace_id
        FROM observatory.trace_days AS d
        WHERE d.project_id = $1
            AND d.first_start > $3
            /* others */
    ) AS d
    JOIN observatory.trace_days AS began USING (trace_id)
    WHERE began.project_id = $1
        AND began.first_start >= $2
        AND began.first_start <= $3
        AND began.day BETWEEN ($2 AT TIME ZONE 'UTC')::date AND ($3 AT TIME ZONE 'UTC')::date
)

-- name: reach_of_spans
-- The start of the $3th span from $2 on.
SELECT s.start_time
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.start_time >= $2
ORDER BY s.start_time
OFFSET $3::integer - 1
LIMIT 1

-- name: list_traces_by_facts
-- Those whose spans have a name or other facts; found_by_name or found_by_facts finds them.
WITH /* found */
SELECT t.*
FROM found
CROSS JOIN LATERAL (
    SELECT merged.*
    FROM observatory.traces AS merged
    WHERE merged.project_id = $1
        AND merged.trace_id = found.trace_id
    OFFSET 0
) AS t
WHERE t.start_time >= $2
    AND (t.start_time, t.trace_id) < ($3, $4)
    /* where */
ORDER BY t.start_time DESC, t.trace_id DESC
LIMIT $5

-- name: found_by_facts
-- The facts from the window's floor to $6 are read as they lie, which is all of those that most of its
-- traces have; a trace that goes on beyond $6 is looked up. (To look up every trace of the window would
-- take 3 ms for each in a columnstore.)
longer AS (
    SELECT d.trace_id, max(later.last_end) AS end_time
    FROM observatory.trace_days AS d
    JOIN observatory.trace_days AS later USING (project_id, trace_id)
    WHERE d.project_id = $1
        AND d.first_start >= $2
        AND d.first_start <= $3
        AND later.last_end > $6
        -- So that not all days that are kept are read for it.
        AND later.day >= ($2 AT TIME ZONE 'UTC')::date
    GROUP BY d.trace_id
),
found AS (
    /* facts_of */
)

-- name: found_in_spans
SELECT s.trace_id
FROM observatory.spans AS s
WHERE s.project_id = $1
    AND s.start_time >= $2
    AND s.start_time <= $6
    /* facts */
UNION
SELECT longer.trace_id
FROM longer
WHERE EXISTS (
    SELECT
    FROM observatory.spans AS s
    WHERE s.project_id = $1
        AND s.trace_id = longer.trace_id
        AND s.start_time > $6
        AND s.start_time <= longer.end_time
        /* facts */
    )

-- name: floor_of_payloads
-- As of spans; and no further than $5 bytes of text, which are told without reading it. The limit is
-- within, or else the planner may sort the whole range.
SELECT window_.start_time
FROM (
    SELECT
        p.start_time,
        row_number() OVER so_far AS number,
        sum(p.bytes) OVER so_far AS bytes
    FROM (
        SELECT
            p.start_time,
            coalesce(octet_length(p.input_messages), 0)
            + coalesce(octet_length(p.output_messages), 0)
            + coalesce(octet_length(p.system_instructions), 0)
            + coalesce(octet_length(p.tool_arguments), 0)
            + coalesce(octet_length(p.tool_result), 0)
            + coalesce(octet_length(p.content_attributes), 0) AS bytes
        FROM observatory.span_payloads AS p
        WHERE p.project_id = $1
            AND p.start_time >= $2
            AND p.start_time < $3
        ORDER BY p.start_time DESC
        LIMIT $4::integer
    ) AS p
    WINDOW so_far AS (ORDER BY p.start_time DESC ROWS UNBOUNDED PRECEDING)
) AS window_
WHERE window_.number >= $4
    OR window_.bytes >= $5
ORDER BY window_.start_time DESC
LIMIT 1

-- name: reach_of_payloads
SELECT p.start_time
FROM observatory.span_payloads AS p
WHERE p.project_id = $1
    AND p.start_time >= $2
ORDER BY p.start_time
OFFSET $3::integer - 1
LIMIT 1

-- name: found_in_payloads
-- Apart, because the index of a day serves what does not ask for more than that day.
SELECT p.trace_id
FROM observatory.span_payloads AS p
WHERE p.project_id = $1
    AND p.start_time >= $2
    AND p.start_time <= $3
    /* facts */
UNION
SELECT p.trace_id
FROM observatory.span_payloads AS p
WHERE p.project_id = $1
    AND p.start_time > $3
    AND p.start_time <= $6
    /* facts */
UNION
SELECT longer.trace_id
FROM longer
WHERE EXISTS (
    SELECT
    FROM observatory.span_payloads AS p
    WHERE p.project_id = $1
        AND p.trace_id = longer.trace_id
        AND p.start_time > $6
        AND p.start_time <= longer.end_time
        /* facts */
    )

-- name: floor_of_logs
SELECT l.time
FROM observatory.logs AS l
WHERE l.project_id = $1
    AND l.time >= $2
    AND l.time < $3
ORDER BY l.time DESC
OFFSET $4::integer - 1
LIMIT 1

-- name: floor_of_log_bodies
-- As of payloads.
SELECT window_.time
FROM (
    SELECT
        l.time,
        row_number() OVER so_far AS number,
        sum(l.bytes) OVER so_far AS bytes
    FROM (
        SELECT l.time, coalesce(pg_column_size(l.body), 0) AS bytes
        FROM observatory.logs AS l
        WHERE l.project_id = $1
            AND l.time >= $2
            AND l.time < $3
        ORDER BY l.time DESC
        LIMIT $4::integer
    ) AS l
    WINDOW so_far AS (ORDER BY l.time DESC ROWS UNBOUNDED PRECEDING)
) AS window_
WHERE window_.number >= $4
    OR window_.bytes >= $5
ORDER BY window_.time DESC
LIMIT 1

-- name: list_logs
-- $2 as in list_spans.
SELECT l.*
FROM observatory.logs AS l
WHERE l.project_id = $1
    AND l.time >= $2
    AND l.time <= $3
    AND (l.time, l.content_hash, l.ordinal) < ($3, $4, $5)
    /* where */
ORDER BY l.time DESC, l.content_hash DESC, l.ordinal DESC
LIMIT $6

-- name: list_logs_by_words
-- As list_logs, but never in the order of time: a seldom word would be looked for in all of a day, of
-- which an index knows the few records that have it.
WITH found AS MATERIALIZED (
    SELECT l.*
    FROM observatory.logs AS l
    WHERE l.project_id = $1
        AND l.time >= $2
        AND l.time <= $3
        AND (l.time, l.content_hash, l.ordinal) < ($3, $4, $5)
        /* where */
)
SELECT f.*
FROM found AS f
ORDER BY f.time DESC, f.content_hash DESC, f.ordinal DESC
LIMIT $6

-- name: parse_text_query
SELECT numnode(query) AS nodes, querytree(query) AS required
FROM websearch_to_tsquery('simple', $1) AS query

-- name: indexed_day
-- The beginning of the day that ends at $2 or has it, if its words are indexed.
SELECT d.first
FROM observatory_private.text_days($1) AS d
WHERE d.is_valid
    AND d.first < $2
    AND d.last >= $2

-- name: count_indexed_payloads
SELECT count(*)
FROM (
    SELECT
    FROM observatory.span_payloads AS p
    WHERE p.project_id = $1
        AND p.start_time >= $2
        AND p.start_time <= $3
        /* facts */
    LIMIT $4
) AS found

-- name: count_indexed_logs
SELECT count(*)
FROM (
    SELECT
    FROM observatory.logs AS l
    WHERE l.project_id = $1
        AND l.time >= $2
        AND l.time <= $3
        /* facts */
    LIMIT $4
) AS found

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
