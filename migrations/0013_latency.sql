-- What: latency of calls, and times to their first token, as histograms by hour and day.
-- Why: a percentile of percentiles means nothing. Counts by logarithmic bucket (the mapping of
--      DDSketch: Masson, Rim and Lee, VLDB 2019) give any quantile of any sum of them, within 1 %.
-- Locks: none that another session could hold.
-- Reversible: yes; latencies older than the retention of spans are lost.
-- depends: 0012_llm_usage

-- Bucket i holds (g^(i-1), g^i] for g = 1.01 / 0.99; -1 holds what is 0. ln(g) is written out, so
-- that nobody can change it for buckets that are stored.
CREATE OR REPLACE FUNCTION observatory.latency_bucket(us bigint) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN us > 0 THEN ceil(ln(us::double precision) / 0.020000666706669435)::integer
        ELSE -1
    END
$$;

COMMENT ON FUNCTION observatory.latency_bucket(bigint) IS
    'The logarithmic bucket of a duration in microseconds; -1 for 0.';

CREATE OR REPLACE FUNCTION observatory.latency_us(bucket integer) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
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
    ('llm_first_token_1h', '14 days', NULL, '1 day'),
    ('llm_first_token_1d', '1095 days', '30 days', '30 days')
ON CONFLICT DO NOTHING;

-- The day is counted from spans and not from the hour, which is kept briefly: so a span that comes
-- weeks late is in it too.
INSERT INTO observatory_private.rollups (
    name, refresh_order, source, width, condition, dimensions, measures, comment
)
SELECT
    r.name, r.refresh_order, 'spans', r.width, r.condition,
    ARRAY['provider', 'model', 'service_name', 'environment', r.histogram],
    ARRAY['requests', 'errors'],
    r.comment
FROM (
    VALUES
    ('llm_latency_1h', 20, interval '1 hour', 'is_inference', 'duration_bucket',
        'Calls of models by hour (UTC) and duration, of the last days; see quantile().'),
    ('llm_latency_1d', 21, interval '1 day', 'is_inference', 'duration_bucket',
        'Calls of models by day (UTC) and duration; see quantile().'),
    ('llm_first_token_1h', 22, interval '1 hour',
        'is_inference AND observatory_private.microseconds(time_to_first_token_ms) IS NOT NULL',
        'first_token_bucket',
        'Calls of models by hour (UTC) and time to the first token, of the last days; see quantile().'),
    ('llm_first_token_1d', 23, interval '1 day',
        'is_inference AND observatory_private.microseconds(time_to_first_token_ms) IS NOT NULL',
        'first_token_bucket',
        'Calls of models by day (UTC) and time to the first token; see quantile().')
) AS r (name, refresh_order, width, condition, histogram, comment)
ON CONFLICT DO NOTHING;

DO $$
BEGIN
    PERFORM observatory_private.build_rollup('llm_latency_1h');
    PERFORM observatory_private.build_rollup('llm_latency_1d');
    PERFORM observatory_private.build_rollup('llm_first_token_1h');
    PERFORM observatory_private.build_rollup('llm_first_token_1d');
END
$$;
