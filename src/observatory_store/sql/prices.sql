-- name: lock_prices
-- Whoever brings prices in reads what is there first: one at a time, and sees what the other did.
SELECT pg_advisory_xact_lock(7020958245223294323)

-- name: wait_for_others
SET LOCAL lock_timeout = '5min'

-- name: newest_sync
SELECT max(price_sync_id) FROM observatory.price_syncs

-- name: load_prices
SELECT
    price_id, source, provider, model, names, valid_from, valid_to, input, output, cache_read,
    cache_write, cache_write_1h, reasoning, input_audio, output_audio, input_image, output_image,
    request, web_search, context_tiers, service_tiers, hours
FROM observatory.prices
WHERE (valid_from < valid_to) IS NOT false
    AND source = ANY ($1::text[])
ORDER BY price_id

-- name: list_prices
SELECT
    price_id, source, provider, model, names, valid_from, valid_to, input, output, cache_read,
    cache_write, cache_write_1h, reasoning, input_audio, output_audio, input_image, output_image,
    request, web_search, context_tiers, service_tiers, hours, source_version, synced_at, created_by
FROM observatory.prices AS p
WHERE (p.valid_from < p.valid_to) IS NOT false
    /* where */
ORDER BY p.provider, p.model, p.price_id
LIMIT $1

-- name: price_by_id
SELECT
    price_id, source, provider, model, names, valid_from, valid_to, input, output, cache_read,
    cache_write, cache_write_1h, reasoning, input_audio, output_audio, input_image, output_image,
    request, web_search, context_tiers, service_tiers, hours, source_version, synced_at, created_by,
    source_row
FROM observatory.prices
WHERE price_id = $1

-- name: insert_sync
INSERT INTO observatory.price_syncs (
    source, version, origin, synced_at, synced_by, added, changed, unchanged, refused, skipped,
    absent, report)
VALUES ($1, $2, $3, $4, coalesce($5, current_user), $6, $7, $8, $9, $10, $11, $12)
RETURNING price_sync_id, synced_by

-- name: close_prices
UPDATE observatory.prices AS p
SET valid_to = c.valid_to
FROM unnest($1::bigint[], $2::timestamptz[]) AS c (price_id, valid_to)
WHERE p.price_id = c.price_id

-- name: unpriced
SELECT
    provider,
    coalesce(response_model, request_model) AS model,
    count(*) AS requests,
    count(*) FILTER (
        WHERE input_tokens IS NULL
            OR (output_tokens IS NULL AND operation IS DISTINCT FROM 'embeddings')
    ) AS without_tokens,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    min(start_time) AS first_seen,
    max(start_time) AS last_seen
FROM observatory.spans
WHERE project_id = $1
    AND start_time >= $2
    AND start_time < $3
    AND is_inference
    AND cost_usd IS NULL
GROUP BY 1, 2
ORDER BY 3 DESC, 1, 2
LIMIT $4

-- name: clock
SELECT clock_timestamp()
