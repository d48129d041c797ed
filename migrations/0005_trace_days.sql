-- What: one row for each trace and UTC day, and the view that merges a trace's days.
-- Why: lists of traces without reading spans, and the time range of a trace from its id alone.
-- Locks: none that another session could hold.
-- Reversible: yes; rebuilt by nothing yet, so the lists of traces are lost.
-- depends: 0004_spans

-- Never columnar: a late span updates its row, and updates of columnar rows are limited. A week a
-- chunk, because a lookup by trace id has to probe each of them.
INSERT INTO observatory.policies (relation, retention, chunk_interval)
VALUES ('trace_days', '90 days', '7 days')
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS observatory.trace_days (
    project_id integer NOT NULL,
    day date NOT NULL,
    trace_id uuid NOT NULL,
    first_start timestamptz NOT NULL,
    last_end timestamptz NOT NULL,
    root_start timestamptz NOT NULL,
    root_rank smallint NOT NULL,
    root_span_id bytea NOT NULL,
    root_name text NOT NULL,
    service_name text NOT NULL,
    environment text,
    user_id text,
    session_id text,
    other_users text[],
    other_sessions text[],
    span_count bigint NOT NULL,
    error_count bigint NOT NULL,
    inference_count bigint NOT NULL,
    unpriced_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_usd numeric NOT NULL,
    providers text[] NOT NULL,
    models text[] NOT NULL,
    -- Serves: the time range of a trace from its id.
    PRIMARY KEY (project_id, trace_id, day)
) WITH (fillfactor = 85);

-- Serves: GET /api/v1/traces (newest first).
CREATE INDEX IF NOT EXISTS trace_days_by_time
    ON observatory.trace_days (project_id, first_start DESC);

-- Serves: the traces of a session, and GET /api/v1/sessions. By hash, because an id may be longer than
-- a btree takes.
CREATE INDEX IF NOT EXISTS trace_days_by_session
    ON observatory.trace_days (project_id, hashtextextended(session_id, 0), first_start DESC)
    WHERE session_id IS NOT NULL;

-- Serves: the traces of a user.
CREATE INDEX IF NOT EXISTS trace_days_by_user
    ON observatory.trace_days (project_id, hashtextextended(user_id, 0), first_start DESC)
    WHERE user_id IS NOT NULL;

-- Serves: the traces of a session or a user that is not the least of the trace.
CREATE INDEX IF NOT EXISTS trace_days_of_several
    ON observatory.trace_days (project_id, first_start DESC)
    WHERE other_users IS NOT NULL OR other_sessions IS NOT NULL;

COMMENT ON TABLE observatory.trace_days IS
    'What one trace did on one UTC day, kept by the same transactions that store its spans.';
COMMENT ON COLUMN observatory.trace_days.project_id IS 'As in spans.';
COMMENT ON COLUMN observatory.trace_days.day IS 'The UTC day on which these spans began.';
COMMENT ON COLUMN observatory.trace_days.trace_id IS 'As in spans.';
COMMENT ON COLUMN observatory.trace_days.first_start IS 'When the first of the day''s spans began.';
COMMENT ON COLUMN observatory.trace_days.last_end IS 'When the last of the day''s spans ended.';
COMMENT ON COLUMN observatory.trace_days.root_start IS 'When the root began.';
COMMENT ON COLUMN observatory.trace_days.root_rank IS
    'How the root was found: 0 it has no parent, 1 its parent is in another process, 2 it is merely '
    'the first. The lowest (rank, start, span id) wins, so the order of arrival does not matter.';
COMMENT ON COLUMN observatory.trace_days.root_span_id IS 'The root''s span id.';
COMMENT ON COLUMN observatory.trace_days.root_name IS 'The root''s name.';
COMMENT ON COLUMN observatory.trace_days.service_name IS 'The root''s service.';
COMMENT ON COLUMN observatory.trace_days.environment IS 'The least environment of the spans.';
COMMENT ON COLUMN observatory.trace_days.user_id IS 'The least user id of the spans.';
COMMENT ON COLUMN observatory.trace_days.session_id IS 'The least session id of the spans.';
COMMENT ON COLUMN observatory.trace_days.other_users IS
    'The next hundred distinct user ids of the spans, sorted; NULL if there are none.';
COMMENT ON COLUMN observatory.trace_days.other_sessions IS
    'The next hundred distinct session ids of the spans, sorted; NULL if there are none.';
COMMENT ON COLUMN observatory.trace_days.span_count IS 'How many spans.';
COMMENT ON COLUMN observatory.trace_days.error_count IS 'How many of them with status error.';
COMMENT ON COLUMN observatory.trace_days.inference_count IS 'How many of them are calls of a model.';
COMMENT ON COLUMN observatory.trace_days.unpriced_count IS
    'How many of those calls are missing in cost_usd, for want of a price or of token counts. A '
    'failed call that used no tokens costs nothing and is none of them.';
COMMENT ON COLUMN observatory.trace_days.input_tokens IS 'Sum over the calls, cached included.';
COMMENT ON COLUMN observatory.trace_days.output_tokens IS 'Sum over the calls, reasoning included.';
COMMENT ON COLUMN observatory.trace_days.cache_read_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.trace_days.cache_write_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.trace_days.reasoning_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.trace_days.cost_usd IS 'Sum over the calls whose price is known.';
COMMENT ON COLUMN observatory.trace_days.providers IS 'The distinct providers of the calls, sorted.';
COMMENT ON COLUMN observatory.trace_days.models IS 'The distinct models of the calls, sorted.';

-- In PL/pgSQL, because an aggregate calls it for each row, where SQL takes three times as long.
CREATE OR REPLACE FUNCTION observatory_private.union_sorted(one text[], other text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF one @> other THEN
        RETURN one;
    ELSIF other @> one THEN
        RETURN other;
    END IF;
    RETURN ARRAY(SELECT DISTINCT item FROM unnest(one || other) AS item ORDER BY item);
END
$$;

COMMENT ON FUNCTION observatory_private.union_sorted(text[], text[]) IS
    'The union of two sorted sets.';

CREATE OR REPLACE FUNCTION observatory_private.others_of(names text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT nullif(
        (array_agg(DISTINCT name COLLATE "C" ORDER BY name COLLATE "C"))[2:101], '{}'
    )
    FROM unnest(names) AS name
    WHERE name IS NOT NULL
$$;

COMMENT ON FUNCTION observatory_private.others_of(text[]) IS
    'The second to the 101st of the distinct names, sorted by their bytes; NULL if there are none.';

CREATE OR REPLACE AGGREGATE observatory_private.union_sorted_agg(text[]) (
    SFUNC = observatory_private.union_sorted, STYPE = text[], INITCOND = '{}', PARALLEL = SAFE
);

COMMENT ON AGGREGATE observatory_private.union_sorted_agg(text[]) IS 'The union of sorted sets.';

CREATE OR REPLACE VIEW observatory.traces AS
SELECT
    project_id,
    trace_id,
    min(first_start) AS start_time,
    max(last_end) AS end_time,
    (extract(epoch FROM max(last_end) - min(first_start)) * 1000000)::bigint AS duration_us,
    (array_agg(root_span_id ORDER BY root_rank, root_start, root_span_id))[1] AS root_span_id,
    (array_agg(root_name ORDER BY root_rank, root_start, root_span_id))[1] AS root_name,
    (array_agg(service_name ORDER BY root_rank, root_start, root_span_id))[1] AS service_name,
    min(environment) AS environment,
    min(user_id) AS user_id,
    min(session_id) AS session_id,
    sum(span_count)::bigint AS span_count,
    sum(error_count)::bigint AS error_count,
    sum(inference_count)::bigint AS inference_count,
    sum(unpriced_count)::bigint AS unpriced_count,
    sum(input_tokens)::bigint AS input_tokens,
    sum(output_tokens)::bigint AS output_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens,
    sum(cache_write_tokens)::bigint AS cache_write_tokens,
    sum(reasoning_tokens)::bigint AS reasoning_tokens,
    sum(cost_usd) AS cost_usd,
    observatory_private.union_sorted_agg(providers) AS providers,
    observatory_private.union_sorted_agg(models) AS models
FROM observatory.trace_days
GROUP BY project_id, trace_id;

COMMENT ON VIEW observatory.traces IS
    'One row a trace. Restrict project_id and trace_id, or read trace_days for a range of time.';
COMMENT ON COLUMN observatory.traces.start_time IS 'When its first span began.';
COMMENT ON COLUMN observatory.traces.end_time IS 'When its last span ended.';
COMMENT ON COLUMN observatory.traces.duration_us IS 'From start_time to end_time, in microseconds.';
COMMENT ON COLUMN observatory.traces.cost_usd IS
    'Sum over the calls whose price is known; unpriced_count says how many are missing.';
COMMENT ON COLUMN observatory.traces.project_id IS 'As in spans.';
COMMENT ON COLUMN observatory.traces.trace_id IS 'As in spans.';
COMMENT ON COLUMN observatory.traces.root_span_id IS 'The root''s span id.';
COMMENT ON COLUMN observatory.traces.root_name IS 'The root''s name.';
COMMENT ON COLUMN observatory.traces.service_name IS 'The root''s service.';
COMMENT ON COLUMN observatory.traces.environment IS 'The least environment of the spans.';
COMMENT ON COLUMN observatory.traces.user_id IS 'The least user id of the spans.';
COMMENT ON COLUMN observatory.traces.session_id IS 'The least session id of the spans.';
COMMENT ON COLUMN observatory.traces.span_count IS 'How many spans.';
COMMENT ON COLUMN observatory.traces.error_count IS 'How many of them with status error.';
COMMENT ON COLUMN observatory.traces.inference_count IS 'How many of them are calls of a model.';
COMMENT ON COLUMN observatory.traces.unpriced_count IS
    'How many of those calls are missing in cost_usd, for want of a price or of token counts. A '
    'failed call that used no tokens costs nothing and is none of them.';
COMMENT ON COLUMN observatory.traces.input_tokens IS 'Sum over the calls, cached included.';
COMMENT ON COLUMN observatory.traces.output_tokens IS 'Sum over the calls, reasoning included.';
COMMENT ON COLUMN observatory.traces.cache_read_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.traces.cache_write_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.traces.reasoning_tokens IS 'Sum over the calls.';
COMMENT ON COLUMN observatory.traces.providers IS 'The distinct providers of the calls, sorted.';
COMMENT ON COLUMN observatory.traces.models IS 'The distinct models of the calls, sorted.';

DO $$
BEGIN
    PERFORM observatory_private.partition_by_time('trace_days', 'day');
    PERFORM observatory_private.apply_policies('trace_days', '', '');
END
$$;
