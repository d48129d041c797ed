-- What: metrics, their series, and the points of the series.
-- Why: the second signal; a point's identity is stored once a series and not once a point.
-- Locks: none that another session could hold.
-- Reversible: yes; all metrics are lost.
-- depends: 0005_trace_days

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES ('metric_points', '90 days', '3 days', '1 day')
ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS observatory.metrics (
    project_id integer NOT NULL,
    metric_id bigint NOT NULL,
    name text NOT NULL,
    unit text NOT NULL,
    type text NOT NULL,
    temporality text,
    is_monotonic boolean,
    description text NOT NULL,
    metadata jsonb NOT NULL,
    PRIMARY KEY (project_id, metric_id)
);

-- Serves: GET /api/v1/metrics/{name}/points. A hash, because a name may be longer than a btree takes.
CREATE INDEX IF NOT EXISTS metrics_by_name ON observatory.metrics USING hash (name);

COMMENT ON TABLE observatory.metrics IS
    'One row a metric. Name, unit, type, temporality and monotonicity are its identity.';
COMMENT ON COLUMN observatory.metrics.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.metrics.metric_id IS 'Hash of the identity.';
COMMENT ON COLUMN observatory.metrics.name IS 'The metric''s name.';
COMMENT ON COLUMN observatory.metrics.unit IS 'UCUM unit; empty if not sent.';
COMMENT ON COLUMN observatory.metrics.type IS
    'gauge, sum, histogram, exponential_histogram or summary.';
COMMENT ON COLUMN observatory.metrics.temporality IS
    'delta, cumulative or unspecified; NULL for a gauge and a summary.';
COMMENT ON COLUMN observatory.metrics.is_monotonic IS 'Whether a sum only grows; NULL for the others.';
COMMENT ON COLUMN observatory.metrics.description IS 'As first sent.';
COMMENT ON COLUMN observatory.metrics.metadata IS 'As first sent.';

CREATE TABLE IF NOT EXISTS observatory.metric_series (
    project_id integer NOT NULL,
    series_id bigint NOT NULL,
    metric_id bigint NOT NULL,
    resource_id bigint NOT NULL,
    service_name text NOT NULL,
    attributes jsonb NOT NULL,
    PRIMARY KEY (project_id, series_id)
);

-- Serves: the series of a metric.
CREATE INDEX IF NOT EXISTS metric_series_by_metric
    ON observatory.metric_series (project_id, metric_id);

COMMENT ON TABLE observatory.metric_series IS 'A metric of one resource with one set of attributes.';
COMMENT ON COLUMN observatory.metric_series.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.metric_series.series_id IS 'Hash of metric, resource and attributes.';
COMMENT ON COLUMN observatory.metric_series.metric_id IS 'The metric.';
COMMENT ON COLUMN observatory.metric_series.resource_id IS 'Who produced it: a row of resources.';
COMMENT ON COLUMN observatory.metric_series.service_name IS 'service.name of the resource.';
COMMENT ON COLUMN observatory.metric_series.attributes IS 'What tells the series of a metric apart.';

CREATE TABLE IF NOT EXISTS observatory.metric_points (
    project_id integer NOT NULL,
    time_nanos smallint NOT NULL,
    start_nanos smallint NOT NULL,
    time timestamptz NOT NULL,
    series_id bigint NOT NULL,
    start_time timestamptz,
    ingested_at timestamptz NOT NULL,
    flags bigint,
    value_int bigint,
    value_double double precision,
    count bigint,
    sum double precision,
    min double precision,
    max double precision,
    zero_count bigint,
    zero_threshold double precision,
    scale integer,
    positive_offset integer,
    negative_offset integer,
    bucket_counts bigint[],
    explicit_bounds double precision[],
    positive_counts bigint[],
    negative_counts bigint[],
    quantiles double precision[],
    quantile_values double precision[],
    exemplars jsonb,
    -- Serves: the points of a series over a range; and makes a replay harmless.
    PRIMARY KEY (project_id, series_id, time, time_nanos)
);

COMMENT ON TABLE observatory.metric_points IS
    'One row a point. Of two different points of a series at one time the first stays.';
COMMENT ON COLUMN observatory.metric_points.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.metric_points.time_nanos IS
    'Nanoseconds (0 to 999) of the time beyond its microseconds.';
COMMENT ON COLUMN observatory.metric_points.start_nanos IS
    'Nanoseconds (0 to 999) of start_time beyond its microseconds.';
COMMENT ON COLUMN observatory.metric_points.time IS 'When the point was taken.';
COMMENT ON COLUMN observatory.metric_points.series_id IS 'The series.';
COMMENT ON COLUMN observatory.metric_points.start_time IS
    'Since when a sum or histogram counts. NULL if not sent.';
COMMENT ON COLUMN observatory.metric_points.ingested_at IS 'When it was stored.';
COMMENT ON COLUMN observatory.metric_points.flags IS 'Bit 0: no value was recorded. NULL for 0.';
COMMENT ON COLUMN observatory.metric_points.value_int IS 'Value of a gauge or sum, if an integer.';
COMMENT ON COLUMN observatory.metric_points.value_double IS 'Value of a gauge or sum, if a double.';
COMMENT ON COLUMN observatory.metric_points.count IS 'How many measurements the point aggregates.';
COMMENT ON COLUMN observatory.metric_points.sum IS 'Sum of the measurements.';
COMMENT ON COLUMN observatory.metric_points.min IS 'Least measurement.';
COMMENT ON COLUMN observatory.metric_points.max IS 'Greatest measurement.';
COMMENT ON COLUMN observatory.metric_points.zero_count IS
    'Exponential histogram: measurements within zero_threshold of 0.';
COMMENT ON COLUMN observatory.metric_points.zero_threshold IS 'Exponential histogram: width of zero.';
COMMENT ON COLUMN observatory.metric_points.scale IS
    'Exponential histogram: the bucket bounds are powers of 2 ^ (2 ^ -scale).';
COMMENT ON COLUMN observatory.metric_points.positive_offset IS
    'Exponential histogram: index of the first of positive_counts.';
COMMENT ON COLUMN observatory.metric_points.negative_offset IS
    'Exponential histogram: index of the first of negative_counts.';
COMMENT ON COLUMN observatory.metric_points.bucket_counts IS
    'Histogram: one more than explicit_bounds.';
COMMENT ON COLUMN observatory.metric_points.explicit_bounds IS
    'Histogram: inclusive upper bounds of all buckets but the last.';
COMMENT ON COLUMN observatory.metric_points.positive_counts IS
    'Exponential histogram: buckets above zero.';
COMMENT ON COLUMN observatory.metric_points.negative_counts IS
    'Exponential histogram: buckets below zero.';
COMMENT ON COLUMN observatory.metric_points.quantiles IS 'Summary: the quantiles, 0 to 1.';
COMMENT ON COLUMN observatory.metric_points.quantile_values IS 'Summary: the value at each quantile.';
COMMENT ON COLUMN observatory.metric_points.exemplars IS 'Example measurements, as a list.';

DO $$
BEGIN
    PERFORM observatory_private.compress_with_lz4('observatory.metric_points', 'exemplars');
    PERFORM observatory_private.partition_by_time('metric_points', 'time');
    PERFORM observatory_private.apply_policies(
        'metric_points', 'project_id, series_id', 'time DESC');
END
$$;
