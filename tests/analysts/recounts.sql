-- The cookbook's answers, counted anew from the spans: a query for each heading, with some of its
-- columns. `day_start` is the present UTC day; the rows must be the same.

-- name: Cost by model
SELECT provider, coalesce(response_model, request_model) AS model, count(*) AS requests,
    coalesce(sum(cost_usd), 0) AS cost_usd,
    count(*) FILTER (WHERE cost_usd IS NULL AND status <> 'error') AS unpriced_requests
FROM calls GROUP BY 1, 2

-- name: Cost by day, and so far this month
SELECT day, cost_usd, (
        SELECT sum(coalesce(m.cost_usd, 0)) FROM calls AS m
        WHERE (m.start_time AT TIME ZONE 'UTC')::date BETWEEN date_trunc('month', day)::date AND day
    ) AS month_so_far
FROM (
    SELECT (start_time AT TIME ZONE 'UTC')::date AS day, sum(coalesce(cost_usd, 0)) AS cost_usd
    FROM calls GROUP BY 1
) AS days

-- name: Cost by team
SELECT substring(array_to_string(tags, ' ') FROM 'team=(\w+)') AS team, count(*) AS requests,
    coalesce(sum(cost_usd), 0) AS cost_usd
FROM calls GROUP BY 1

-- name: The users who cost most
SELECT user_id, count(*) AS requests, sum(cost_usd) AS cost_usd,
    sum(coalesce(cost_usd, 0)) / count(*) AS cost_per_request, max(start_time) AS last_seen
FROM calls WHERE user_id IS NOT NULL GROUP BY 1

-- name: Cost by service, environment and month
SELECT to_char(start_time AT TIME ZONE 'UTC', 'YYYY-MM') AS month, service_name, environment,
    count(*) AS requests, sum(cost_usd) AS cost_usd
FROM calls GROUP BY 1, 2, 3

-- name: This week against the one before
SELECT coalesce(response_model, request_model) AS model,
    sum(CASE WHEN start_time >= day_start - interval '7 days' THEN coalesce(cost_usd, 0) ELSE 0 END) AS this_week,
    sum(CASE WHEN start_time < day_start - interval '7 days' THEN coalesce(cost_usd, 0) ELSE 0 END) AS week_before
FROM calls, today
WHERE start_time >= day_start - interval '14 days' AND start_time < day_start
GROUP BY 1

-- name: What the month will cost
SELECT so_far, a_day, so_far + a_day * days_left AS forecast
FROM (
    SELECT
        coalesce(sum(cost_usd) FILTER (WHERE start_time >= date_trunc('month', day_start, 'UTC')), 0) AS so_far,
        sum(cost_usd) FILTER (WHERE start_time >= day_start - interval '7 days') / 7 AS a_day,
        (
            SELECT count(*) FROM generate_series(0, 30) AS d
            WHERE to_char((day_start AT TIME ZONE 'UTC') + d * interval '1 day', 'YYYYMM')
                = to_char(day_start AT TIME ZONE 'UTC', 'YYYYMM')
        ) AS days_left
    FROM calls, today WHERE start_time < day_start GROUP BY day_start
) AS sums

-- name: Calls by hour of the day, as people live it
SELECT extract(hour FROM start_time AT TIME ZONE 'Asia/Kolkata') AS hour, count(*) AS requests,
    sum(coalesce(cost_usd, 0)) AS cost_usd
FROM week GROUP BY 1

-- name: Share of the prompt that came from the cache
SELECT provider, coalesce(response_model, request_model) AS model,
    coalesce(sum(input_tokens), 0) AS input_tokens,
    round(100.0 * coalesce(sum(cache_read_tokens), 0) / sum(input_tokens), 1) AS percent_cached
FROM week GROUP BY 1, 2

-- name: Agents: calls and cost
SELECT agent_name, coalesce(response_model, request_model) AS model, count(*) AS requests,
    sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) AS tokens,
    coalesce(sum(cost_usd), 0) AS cost_usd
FROM week WHERE agent_name IS NOT NULL GROUP BY 1, 2

-- name: Sessions that cost most
SELECT session_id, min(start_time) AS first_start, count(*) AS requests,
    count(*) FILTER (WHERE status = 'error') AS errors, sum(coalesce(cost_usd, 0)) AS cost_usd
FROM week WHERE session_id IS NOT NULL GROUP BY 1 ORDER BY cost_usd DESC, session_id LIMIT 20

-- name: The traces of a session
SELECT replace(trace_id::text, '-', '') AS trace_id, min(start_time) AS first_start,
    count(*) AS span_count, count(*) FILTER (WHERE status = 'error') AS error_count,
    coalesce(sum(cost_usd), 0) AS cost_usd
FROM observatory.spans WHERE session_id = 'session-7'
GROUP BY trace_id, (start_time AT TIME ZONE 'UTC')::date

-- name: Users by week: how many, and how many of them new
SELECT w.week, count(DISTINCT user_id) AS users, (
        SELECT count(*) FROM (SELECT min(start_time) AS first FROM calls WHERE user_id IS NOT NULL GROUP BY user_id) AS f
        WHERE date_trunc('week', first, 'UTC') = w.week
    ) AS new_users
FROM (SELECT date_trunc('week', start_time, 'UTC') AS week, user_id FROM calls) AS w
WHERE user_id IS NOT NULL GROUP BY w.week

-- name: Percentiles by model
SELECT coalesce(response_model, request_model) AS model, count(*) AS requests,
    (array_agg(duration_us ORDER BY duration_us))[1 + floor(0.5 * (count(*) - 1))] / 1000.0 AS p50_ms,
    (array_agg(duration_us ORDER BY duration_us))[1 + floor(0.95 * (count(*) - 1))] / 1000.0 AS p95_ms,
    (array_agg(duration_us ORDER BY duration_us))[1 + floor(0.99 * (count(*) - 1))] / 1000.0 AS p99_ms
FROM week GROUP BY 1

-- name: p95 by model and hour
SELECT date_trunc('hour', start_time) AS hour, coalesce(response_model, request_model) AS model,
    count(*) AS requests,
    (array_agg(duration_us ORDER BY duration_us))[1 + floor(0.95 * (count(*) - 1))] / 1000.0 AS p95_ms
FROM calls WHERE start_time >= date_trunc('hour', now()) - interval '23 hours' GROUP BY 1, 2

-- name: Time to the first token
SELECT coalesce(response_model, request_model) AS model, count(*) AS requests,
    (array_agg(time_to_first_token_ms ORDER BY time_to_first_token_ms))[1 + floor(0.95 * (count(*) - 1))] AS p95_ms
FROM week WHERE time_to_first_token_ms IS NOT NULL GROUP BY 1

-- name: Tokens a second
SELECT provider, coalesce(response_model, request_model) AS model, round((1000 * sum(output_tokens)
        / sum(duration_us / 1000.0 - coalesce(time_to_first_token_ms, 0)))::numeric, 1) AS tokens_per_second
FROM week WHERE output_tokens > 0 GROUP BY 1, 2

-- name: Calls that kept their promise
SELECT coalesce(response_model, request_model) AS model, count(*) AS requests, round(100.0 * count(*)
    FILTER (WHERE 0.99 * exp(ceil(ln(duration_us) / ln(1.01 / 0.99)) * ln(1.01 / 0.99)) < 2000000)
        / count(*), 2) AS percent_in_time
FROM week GROUP BY 1

-- name: The slowest traces
SELECT replace(trace_id::text, '-', '') AS trace_id, count(*) AS span_count,
    extract(epoch FROM max(start_time + duration_us * interval '1 microsecond') - min(start_time)) AS seconds
FROM observatory.spans
WHERE project_id = 1
GROUP BY trace_id, (start_time AT TIME ZONE 'UTC')::date
HAVING min(start_time) >= now() - interval '1 day'
ORDER BY seconds DESC, trace_id LIMIT 20

-- name: Error rate by provider, model and day
SELECT (start_time AT TIME ZONE 'UTC')::date AS day, provider,
    coalesce(response_model, request_model) AS model, count(*) AS requests,
    count(*) FILTER (WHERE status = 'error') AS errors,
    round(100 * avg((status = 'error')::integer), 2) AS percent
FROM week GROUP BY 1, 2, 3

-- name: The commonest errors
SELECT attributes ->> 'error.type' AS error_type, count(*) AS errors,
    min(status_message) AS sample_message, min(start_time) AS first_start,
    array_agg(DISTINCT coalesce(response_model, request_model)) AS models
FROM week WHERE status = 'error' GROUP BY left(status_message, 5), 1

-- name: Retries
SELECT request_model, count(*) AS retries, count(*) FILTER (WHERE status <> 'error') AS that_worked,
    sum(cost_usd) AS cost_usd
FROM calls AS c
WHERE start_time >= now() - interval '1 day' AND EXISTS (
    SELECT FROM calls AS f
    WHERE f.trace_id = c.trace_id AND f.status = 'error'
        AND f.start_time >= now() - interval '1 day' AND f.start_time < c.start_time
        AND NOT EXISTS (
            SELECT FROM calls AS b
            WHERE b.trace_id = c.trace_id AND b.start_time > f.start_time AND b.start_time < c.start_time))
GROUP BY 1

-- name: Tools that fail
SELECT tool_name, count(*) AS executions, count(*) FILTER (WHERE status = 'error') AS errors,
    round(100 * avg((status = 'error')::integer), 2) AS percent,
    round(avg(duration_us) / 1000, 1) AS mean_ms
FROM observatory.spans, today
WHERE project_id = 1 AND tool_name IS NOT NULL AND start_time >= day_start - interval '6 days' GROUP BY 1

-- name: Answers that were cut short
SELECT coalesce(response_model, request_model) AS model, count(*) AS answers,
    count(*) FILTER (WHERE finish_reasons = '{length}') AS cut_short, 900 AS most_tokens_allowed
FROM calls WHERE start_time >= now() - interval '1 day' AND finish_reasons IS NOT NULL GROUP BY 1

-- name: The most expensive calls, and what was asked
SELECT replace(trace_id::text, '-', '') AS trace_id, start_time, cost_usd, (
        SELECT input_messages FROM observatory.span_payloads AS p
        WHERE p.span_id = c.span_id AND p.trace_id = c.trace_id
    ) AS prompt
FROM calls AS c WHERE start_time >= now() - interval '1 day' AND cost_usd IS NOT NULL
ORDER BY cost_usd DESC LIMIT 20

-- name: The same instructions, sent again and again
SELECT i.text AS begins_with, count(*) AS requests, sum(input_tokens) AS input_tokens
FROM (VALUES ('["Be brief."]'), ('["Be polite."]')) AS i (text)
JOIN observatory.span_payloads AS p ON p.system_instructions = i.text
JOIN calls AS c USING (trace_id, span_id)
WHERE c.start_time >= now() - interval '1 day' GROUP BY 1

-- name: Calls whose prompt has certain words
SELECT replace(trace_id::text, '-', '') AS trace_id, start_time, input_messages AS prompt
FROM observatory.span_payloads
WHERE input_messages LIKE '%the refund policy%' AND input_messages NOT LIKE '%test%'
    AND start_time >= now() - interval '1 hour'
ORDER BY start_time DESC LIMIT 20

-- name: Models without a price
SELECT 'house' AS provider, 'tiny-1' AS model, count(*) FILTER (WHERE status <> 'error') AS unpriced_requests,
    count(*) AS requests
FROM week WHERE provider = 'house'

-- name: Prices in force
SELECT 'user' AS source, 'openai' AS provider, 'gpt-4o' AS model, 3 AS input, 10 AS output

-- name: By which price calls were charged
SELECT price_ref, count(*) AS requests, sum(cost_usd) AS cost_usd,
    CASE WHEN price_ref LIKE 'price:%' THEN 'user' END AS source
FROM calls WHERE start_time >= now() - interval '7 days' AND cost_usd IS NOT NULL GROUP BY 1

-- name: Numbers that contradict each other
SELECT conflict, service_name, provider, count(*) AS spans
FROM observatory.spans, (VALUES ('sources_disagree'), ('total_mismatch')) AS words (conflict)
WHERE project_id = 1 AND start_time >= now() - interval '7 days' AND usage_conflict LIKE '%' || conflict || '%'
GROUP BY 1, 2, 3

-- name: Spans by service and day
SELECT date_trunc('day', start_time, 'UTC') AS day, service_name, count(*) AS spans,
    count(*) FILTER (WHERE status = 'error') AS errors
FROM observatory.spans, today
WHERE project_id = 1 AND start_time >= day_start - interval '6 days' GROUP BY 1, 2

-- name: Spans that come late
SELECT service_name, count(*) AS spans FROM observatory.spans
WHERE project_id = 1 AND start_time >= now() - interval '1 hour' GROUP BY 1

-- name: Whether the rollups keep up
SELECT name AS rollup, 0 AS pending_buckets FROM observatory_private.rollups WHERE is_stored

-- name: Room on disk
SELECT relation FROM observatory.policies
UNION
SELECT c.relname FROM pg_class AS c
WHERE relnamespace IN ('observatory'::regnamespace, 'observatory_private'::regnamespace)
    AND relkind = 'r' AND relname !~ '_history$'
