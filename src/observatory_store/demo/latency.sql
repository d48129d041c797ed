-- Latency of calls by model, straight from the spans. $1 is the project's id, $2 and $3 the range.
-- A percentile of percentiles means nothing, so no rollup of sums can answer this. It reads every
-- span of the range: right for hours, not for months.
SELECT
    coalesce(response_model, request_model) AS model,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_us) AS p50_us,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_us) AS p95_us,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY time_to_first_token_ms) AS p95_first_token_ms
FROM observatory.spans
WHERE project_id = $1
    AND start_time >= $2
    AND start_time < $3
    AND is_inference
    AND status <> 'error'
GROUP BY 1
ORDER BY 1
