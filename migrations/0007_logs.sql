-- What: log records.
-- Why: the third signal, correlated with the first by trace and span id.
-- Locks: none that another session could hold.
-- Reversible: yes; all logs are lost.
-- depends: 0006_metrics

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES ('logs', '30 days', '3 days', '1 day')
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS observatory.logs (
    project_id integer NOT NULL,
    ordinal integer NOT NULL,
    time timestamptz NOT NULL,
    content_hash bigint NOT NULL,
    resource_id bigint NOT NULL,
    ingested_at timestamptz NOT NULL,
    observed_time timestamptz,
    time_nanos smallint NOT NULL,
    observed_nanos smallint NOT NULL,
    severity_number smallint NOT NULL,
    time_is_observed boolean NOT NULL,
    severity_text text,
    body jsonb,
    event_name text,
    trace_id uuid,
    span_id bytea,
    flags bigint,
    service_name text NOT NULL,
    attributes jsonb,
    dropped_attributes_count bigint,
    -- Serves: GET /api/v1/logs (newest first); and makes a replay harmless.
    PRIMARY KEY (project_id, time, content_hash, ordinal)
);

-- Serves: the logs of a trace.
CREATE INDEX IF NOT EXISTS logs_by_trace
    ON observatory.logs (project_id, trace_id, time) WHERE trace_id IS NOT NULL;

COMMENT ON TABLE observatory.logs IS 'One row a log record. Immutable.';
COMMENT ON COLUMN observatory.logs.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.logs.ordinal IS
    'Counts the records of one request that are alike in everything.';
COMMENT ON COLUMN observatory.logs.time IS
    'When it happened, or, where time_is_observed, when it was observed.';
COMMENT ON COLUMN observatory.logs.content_hash IS 'Hash of the record and its resource.';
COMMENT ON COLUMN observatory.logs.resource_id IS 'Who produced it: a row of resources.';
COMMENT ON COLUMN observatory.logs.ingested_at IS 'When it was stored.';
COMMENT ON COLUMN observatory.logs.observed_time IS 'When it was observed. NULL if not sent.';
COMMENT ON COLUMN observatory.logs.time_nanos IS
    'Nanoseconds (0 to 999) of the time beyond its microseconds.';
COMMENT ON COLUMN observatory.logs.observed_nanos IS
    'Nanoseconds (0 to 999) of observed_time beyond its microseconds.';
COMMENT ON COLUMN observatory.logs.severity_number IS
    '1 to 4 trace, 5 debug, 9 info, 13 warn, 17 error, 21 to 24 fatal; 0 not sent.';
COMMENT ON COLUMN observatory.logs.time_is_observed IS 'The sender did not know when it happened.';
COMMENT ON COLUMN observatory.logs.severity_text IS 'The sender''s name of the severity. NULL if empty.';
COMMENT ON COLUMN observatory.logs.body IS 'The message: any value, mostly a JSON string.';
COMMENT ON COLUMN observatory.logs.event_name IS 'Names the kind of event. NULL for a plain log.';
COMMENT ON COLUMN observatory.logs.trace_id IS 'The trace that it belongs to.';
COMMENT ON COLUMN observatory.logs.span_id IS 'The span that it belongs to.';
COMMENT ON COLUMN observatory.logs.flags IS 'W3C trace flags. NULL for 0.';
COMMENT ON COLUMN observatory.logs.service_name IS 'service.name of the resource; empty if not sent.';
COMMENT ON COLUMN observatory.logs.attributes IS 'All attributes of the record.';
COMMENT ON COLUMN observatory.logs.dropped_attributes_count IS
    'Attributes that the sender left out. NULL for 0.';

DO $$
BEGIN
    PERFORM observatory_private.compress_with_lz4('observatory.logs', 'body', 'attributes');
    PERFORM observatory_private.partition_by_time('logs', 'time');
    PERFORM observatory_private.apply_policies('logs', 'project_id', 'time DESC');
END
$$;
