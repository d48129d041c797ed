-- dashboard: LLM cost | now-30d

-- panel: Cost | stat | currencyUSD | 6x4
-- about: By whole days (UTC), as all of this dashboard. Without the calls that have no price.
SELECT sum(cost_usd) AS cost_usd
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Cost of a call | stat | currencyUSD | 6x4
SELECT sum(cost_usd) / nullif(sum(requests - unpriced_requests), 0) AS cost_usd
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: This month so far | stat | currencyUSD | 6x4
-- about: Whatever the dashboard's range is.
SELECT coalesce(sum(cost_usd), 0) AS cost_usd
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND bucket >= date_trunc('month', now(), 'UTC')
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Calls without a price | stat | short | 6x4
SELECT sum(unpriced_requests) AS calls
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})

-- panel: Cost by model | bars | currencyUSD | 12x8
SELECT $__time(bucket), coalesce(model, '?') AS metric, sum(cost_usd) AS cost_usd
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Cost by service | bars | currencyUSD | 12x8
SELECT $__time(bucket), service_name AS metric, sum(cost_usd) AS cost_usd
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY 1, 2

-- panel: Models | table | short | 12x8
SELECT provider, model, sum(requests) AS calls, sum(input_tokens) AS input_tokens,
    sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,
    100 * sum(cost_usd) / nullif(sum(sum(cost_usd)) OVER (), 0) AS share_percent,
    sum(unpriced_requests) AS calls_without_price
FROM observatory.llm_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
    AND service_name IN (${service:sqlstring}) AND coalesce(environment, '') IN (${environment:sqlstring})
    AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1, 2 ORDER BY cost_usd DESC LIMIT 50

-- panel: Tags | table | short | 12x8
-- about: Of all services, environments and models. A call with two tags is in two rows.
SELECT tag, sum(requests) AS calls, sum(cost_usd) AS cost_usd
FROM observatory.llm_tag_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
GROUP BY 1 ORDER BY cost_usd DESC LIMIT 50

-- panel: Users | table | short | 12x8
-- about: Of all services and environments.
SELECT user_id, sum(requests) AS calls, sum(cost_usd) AS cost_usd,
    sum(cost_usd) / sum(requests) AS cost_of_a_call_usd, max(last_start) AS last_call
FROM observatory.llm_user_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket) AND coalesce(model, '') IN (${model:sqlstring})
GROUP BY 1 ORDER BY cost_usd DESC LIMIT 50

-- panel: Sessions | table | short | 12x8
-- about: Of all services, environments and models.
SELECT session_id, min(first_start) AS first_call, max(last_start) AS last_call,
    sum(requests) AS calls, sum(cost_usd) AS cost_usd
FROM observatory.llm_session_usage_1d
WHERE project_id = ${project:sqlstring} AND $__timeFilter(bucket)
GROUP BY 1 ORDER BY cost_usd DESC LIMIT 50
