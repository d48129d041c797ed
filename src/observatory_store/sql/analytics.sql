-- name: usage
SELECT
    CASE WHEN $4::interval IS NOT NULL
        THEN date_bin($4::interval, u.bucket, '2000-01-01T00:00:00Z')
    END AS bucket,
    CASE WHEN 'provider' = ANY ($5::text[]) THEN u.provider END AS provider,
    CASE WHEN 'model' = ANY ($5::text[]) THEN u.model END AS model,
    CASE WHEN 'service' = ANY ($5::text[]) THEN u.service_name END AS service,
    CASE WHEN 'environment' = ANY ($5::text[]) THEN u.environment END AS environment,
    sum(u.requests)::bigint AS requests,
    sum(u.errors)::bigint AS errors,
    sum(u.unpriced_requests)::bigint AS unpriced_requests,
    sum(u.input_tokens)::bigint AS input_tokens,
    sum(u.output_tokens)::bigint AS output_tokens,
    sum(u.cache_read_tokens)::bigint AS cache_read_tokens,
    sum(u.cache_write_tokens)::bigint AS cache_write_tokens,
    sum(u.reasoning_tokens)::bigint AS reasoning_tokens,
    sum(u.cost_usd) AS cost_usd,
    sum(u.duration_us)::bigint AS duration_us
FROM observatory.llm_usage_15m AS u
WHERE u.project_id = $1
    AND u.bucket >= $2
    AND u.bucket < $3
    /* where */
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
LIMIT $6
