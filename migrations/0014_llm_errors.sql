-- What: failed calls by hour and kind of error.
-- Why: which errors are many, since when, and what they say, without reading spans.
-- Locks: none that another session could hold.
-- Reversible: yes; errors older than the retention of spans are lost.
-- depends: 0013_latency

-- Words with a digit are numbers, ids and addresses; but a status of HTTP tells errors apart.
CREATE OR REPLACE FUNCTION observatory.error_fingerprint(
    message text, error_type text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(md5(concat(error_type, E'\n', regexp_replace(
        left(message, 1000), '\m(?![45][0-9][0-9]\M)[A-Za-z_]*[0-9][0-9A-Za-z_-]*', '#', 'g'))), 16)
$$;

COMMENT ON FUNCTION observatory.error_fingerprint(text, text) IS
    '16 hex digits that are the same for errors of one type whose messages (the first 1000 '
    'characters) differ only in numbers and ids.';

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES
    ('llm_errors_1h', '400 days', '30 days', '30 days'),
    ('llm_errors_1d', '1095 days', '60 days', '30 days')
ON CONFLICT DO NOTHING;

INSERT INTO observatory_private.rollups (
    name, refresh_order, source, width, condition, shown, dimensions, measures, comment
)
SELECT
    r.name, r.refresh_order, r.source, r.width, r.condition, 'errors > 0',
    ARRAY['provider', 'model', 'service_name', 'environment', 'error_type', 'fingerprint'],
    ARRAY['errors', 'first_start', 'last_start', 'sample_message'],
    r.comment
FROM (
    VALUES
    ('llm_errors_1h', 35, 'spans', interval '1 hour', 'is_inference',
        'Failed calls of models by hour (UTC) and kind of error.'),
    ('llm_errors_1d', 36, 'llm_errors_1h', interval '1 day', 'true',
        'Failed calls of models by day (UTC) and kind of error: llm_errors_1h summed.')
) AS r (name, refresh_order, source, width, condition, comment)
ON CONFLICT DO NOTHING;

DO $$
BEGIN
    PERFORM observatory_private.build_rollup('llm_errors_1h');
    PERFORM observatory_private.build_rollup('llm_errors_1d');
END
$$;
