-- What: usage of models by minute, quarter-hour, hour and day.
-- Why: sums over any range without reading spans, and kept longer than they are. The quarter-hour is
--      the base: no time zone is off it.
-- Locks: none that another session could hold.
-- Reversible: yes; usage older than the retention of spans is lost.
-- depends: 0011_text_search

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES
    ('llm_usage_1m', '7 days', NULL, '1 day'),
    ('llm_usage_15m', '1095 days', '30 days', '30 days'),
    ('llm_usage_1h', '1095 days', '60 days', '30 days'),
    ('llm_model_usage_30m', '1095 days', '60 days', '30 days'),
    ('llm_service_usage_30m', '1095 days', '60 days', '30 days'),
    ('llm_usage_1d', '3650 days', '365 days', '365 days')
ON CONFLICT DO NOTHING;

-- By models or services alone half-hours are few enough to be summed to the days of any zone but those
-- that are a quarter-hour off.
INSERT INTO observatory_private.rollups (
    name, refresh_order, source, width, condition, dimensions, searched_by, is_segmented, measures,
    comment
)
SELECT
    r.name, r.refresh_order, r.source, r.width, r.condition, r.dimensions, r.searched_by,
    r.searched_by IS NOT DISTINCT FROM 'model',
    ARRAY[
        'requests', 'errors', 'unpriced_requests', 'input_tokens', 'output_tokens',
        'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'cost_usd', 'duration_us',
        'max_duration_us', 'generation_us', 'first_token_us', 'first_token_count',
        'input_audio_tokens', 'output_audio_tokens', 'input_image_tokens', 'output_image_tokens',
        'web_search_requests'
    ],
    r.comment
FROM (
    VALUES
    ('llm_usage_1m', 10, 'spans', interval '1 minute', 'is_inference',
        ARRAY['provider', 'model', 'service_name', 'environment'], NULL,
        'Calls of models by minute, of the last days. Sums only, so that any roll-up is exact.'),
    ('llm_usage_15m', 11, 'spans', interval '15 minutes', 'is_inference',
        ARRAY['provider', 'model', 'service_name', 'environment'], NULL,
        'Calls of models by quarter-hour (UTC). Sums only, so that any roll-up of them is exact.'),
    ('llm_usage_1h', 12, 'llm_usage_15m', interval '1 hour', 'true',
        ARRAY['provider', 'model', 'service_name', 'environment'], NULL,
        'Calls of models by hour (UTC): llm_usage_15m summed.'),
    ('llm_usage_1d', 13, 'llm_usage_15m', interval '1 day', 'true',
        ARRAY['provider', 'model', 'service_name', 'environment'], NULL,
        'Calls of models by day (UTC): llm_usage_15m summed, and kept longer.'),
    ('llm_model_usage_30m', 14, 'llm_usage_15m', interval '30 minutes', 'true',
        ARRAY['provider', 'model', 'environment'], 'model',
        'Calls of models by half-hour (UTC) and model: llm_usage_15m summed.'),
    ('llm_service_usage_30m', 15, 'llm_usage_15m', interval '30 minutes', 'true',
        ARRAY['service_name', 'environment'], 'service_name',
        'Calls of models by half-hour (UTC) and service: llm_usage_15m summed.')
) AS r (name, refresh_order, source, width, condition, dimensions, searched_by, comment)
ON CONFLICT DO NOTHING;

DO $$
BEGIN
    PERFORM observatory_private.build_rollup('llm_usage_1m');
    PERFORM observatory_private.build_rollup('llm_usage_15m');
    PERFORM observatory_private.build_rollup('llm_usage_1h');
    PERFORM observatory_private.build_rollup('llm_usage_1d');
    PERFORM observatory_private.build_rollup('llm_model_usage_30m');
    PERFORM observatory_private.build_rollup('llm_service_usage_30m');
END
$$;
