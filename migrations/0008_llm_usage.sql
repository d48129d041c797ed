-- What: usage of models by quarter-hour and by hour.
-- Why: sums over any range without reading spans, and kept longer than they are.
-- Locks: none that another session could hold.
-- Reversible: yes; usage older than the retention of spans is lost.
-- depends: 0004_spans

INSERT INTO observatory.policies (relation, retention)
VALUES ('llm_usage_15m', '1095 days')
ON CONFLICT DO NOTHING;

-- Appended to by whoever stores spans: no key and no index, so that writers never wait here.
CREATE TABLE IF NOT EXISTS observatory_private.changed_buckets (
    project_id integer NOT NULL,
    bucket timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE observatory_private.changed_buckets IS
    'Quarter-hours whose rollup is older than their spans, until the next refresh: on apache and '
    'postgres all that were written, on community those older than its refresh policy looks back.';
COMMENT ON COLUMN observatory_private.changed_buckets.project_id IS 'The project.';
COMMENT ON COLUMN observatory_private.changed_buckets.bucket IS 'Start of the quarter-hour.';
COMMENT ON COLUMN observatory_private.changed_buckets.noted_at IS 'When spans were stored in it.';

CREATE TABLE IF NOT EXISTS observatory_private.llm_usage_15m_history (
    bucket timestamptz NOT NULL,
    project_id integer NOT NULL,
    provider text,
    model text,
    service_name text NOT NULL,
    environment text,
    requests bigint NOT NULL,
    errors bigint NOT NULL,
    unpriced_requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,
    duration_us numeric NOT NULL
);

CREATE INDEX IF NOT EXISTS llm_usage_15m_history_by_time
    ON observatory_private.llm_usage_15m_history (project_id, bucket DESC);

COMMENT ON TABLE observatory_private.llm_usage_15m_history IS
    'Rows of llm_usage_15m that are final: on community only what another edition left behind, on '
    'the others every quarter-hour that is not in changed_buckets.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.bucket IS 'Start of the quarter-hour.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.project_id IS 'The project.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.provider IS
    'The provider; NULL if not sent.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.model IS
    'The model that answered, or else the one that was asked for.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.service_name IS
    'The service that made the calls.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.environment IS
    'Its deployment environment.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.requests IS 'Calls.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.errors IS 'Calls with status error.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.unpriced_requests IS
    'Calls whose cost is missing in cost_usd, for want of a price or of token counts. A failed call '
    'that used no tokens costs nothing and is none of them.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.input_tokens IS
    'Tokens of prompts, cached included.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.output_tokens IS
    'Tokens of answers, reasoning included.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.cache_read_tokens IS
    'Tokens served by providers'' caches.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.cache_write_tokens IS
    'Tokens written to providers'' caches.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.reasoning_tokens IS
    'Tokens of answers spent on reasoning.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.cost_usd IS 'Cost in US dollars.';
COMMENT ON COLUMN observatory_private.llm_usage_15m_history.duration_us IS
    'Sum of the calls'' durations, microseconds.';

-- What one quarter-hour of one project comes to, from its spans. The continuous aggregate below says
-- the same; a test holds the two together.
CREATE OR REPLACE FUNCTION observatory_private.count_llm_usage(
    of_project integer, of_bucket timestamptz
) RETURNS TABLE (
    provider text,
    model text,
    service_name text,
    environment text,
    requests bigint,
    errors bigint,
    unpriced_requests bigint,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_tokens bigint,
    cache_write_tokens bigint,
    reasoning_tokens bigint,
    cost_usd numeric,
    duration_us numeric
)
LANGUAGE sql STABLE AS $$
    SELECT
        s.provider,
        coalesce(s.response_model, s.request_model),
        s.service_name,
        s.environment,
        count(*),
        count(*) FILTER (WHERE s.status = 'error'),
        count(*) FILTER (WHERE s.cost_usd IS NULL AND (s.status <> 'error' OR s.input_tokens > 0)),
        coalesce(sum(s.input_tokens), 0),
        coalesce(sum(s.output_tokens), 0),
        coalesce(sum(s.cache_read_tokens), 0),
        coalesce(sum(s.cache_write_tokens), 0),
        coalesce(sum(s.reasoning_tokens), 0),
        coalesce(sum(s.cost_usd), 0),
        sum(s.duration_us)
    FROM observatory.spans AS s
    WHERE s.project_id = of_project
        AND s.start_time >= of_bucket
        AND s.start_time < of_bucket + interval '15 minutes'
        AND s.is_inference
    GROUP BY 1, 2, 3, 4
$$;

COMMENT ON FUNCTION observatory_private.count_llm_usage(integer, timestamptz) IS
    'Rows of llm_usage_15m for one quarter-hour of one project, counted from spans.';

DO $body$
BEGIN
    IF observatory.edition() = 'community' THEN
        CREATE MATERIALIZED VIEW IF NOT EXISTS observatory_private.llm_usage_15m
        WITH (
            timescaledb.continuous,
            timescaledb.materialized_only = false,
            -- One for each text column would fail on a long text, and with it all refreshes.
            timescaledb.create_group_indexes = false
        ) AS
        SELECT
            time_bucket('15 minutes', start_time) AS bucket,
            project_id,
            provider,
            coalesce(response_model, request_model) AS model,
            service_name,
            environment,
            count(*) AS requests,
            count(*) FILTER (WHERE status = 'error') AS errors,
            count(*) FILTER (WHERE cost_usd IS NULL AND (status <> 'error' OR input_tokens > 0))
                AS unpriced_requests,
            coalesce(sum(input_tokens), 0) AS input_tokens,
            coalesce(sum(output_tokens), 0) AS output_tokens,
            coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,
            coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
            coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens,
            coalesce(sum(cost_usd), 0) AS cost_usd,
            sum(duration_us) AS duration_us
        FROM observatory.spans
        WHERE is_inference
        GROUP BY 1, 2, 3, 4, 5, 6
        WITH NO DATA;
        -- Serves: GET /api/v1/usage.
        CREATE INDEX IF NOT EXISTS llm_usage_15m_by_time
            ON observatory_private.llm_usage_15m (project_id, bucket DESC);
        -- Looks back nearly as far as spans are kept, so that it finds whatever came late and
        -- whatever it missed while it could not run. What has not changed costs it nothing.
        PERFORM add_continuous_aggregate_policy(
            'observatory_private.llm_usage_15m',
            start_offset => (
                SELECT retention - interval '2 days' FROM observatory.policies
                WHERE relation = 'spans'),
            end_offset => interval '15 minutes',
            schedule_interval => interval '5 minutes',
            if_not_exists => true);
        PERFORM add_retention_policy(
            'observatory_private.llm_usage_15m',
            (SELECT retention FROM observatory.policies WHERE relation = 'llm_usage_15m'),
            if_not_exists => true);
        CREATE OR REPLACE VIEW observatory.llm_usage_15m AS
        SELECT * FROM observatory_private.llm_usage_15m_history
        UNION ALL
        SELECT * FROM observatory_private.llm_usage_15m;
    ELSE
        -- Raw spans are read only where they are complete: see policies.complete_from.
        CREATE OR REPLACE VIEW observatory_private.changed_whole_buckets AS
        SELECT DISTINCT project_id, bucket
        FROM observatory_private.changed_buckets
        WHERE bucket >= coalesce(
            (SELECT complete_from FROM observatory.policies WHERE relation = 'spans'), '-infinity');
        COMMENT ON VIEW observatory_private.changed_whole_buckets IS
            'The changed quarter-hours whose spans are all still there.';
        CREATE OR REPLACE VIEW observatory.llm_usage_15m AS
        SELECT h.*
        FROM observatory_private.llm_usage_15m_history AS h
        WHERE NOT EXISTS (
            SELECT FROM observatory_private.changed_whole_buckets AS c
            WHERE c.project_id = h.project_id AND c.bucket = h.bucket
        )
        UNION ALL
        SELECT c.bucket, c.project_id, u.*
        FROM observatory_private.changed_whole_buckets AS c
        CROSS JOIN LATERAL observatory_private.count_llm_usage(c.project_id, c.bucket) AS u;
    END IF;
END
$body$;

COMMENT ON VIEW observatory.llm_usage_15m IS
    'Calls of models by quarter-hour (UTC). Sums only, so that any roll-up of them is exact.';
COMMENT ON COLUMN observatory.llm_usage_15m.bucket IS 'Start of the quarter-hour.';
COMMENT ON COLUMN observatory.llm_usage_15m.project_id IS 'The project.';
COMMENT ON COLUMN observatory.llm_usage_15m.provider IS 'The provider; NULL if not sent.';
COMMENT ON COLUMN observatory.llm_usage_15m.model IS
    'The model that answered, or else the one that was asked for.';
COMMENT ON COLUMN observatory.llm_usage_15m.service_name IS 'The service that made the calls.';
COMMENT ON COLUMN observatory.llm_usage_15m.environment IS 'Its deployment environment.';
COMMENT ON COLUMN observatory.llm_usage_15m.requests IS 'Calls.';
COMMENT ON COLUMN observatory.llm_usage_15m.errors IS 'Calls with status error.';
COMMENT ON COLUMN observatory.llm_usage_15m.unpriced_requests IS
    'Calls whose cost is missing in cost_usd, for want of a price or of token counts. A failed call '
    'that used no tokens costs nothing and is none of them.';
COMMENT ON COLUMN observatory.llm_usage_15m.input_tokens IS 'Tokens of prompts, cached included.';
COMMENT ON COLUMN observatory.llm_usage_15m.output_tokens IS 'Tokens of answers, reasoning included.';
COMMENT ON COLUMN observatory.llm_usage_15m.cache_read_tokens IS 'Tokens served by providers'' caches.';
COMMENT ON COLUMN observatory.llm_usage_15m.cache_write_tokens IS
    'Tokens written to providers'' caches.';
COMMENT ON COLUMN observatory.llm_usage_15m.reasoning_tokens IS 'Tokens of answers spent on reasoning.';
COMMENT ON COLUMN observatory.llm_usage_15m.cost_usd IS 'Cost in US dollars.';
COMMENT ON COLUMN observatory.llm_usage_15m.duration_us IS 'Sum of the calls'' durations, microseconds.';

CREATE OR REPLACE VIEW observatory.llm_usage_1h AS
SELECT
    date_bin('1 hour', bucket, '2000-01-01T00:00:00Z') AS bucket,
    project_id,
    provider,
    model,
    service_name,
    environment,
    sum(requests)::bigint AS requests,
    sum(errors)::bigint AS errors,
    sum(unpriced_requests)::bigint AS unpriced_requests,
    sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens,
    sum(cache_write_tokens)::bigint AS cache_write_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    sum(duration_us) AS duration_us
FROM observatory.llm_usage_15m
GROUP BY 1, project_id, provider, model, service_name, environment;

COMMENT ON VIEW observatory.llm_usage_1h IS
    'Calls of models by hour (UTC): llm_usage_15m summed. For a short range of a long history, '
    'restrict llm_usage_15m.bucket and sum yourself, which uses its index.';

COMMENT ON COLUMN observatory.llm_usage_1h.bucket IS 'Start of the hour.';
COMMENT ON COLUMN observatory.llm_usage_1h.project_id IS 'The project.';
COMMENT ON COLUMN observatory.llm_usage_1h.provider IS 'The provider; NULL if not sent.';
COMMENT ON COLUMN observatory.llm_usage_1h.model IS
    'The model that answered, or else the one that was asked for.';
COMMENT ON COLUMN observatory.llm_usage_1h.service_name IS 'The service that made the calls.';
COMMENT ON COLUMN observatory.llm_usage_1h.environment IS 'Its deployment environment.';
COMMENT ON COLUMN observatory.llm_usage_1h.requests IS 'Calls.';
COMMENT ON COLUMN observatory.llm_usage_1h.errors IS 'Calls with status error.';
COMMENT ON COLUMN observatory.llm_usage_1h.unpriced_requests IS
    'Calls whose cost is missing in cost_usd, for want of a price or of token counts. A failed call '
    'that used no tokens costs nothing and is none of them.';
COMMENT ON COLUMN observatory.llm_usage_1h.input_tokens IS 'Tokens of prompts, cached included.';
COMMENT ON COLUMN observatory.llm_usage_1h.output_tokens IS
    'Tokens of answers, reasoning included.';
COMMENT ON COLUMN observatory.llm_usage_1h.cache_read_tokens IS
    'Tokens served by providers'' caches.';
COMMENT ON COLUMN observatory.llm_usage_1h.cache_write_tokens IS
    'Tokens written to providers'' caches.';
COMMENT ON COLUMN observatory.llm_usage_1h.reasoning_tokens IS
    'Tokens of answers spent on reasoning.';
COMMENT ON COLUMN observatory.llm_usage_1h.cost_usd IS 'Cost in US dollars.';
COMMENT ON COLUMN observatory.llm_usage_1h.duration_us IS
    'Sum of the calls'' durations, microseconds.';
