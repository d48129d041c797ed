-- dashboard: LLM errors | now-24h

-- panel: Calls that failed | stat | short | 12x4
SELECT sum(errors) AS errors
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Share of calls that failed | stat | percent | 12x4
SELECT 100.0 * sum(errors) / nullif(sum(requests), 0) AS percent
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Share that failed, by model | lines | percent | 12x8
SELECT $__timeGroupAlias(bucket, $interval), coalesce(model, '?') AS metric,
    100.0 * sum(errors) / sum(requests) AS percent
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Errors by type | bars | short | 12x8
-- about: By whole hours.
SELECT $__time(bucket), coalesce(error_type, '?') AS metric, sum(errors) AS errors
FROM observatory.llm_errors_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Commonest errors | table | short | 24x9
-- about: By whole hours. Messages that differ only in numbers and ids are one row.
SELECT fingerprint, error_type, min(sample_message) AS sample_message, sum(errors) AS errors,
    string_agg(DISTINCT model, ', ') AS models, min(first_start) AS first_seen, max(last_start) AS last_seen
FROM observatory.llm_errors_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY errors DESC LIMIT 50

-- panel: Tools | table | short | 12x8
-- about: By whole days (UTC).
SELECT tool_name, sum(spans) AS executions, sum(errors) AS errors,
    100.0 * sum(errors) / sum(spans) AS failed_percent, sum(duration_us) / sum(spans) / 1000 AS mean_ms,
    max(max_duration_us) / 1000 AS longest_ms
FROM observatory.tool_usage_1d
WHERE project_id = ${project:sqlstring} AND bucket BETWEEN date_trunc('day', $__timeFrom()::timestamptz, 'UTC')
        AND $__timeTo()
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
GROUP BY 1 ORDER BY errors DESC LIMIT 50

-- panel: Spans that failed, by service | bars | short | 12x8
-- about: All spans, by whole hours.
SELECT $__time(bucket), service_name AS metric, sum(errors) AS errors
FROM observatory.service_spans_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2
