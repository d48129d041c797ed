-- dashboard: LLM usage | now-24h

-- panel: Calls | stat | short | 6x4
SELECT sum(requests) AS calls
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Tokens | stat | short | 6x4
SELECT sum(input_tokens + output_tokens) AS tokens
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Cost | stat | currencyUSD | 6x4
-- about: Without the calls that have no price.
SELECT sum(cost_usd) AS cost_usd
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Calls that failed | stat | percent | 6x4
SELECT 100.0 * sum(errors) / nullif(sum(requests), 0) AS percent
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Calls by model | bars | short | 12x8
SELECT $__timeGroupAlias(bucket, $interval), coalesce(model, '?') AS metric, sum(requests) AS calls
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Tokens by class | bars | short | 12x8
SELECT $__timeGroupAlias(bucket, $interval),
    sum(input_tokens - cache_read_tokens) AS input, sum(cache_read_tokens) AS "input from cache",
    sum(output_tokens - reasoning_tokens) AS output, sum(reasoning_tokens) AS reasoning
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1 ORDER BY 1

-- panel: Share of prompts from the cache | lines | percent | 12x8
SELECT $__timeGroupAlias(bucket, $interval), coalesce(model, '?') AS metric,
    100.0 * sum(cache_read_tokens) / nullif(sum(input_tokens), 0) AS percent
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Tokens a second | lines | short | 12x8
-- about: While they came: without the time to the first token, where that is known.
SELECT $__timeGroupAlias(bucket, $interval), coalesce(model, '?') AS metric,
    1000000 * sum(output_tokens) / nullif(sum(generation_us), 0) AS tokens_per_second
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Services | table | short | 12x8
SELECT service_name, environment, sum(requests) AS calls,
    100.0 * sum(errors) / sum(requests) AS failed_percent,
    sum(input_tokens + output_tokens) AS tokens, sum(cost_usd) AS cost_usd
FROM observatory.llm_usage_15m
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY calls DESC LIMIT 50

-- panel: Agents | table | short | 12x8
-- about: By whole days (UTC), of all services and environments.
SELECT agent_name, model, sum(requests) AS calls, 100.0 * sum(errors) / sum(requests) AS failed_percent,
    sum(input_tokens + output_tokens) AS tokens, sum(cost_usd) AS cost_usd
FROM observatory.llm_agent_usage_1d
WHERE project_id = ${project:sqlstring} AND bucket BETWEEN date_trunc('day', $__timeFrom()::timestamptz, 'UTC')
        AND $__timeTo()
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY calls DESC LIMIT 50
