-- What: latency of calls, and times to their first token, as histograms by hour and day.
-- Why: a percentile of percentiles means nothing. Counts by logarithmic bucket (the mapping of
--      DDSketch: Masson, Rim and Lee, VLDB 2019) give any quantile of any sum of them, within 1 %.
-- Locks: none that another session could hold.
-- Reversible: yes; latencies older than the retention of spans are lost.
-- depends: 0012_llm_usage

-- Bucket i holds (g^(i-1), g^i] for g = 1.01 / 0.99; -1 holds what is 0. ln(g) is written out, so
-- that nobody can change it for buckets that are stored.
-- These two are not strict, or else each call would be one: the planner puts no strict function with a
-- CASE in its query's place.
CREATE OR REPLACE FUNCTION observatory.latency_bucket(us bigint) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN us > 0 THEN ceil(ln(us::double precision) / 0.020000666706669435)::integer
        WHEN us <= 0 THEN -1
    END
$$;

COMMENT ON FUNCTION observatory.latency_bucket(bigint) IS
    'The logarithmic bucket of a duration in microseconds; -1 for 0.';

CREATE OR REPLACE FUNCTION observatory.latency_us(bucket integer) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN bucket < 0 THEN 0 ELSE exp(0.020000666706669435 * bucket) * 0.99 END
$$;

COMMENT ON FUNCTION observatory.latency_us(integer) IS
    'The duration in microseconds that stands for a bucket: within 1 % of each that it holds.';

CREATE OR REPLACE FUNCTION observatory.quantile(
    q double precision[], buckets integer[], counts bigint[]
) RETURNS double precision[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH reached AS (
        SELECT bucket, sum(sum(n)) OVER (ORDER BY bucket) AS so_far, sum(sum(n)) OVER () AS total
        FROM unnest(buckets, counts) AS b (bucket, n)
        WHERE bucket IS NOT NULL AND n > 0
        GROUP BY bucket
    )
    SELECT array_agg(
        (
            SELECT observatory.latency_us(min(bucket))
            FROM reached
            WHERE wanted BETWEEN 0 AND 1
                AND so_far > floor(wanted::numeric * (total - 1))
        )
        ORDER BY position)
    FROM unnest(q) WITH ORDINALITY AS w (wanted, position)
$$;

COMMENT ON FUNCTION observatory.quantile(double precision[], integer[], bigint[]) IS
    'Quantiles (0.5 is the median) of the durations that were counted by bucket, in microseconds, '
    'within 1 %: quantile(ARRAY[0.5, 0.95], array_agg(duration_bucket), array_agg(requests)). A '
    'bucket may come more than once. NULL of nothing, and for what is not between 0 and 1.';

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES
    ('llm_latency_1h', '14 days', NULL, '1 day'),
    ('llm_latency_1d', '1095 days', '30 days', '30 days'),
    ('llm_model_latency_1h', '90 days', '7 days', '7 days'),
    ('llm_model_latency_1d', '1095 days', '60 days', '30 days'),
    ('llm_service_latency_1h', '90 days', '7 days', '7 days'),
    ('llm_service_latency_1d', '1095 days', '60 days', '30 days'),
    ('llm_first_token_1h', '14 days', NULL, '1 day'),
    ('llm_first_token_1d', '1095 days', '30 days', '30 days'),
    ('llm_model_first_token_1h', '90 days', '7 days', '7 days'),
    ('llm_model_first_token_1d', '1095 days', '60 days', '30 days'),
    ('llm_service_first_token_1h', '90 days', '7 days', '7 days'),
    ('llm_service_first_token_1d', '1095 days', '60 days', '30 days')
ON CONFLICT DO NOTHING;

-- With one row for each bucket of durations, hours by all dimensions have nearly as many rows as there
-- are spans: so they are kept briefly, and what is asked most, by models or by services, has hours
-- and days of its own. Days by all dimensions are counted from spans and not from hours, and the
-- hours that are kept long are too: so a span that comes weeks late is in them.
INSERT INTO observatory_private.rollups (
    name, refresh_order, source, width, condition, shown, dimensions, searched_by, is_segmented,
    measures, comment
)
SELECT
    format('llm_%s%s_%s', cut.prefix, h.name, w.suffix),
    20 + 6 * h.number + 3 * w.number + cut.number,
    CASE WHEN w.suffix = '1d' AND cut.prefix <> '' THEN format('llm_%s_1d', h.name) ELSE 'spans' END,
    w.width,
    CASE WHEN w.suffix = '1d' AND cut.prefix <> '' THEN 'true' ELSE 'is_inference' END,
    h.shown,
    cut.dimensions || h.bucket,
    cut.searched_by,
    cut.searched_by IS NOT DISTINCT FROM 'model',
    ARRAY['requests', 'errors'],
    format('Calls of models by %s (UTC), %s and %s; see quantile().', w.name, cut.names, h.names)
FROM (
    VALUES
    (0, 'latency', 'duration_bucket', 'duration', 'true'),
    (1, 'first_token', 'first_token_bucket', 'time to the first token',
        'first_token_bucket IS NOT NULL')
) AS h (number, name, bucket, names, shown)
CROSS JOIN (
    VALUES (0, '1h', interval '1 hour', 'hour'), (1, '1d', interval '1 day', 'day')
) AS w (number, suffix, width, name)
CROSS JOIN (
    VALUES
    (0, '', 'all dimensions', ARRAY['provider', 'model', 'service_name', 'environment'], NULL),
    (1, 'model_', 'model', ARRAY['provider', 'model', 'environment'], 'model'),
    (2, 'service_', 'service', ARRAY['service_name', 'environment'], 'service_name')
) AS cut (number, prefix, names, dimensions, searched_by)
ON CONFLICT DO NOTHING;

DO $$
DECLARE
    rollup_name text;
BEGIN
    FOR rollup_name IN
        SELECT name FROM observatory_private.rollups
        WHERE refresh_order BETWEEN 20 AND 31 ORDER BY refresh_order
    LOOP
        PERFORM observatory_private.build_rollup(rollup_name);
    END LOOP;
END
$$;
