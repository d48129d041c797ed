-- dashboard: LLM latency | now-24h

-- panel: Latency | stat | ms | 12x4
-- about: By whole hours of the last 14 days, as all of this dashboard; percentiles are right within 1 %.
SELECT us[1] / 1000 AS p50, us[2] / 1000 AS p95, us[3] / 1000 AS p99
FROM (
    SELECT observatory.quantile(
        ARRAY[0.5, 0.95, 0.99], array_agg(duration_bucket), array_agg(requests)) AS us
    FROM observatory.llm_latency_1h
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
        AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
        AND coalesce(model, '') IN (${model:sqlstring})
) AS quantiles

-- panel: Time to the first token | stat | ms | 12x4
SELECT us[1] / 1000 AS p50, us[2] / 1000 AS p95, us[3] / 1000 AS p99
FROM (
    SELECT observatory.quantile(
        ARRAY[0.5, 0.95, 0.99], array_agg(first_token_bucket), array_agg(requests)) AS us
    FROM observatory.llm_first_token_1h
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
        AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
        AND coalesce(model, '') IN (${model:sqlstring})
) AS quantiles

-- panel: Latency by hour | lines | ms | 12x8
SELECT time, us[1] / 1000 AS p50, us[2] / 1000 AS p95, us[3] / 1000 AS p99
FROM (
    SELECT $__time(bucket), observatory.quantile(
        ARRAY[0.5, 0.95, 0.99], array_agg(duration_bucket), array_agg(requests)) AS us
    FROM observatory.llm_latency_1h
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
        AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
        AND coalesce(model, '') IN (${model:sqlstring})
    GROUP BY bucket
) AS hours
ORDER BY 1

-- panel: p95 by model | lines | ms | 12x8
SELECT $__time(bucket), coalesce(model, '?') AS metric, (observatory.quantile(
        ARRAY[0.95], array_agg(duration_bucket), array_agg(requests)))[1] / 1000 AS p95
FROM observatory.llm_latency_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: First token, p95 by model | lines | ms | 12x8
SELECT $__time(bucket), coalesce(model, '?') AS metric, (observatory.quantile(
        ARRAY[0.95], array_agg(first_token_bucket), array_agg(requests)))[1] / 1000 AS p95
FROM observatory.llm_first_token_1h
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Distribution | barchart | short | 12x8
-- about: Calls by duration; each bar is twice as long as the one before.
SELECT '≥ ' || power(2, exponent) || ' ms' AS duration, sum(requests) AS calls
FROM (
    SELECT requests,
        floor(log(2, greatest(observatory.latency_us(duration_bucket)::numeric / 1000, 1)))::integer
            AS exponent
    FROM observatory.llm_latency_1h
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
        AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
        AND coalesce(model, '') IN (${model:sqlstring})
) AS calls
GROUP BY exponent ORDER BY exponent

-- panel: Models | table | short | 12x8
SELECT provider, model, calls, us[1] / 1000 AS p50_ms, us[2] / 1000 AS p95_ms, us[3] / 1000 AS p99_ms
FROM (
    SELECT provider, model, sum(requests) AS calls, observatory.quantile(
        ARRAY[0.5, 0.95, 0.99], array_agg(duration_bucket), array_agg(requests)) AS us
    FROM observatory.llm_latency_1h
    WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
        AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
        AND coalesce(model, '') IN (${model:sqlstring})
    GROUP BY 1, 2
) AS models
ORDER BY p95_ms DESC LIMIT 50

-- panel: Slowest traces | table | short | 12x8
-- about: Of at most the last day of the range, of all models.
SELECT observatory.trace_hex(trace_id) AS trace_id, first_start, root_name, service_name,
    1000 * extract(epoch FROM last_end - first_start) AS duration_ms, span_count, error_count, cost_usd
FROM observatory.trace_days
WHERE project_id = ${project:sqlstring} AND $__timeFilter(first_start)
    AND first_start >= $__timeTo()::timestamptz - interval '1 day'
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
ORDER BY duration_ms DESC LIMIT 50
