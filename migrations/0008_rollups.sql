-- What: what a rollup is, as data, and the functions that build, refresh and expire one.
-- Why: a rollup is then a name, a source, a width and its columns; how each edition keeps it is here.
-- Locks: none that another session could hold.
-- Reversible: yes.
-- depends: 0007_logs

CREATE TABLE IF NOT EXISTS observatory_private.columns_of_rollups (
    name text PRIMARY KEY,
    type text NOT NULL,
    expression text NOT NULL,
    merge text CHECK (merge IN ('sum', 'min', 'max')),
    comment text NOT NULL
);

COMMENT ON TABLE observatory_private.columns_of_rollups IS
    'The columns that rollups are made of: a name means the same in each of them.';
COMMENT ON COLUMN observatory_private.columns_of_rollups.name IS 'The column''s name.';
COMMENT ON COLUMN observatory_private.columns_of_rollups.type IS 'Its type.';
COMMENT ON COLUMN observatory_private.columns_of_rollups.expression IS
    'How it comes from spans: of one row for a dimension, of many for a measure.';
COMMENT ON COLUMN observatory_private.columns_of_rollups.merge IS
    'The aggregate by which a measure is rolled up further. NULL for a dimension.';
COMMENT ON COLUMN observatory_private.columns_of_rollups.comment IS 'What it says.';

INSERT INTO observatory_private.columns_of_rollups (name, type, expression, merge, comment)
VALUES
    ('provider', 'text', 'provider', NULL, 'The provider; NULL if not sent.'),
    ('model', 'text', 'coalesce(response_model, request_model)', NULL,
        'The model that answered, or else the one that was asked for.'),
    ('service_name', 'text', 'service_name', NULL, 'The service that made the calls.'),
    ('environment', 'text', 'environment', NULL, 'Its deployment environment.'),
    ('kind', 'text', 'kind', NULL, 'unspecified, internal, server, client, producer or consumer.'),
    ('user_id', 'text', 'user_id', NULL, 'On whose behalf; NULL if not sent.'),
    ('session_id', 'text', 'session_id', NULL, 'The conversation or session; NULL if not sent.'),
    ('agent_name', 'text', 'agent_name', NULL, 'The agent; NULL if not sent.'),
    ('tool_name', 'text', 'tool_name', NULL, 'The tool.'),
    ('tags', 'text[]', 'observatory_private.sorted_set(tags)', NULL,
        'The sender''s own labels, each key=value, sorted.'),
    ('tag', 'text', 'unnest(tags)', NULL, 'One of the sender''s own labels, key=value.'),
    ('error_type', 'text', 'CASE WHEN status = ''error'' THEN attributes ->> ''error.type'' END',
        NULL, 'error.type; NULL if not sent.'),
    ('fingerprint', 'text',
        'CASE WHEN status = ''error'' THEN observatory.error_fingerprint('
        'status_message, attributes ->> ''error.type'') END',
        NULL, 'The same for errors whose type and message differ only in numbers and ids.'),
    ('duration_bucket', 'integer', 'observatory.latency_bucket(duration_us)', NULL,
        'Which durations these calls had: latency_us(duration_bucket), within 1 %.'),
    ('first_token_bucket', 'integer',
        'observatory.latency_bucket(observatory_private.microseconds(time_to_first_token_ms))',
        NULL, 'Which times to the first token these calls had: latency_us(first_token_bucket), '
        'within 1 %.'),
    ('requests', 'bigint', 'count(*)', 'sum', 'Calls.'),
    ('spans', 'bigint', 'count(*)', 'sum', 'Spans.'),
    ('errors', 'bigint', 'count(*) FILTER (WHERE status = ''error'')', 'sum',
        'Those with status error.'),
    ('unpriced_requests', 'bigint',
        'count(*) FILTER (WHERE cost_usd IS NULL AND (status <> ''error'' OR input_tokens > 0))',
        'sum',
        'Calls whose cost is missing in cost_usd, for want of a price or of token counts. A failed '
        'call that used no tokens costs nothing and is none of them.'),
    ('input_tokens', 'bigint', 'coalesce(sum(input_tokens), 0)', 'sum',
        'Tokens of prompts, cached included.'),
    ('output_tokens', 'bigint', 'coalesce(sum(output_tokens), 0)', 'sum',
        'Tokens of answers, reasoning included.'),
    ('cache_read_tokens', 'bigint', 'coalesce(sum(cache_read_tokens), 0)', 'sum',
        'Tokens served by providers'' caches.'),
    ('cache_write_tokens', 'bigint', 'coalesce(sum(cache_write_tokens), 0)', 'sum',
        'Tokens written to providers'' caches.'),
    ('reasoning_tokens', 'bigint', 'coalesce(sum(reasoning_tokens), 0)', 'sum',
        'Tokens of answers spent on reasoning.'),
    ('input_audio_tokens', 'bigint', 'coalesce(sum(input_audio_tokens), 0)', 'sum',
        'Tokens of prompts that were sound.'),
    ('output_audio_tokens', 'bigint', 'coalesce(sum(output_audio_tokens), 0)', 'sum',
        'Tokens of answers that were sound.'),
    ('input_image_tokens', 'bigint', 'coalesce(sum(input_image_tokens), 0)', 'sum',
        'Tokens of prompts that were images.'),
    ('output_image_tokens', 'bigint', 'coalesce(sum(output_image_tokens), 0)', 'sum',
        'Tokens of answers that were images.'),
    ('web_search_requests', 'bigint', 'coalesce(sum(web_search_requests), 0)', 'sum',
        'Searches of the web that providers made and charge for.'),
    ('cost_usd', 'numeric', 'coalesce(sum(cost_usd), 0)', 'sum', 'Cost in US dollars.'),
    ('duration_us', 'numeric', 'sum(duration_us)', 'sum', 'Sum of the durations, microseconds.'),
    ('max_duration_us', 'bigint', 'max(duration_us)', 'max', 'The longest duration, microseconds.'),
    ('generation_us', 'numeric',
        'coalesce(sum(greatest(duration_us - coalesce('
        'observatory_private.microseconds(time_to_first_token_ms), 0), 0))'
        ' FILTER (WHERE output_tokens > 0), 0)',
        'sum',
        'Time that calls with output tokens took after the first of these, where that is known, or '
        'else in all, microseconds: 1000000 * output_tokens / generation_us is tokens per second.'),
    ('first_token_us', 'numeric',
        'coalesce(sum(observatory_private.microseconds(time_to_first_token_ms)), 0)', 'sum',
        'Sum of the known times to the first token, microseconds.'),
    ('first_token_count', 'bigint',
        'count(observatory_private.microseconds(time_to_first_token_ms))', 'sum',
        'Calls whose time to the first token is known.'),
    ('first_start', 'timestamptz', 'min(start_time)', 'min', 'When the first of them began.'),
    ('last_start', 'timestamptz', 'max(start_time)', 'max', 'When the last of them began.'),
    ('sample_message', 'text', 'min(left(status_message, 1000))', 'min',
        'One of the messages, at most 1000 characters of it.')
ON CONFLICT (name) DO UPDATE
SET type = excluded.type, expression = excluded.expression, merge = excluded.merge,
    comment = excluded.comment;

CREATE OR REPLACE FUNCTION observatory_private.microseconds(
    milliseconds double precision
) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN milliseconds BETWEEN 0 AND 1e12 THEN round(milliseconds * 1000)::bigint END
$$;

COMMENT ON FUNCTION observatory_private.microseconds(double precision) IS
    'Whole microseconds, whose sum does not depend on their order. NULL for what is no time: NaN, '
    'infinite, negative, or longer than 30 years.';

CREATE OR REPLACE FUNCTION observatory_private.sorted_set(items text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN cardinality(items) > 1
            THEN ARRAY(SELECT DISTINCT item FROM unnest(items) AS item ORDER BY item)
        ELSE items
    END
$$;

COMMENT ON FUNCTION observatory_private.sorted_set(text[]) IS 'The distinct items, sorted.';

CREATE TABLE IF NOT EXISTS observatory_private.rollups (
    name text PRIMARY KEY,
    refresh_order integer NOT NULL UNIQUE,
    source text NOT NULL,
    width interval NOT NULL CHECK (width <= interval '1 day'),
    unit interval NOT NULL GENERATED ALWAYS AS (greatest(width, interval '15 minutes')) STORED,
    is_stored boolean NOT NULL DEFAULT true,
    condition text NOT NULL DEFAULT 'true',
    shown text NOT NULL DEFAULT 'true',
    dimensions text[] NOT NULL,
    searched_by text,
    is_segmented boolean NOT NULL DEFAULT false CHECK (searched_by IS NOT NULL OR NOT is_segmented),
    measures text[] NOT NULL,
    comment text NOT NULL
);

COMMENT ON TABLE observatory_private.rollups IS
    'What each rollup is. Its retention, columnstore and chunks are in observatory.policies.';
COMMENT ON COLUMN observatory_private.rollups.name IS 'The public view''s name.';
COMMENT ON COLUMN observatory_private.rollups.refresh_order IS
    'The order of refreshing: after its source.';
COMMENT ON COLUMN observatory_private.rollups.source IS 'spans, or a finer rollup.';
COMMENT ON COLUMN observatory_private.rollups.width IS 'Length of a bucket.';
COMMENT ON COLUMN observatory_private.rollups.unit IS
    'What is counted at once (apache and postgres editions): a bucket, but at least the '
    'quarter-hour of changed_buckets.';
COMMENT ON COLUMN observatory_private.rollups.is_stored IS
    'Whether it has rows of its own; otherwise it is a view that sums its source.';
COMMENT ON COLUMN observatory_private.rollups.condition IS 'Which rows of the source count.';
COMMENT ON COLUMN observatory_private.rollups.shown IS
    'Which of its rows the view shows. What few spans have is no condition: a continuous aggregate '
    'without a row of late takes all spans since its last one for new, and counts them in each query.';
COMMENT ON COLUMN observatory_private.rollups.searched_by IS
    'The dimension by whose values single ones are looked up: left(dimension, 100) is indexed, '
    'because the whole of a long text fits into no index.';
COMMENT ON COLUMN observatory_private.rollups.is_segmented IS
    'Whether searched_by has few values with many rows each, none of them over 1000 bytes, as '
    'TimescaleDB indexes them: then the columnstore keeps them apart.';
COMMENT ON COLUMN observatory_private.rollups.dimensions IS
    'Columns that it is grouped by, beside the bucket and the project.';
COMMENT ON COLUMN observatory_private.rollups.measures IS 'Columns that are summed.';
COMMENT ON COLUMN observatory_private.rollups.comment IS 'What the public view says of itself.';

-- Appended to by whoever stores spans: no key and no index, so that writers never wait here.
CREATE TABLE IF NOT EXISTS observatory_private.changed_buckets (
    project_id integer NOT NULL,
    bucket timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE observatory_private.changed_buckets IS
    'Quarter-hours in which spans were stored since the last refresh (on apache and postgres all, on '
    'community those that are two days late), or their costs changed.';
COMMENT ON COLUMN observatory_private.changed_buckets.project_id IS 'The project.';
COMMENT ON COLUMN observatory_private.changed_buckets.bucket IS 'Start of the quarter-hour.';
COMMENT ON COLUMN observatory_private.changed_buckets.noted_at IS 'When spans were stored in it.';

CREATE TABLE IF NOT EXISTS observatory_private.stale_buckets (
    rollup text NOT NULL,
    bucket timestamptz NOT NULL,
    project_id integer NOT NULL,
    noted_at timestamptz NOT NULL,
    -- Serves: the refresh, and the rollup's view.
    PRIMARY KEY (rollup, bucket, project_id)
);

COMMENT ON TABLE observatory_private.stale_buckets IS
    'What the refresh has taken over from changed_buckets and has not counted yet, by rollup.';
COMMENT ON COLUMN observatory_private.stale_buckets.rollup IS 'The rollup.';
COMMENT ON COLUMN observatory_private.stale_buckets.bucket IS 'Start of the rollup''s unit.';
COMMENT ON COLUMN observatory_private.stale_buckets.project_id IS 'The project.';
COMMENT ON COLUMN observatory_private.stale_buckets.noted_at IS 'When its source first changed.';

CREATE OR REPLACE FUNCTION observatory_private.take_over_changes() RETURNS bigint
LANGUAGE sql AS $$
    WITH taken AS (
        DELETE FROM observatory_private.changed_buckets RETURNING project_id, bucket, noted_at
    ),
    stale AS (
        INSERT INTO observatory_private.stale_buckets (rollup, bucket, project_id, noted_at)
        SELECT r.name, date_bin(r.unit, t.bucket, '2000-01-01T00:00:00Z'), t.project_id,
            min(t.noted_at)
        FROM taken AS t
        CROSS JOIN observatory_private.rollups AS r
        WHERE r.is_stored
        GROUP BY 1, 2, 3
        ON CONFLICT DO NOTHING
    )
    SELECT count(DISTINCT (project_id, bucket)) FROM taken
$$;

COMMENT ON FUNCTION observatory_private.take_over_changes() IS
    'Moves all of changed_buckets to stale_buckets, for each rollup; returns how many quarter-hours '
    'of projects those were. One process at a time.';

CREATE OR REPLACE VIEW observatory_private.pending_buckets AS
SELECT
    r.name AS rollup,
    date_bin(r.unit, c.bucket, '2000-01-01T00:00:00Z') AS bucket,
    c.project_id,
    c.noted_at AS since
FROM observatory_private.changed_buckets AS c
CROSS JOIN observatory_private.rollups AS r
WHERE r.is_stored
UNION ALL
SELECT s.rollup, s.bucket, s.project_id, greatest(s.noted_at, s.bucket + r.unit)
FROM observatory_private.stale_buckets AS s
JOIN observatory_private.rollups AS r ON r.name = s.rollup
WHERE s.bucket + r.unit <= now();

COMMENT ON VIEW observatory_private.pending_buckets IS
    'What waits for a refresh. A bucket that was taken over waits only once it has ended: until then '
    'it is counted when it is asked for.';
COMMENT ON COLUMN observatory_private.pending_buckets.rollup IS 'The rollup.';
COMMENT ON COLUMN observatory_private.pending_buckets.bucket IS 'Start of the rollup''s unit.';
COMMENT ON COLUMN observatory_private.pending_buckets.project_id IS 'The project.';
COMMENT ON COLUMN observatory_private.pending_buckets.since IS 'Since when.';

CREATE OR REPLACE FUNCTION observatory_private.rollup_columns(
    r observatory_private.rollups
) RETURNS TABLE (ordinal bigint, name text, type text, expression text, comment text)
LANGUAGE sql STABLE AS $$
    SELECT
        n.ordinal,
        c.name,
        c.type,
        CASE
            WHEN s.name IS NULL OR c.name <> ALL (s.dimensions || s.measures) THEN c.expression
            WHEN c.merge IS NULL THEN c.name
            ELSE format('%s(%I)', c.merge, c.name)
        END,
        c.comment
    FROM unnest(r.dimensions || r.measures) WITH ORDINALITY AS n (name, ordinal)
    JOIN observatory_private.columns_of_rollups AS c USING (name)
    LEFT JOIN observatory_private.rollups AS s ON s.name = r.source
$$;

COMMENT ON FUNCTION observatory_private.rollup_columns(observatory_private.rollups) IS
    'The rollup''s columns after bucket and project_id, and how each comes from the source.';

CREATE OR REPLACE FUNCTION observatory_private.rollup_query(
    r observatory_private.rollups, source_schema text, bucket_function text, restriction text
) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT format(
        'SELECT %s AS bucket, project_id, %s FROM %I.%I WHERE (%s) AND (%s) GROUP BY %s',
        format(bucket_function, r.width, time_column),
        (
            SELECT string_agg(format('(%s)::%s AS %I', c.expression, c.type, c.name), ', '
                ORDER BY c.ordinal)
            FROM observatory_private.rollup_columns(r) AS c
        ),
        source_schema,
        r.source,
        r.condition,
        format(restriction, time_column),
        (
            SELECT string_agg(n::text, ', ')
            FROM generate_series(1, 2 + cardinality(r.dimensions)) AS n
        ))
    FROM (SELECT CASE r.source WHEN 'spans' THEN 'start_time' ELSE 'bucket' END AS time_column) AS t
$$;

COMMENT ON FUNCTION observatory_private.rollup_query(
    observatory_private.rollups, text, text, text
) IS 'The query that counts the rollup from its source.';

CREATE OR REPLACE FUNCTION observatory_private.index_rollup(
    r observatory_private.rollups, relation text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE INDEX IF NOT EXISTS %I ON observatory_private.%I (project_id, bucket DESC)',
        relation || '_by_time', relation);
    IF r.searched_by IS NOT NULL THEN
        EXECUTE format(
            'CREATE INDEX IF NOT EXISTS %I ON observatory_private.%I'
            ' (project_id, left(%I, 100), bucket DESC)',
            relation || '_by_' || r.searched_by, relation, r.searched_by);
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.index_rollup(observatory_private.rollups, text) IS
    'Makes the indexes of the rollup''s aggregate, or of its history.';

CREATE OR REPLACE FUNCTION observatory_private.build_aggregate(
    r observatory_private.rollups
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- An index for each text column (create_group_indexes) would fail on a long text, and with it
    -- every refresh.
    EXECUTE format(
        'CREATE MATERIALIZED VIEW IF NOT EXISTS observatory_private.%I'
        ' WITH (timescaledb.continuous, timescaledb.materialized_only = false,'
        ' timescaledb.create_group_indexes = false, timescaledb.chunk_interval = %L)'
        ' AS %s WITH NO DATA',
        r.name,
        (SELECT chunk_interval FROM observatory.policies WHERE relation = r.name),
        observatory_private.rollup_query(
            r,
            CASE r.source WHEN 'spans' THEN 'observatory' ELSE 'observatory_private' END,
            'time_bucket(%L::interval, %I)',
            'true'));
    EXECUTE format('COMMENT ON VIEW observatory_private.%I IS %L', r.name,
        format('Rows of %s, kept by TimescaleDB.', r.name));
    PERFORM observatory_private.index_rollup(r, r.name);
    -- Without a condition the planner reads all parts at one level.
    EXECUTE format(
        'CREATE OR REPLACE VIEW observatory.%1$I AS'
        ' SELECT * FROM observatory_private.%2$I %3$s'
        ' UNION ALL SELECT * FROM observatory_private.%1$I %3$s',
        r.name, r.name || '_history', 'WHERE ' || nullif(r.shown, 'true'));
    PERFORM observatory_private.apply_rollup_policies(r.name);
END
$$;

COMMENT ON FUNCTION observatory_private.build_aggregate(observatory_private.rollups) IS
    'Makes the rollup a real-time continuous aggregate with policies (community edition).';

CREATE OR REPLACE FUNCTION observatory_private.refresh_reach(
    r observatory_private.rollups
) RETURNS interval
LANGUAGE sql STABLE AS $$
    SELECT least(
        source.retention - interval '2 days', own.retention, now() - source.complete_from)
    FROM observatory.policies AS source, observatory.policies AS own
    WHERE source.relation = r.source AND own.relation = r.name
$$;

COMMENT ON FUNCTION observatory_private.refresh_reach(observatory_private.rollups) IS
    'How far back the rollup''s refresh policy looks: nearly as far as its source is kept, so that it '
    'finds whatever came late and whatever it missed while it could not run (what has not changed '
    'costs it nothing), and never to where that is dropped. NULL: for ever.';

CREATE OR REPLACE FUNCTION observatory_private.refresh_delay(width interval) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN width < interval '1 day'
            THEN least(greatest(width, interval '2 minutes'), interval '15 minutes')
        ELSE interval '1 hour'
    END
$$;

COMMENT ON FUNCTION observatory_private.refresh_delay(interval) IS
    'How long the refresh policy of a rollup of this width leaves the newest spans alone.';

CREATE OR REPLACE FUNCTION observatory_private.apply_rollup_policies(
    rollup_name text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r observatory_private.rollups;
    aggregate regclass;
    policy observatory.policies;
BEGIN
    SELECT * INTO STRICT r FROM observatory_private.rollups AS all_r WHERE all_r.name = rollup_name;
    IF observatory.edition() <> 'community' OR NOT r.is_stored THEN
        RETURN;
    END IF;
    aggregate := format('observatory_private.%I', rollup_name)::regclass;
    SELECT * INTO STRICT policy FROM observatory.policies AS p WHERE p.relation = rollup_name;
    PERFORM remove_continuous_aggregate_policy(aggregate, if_exists => true);
    PERFORM remove_retention_policy(aggregate, if_exists => true);
    CALL remove_columnstore_policy(aggregate, if_exists => true);
    PERFORM add_continuous_aggregate_policy(
        aggregate,
        start_offset => observatory_private.refresh_reach(r),
        end_offset => observatory_private.refresh_delay(r.width),
        schedule_interval => least(greatest(r.width / 3, interval '1 minute'), interval '1 hour'));
    IF policy.retention IS NOT NULL THEN
        PERFORM add_retention_policy(aggregate, policy.retention);
    END IF;
    IF policy.columnstore_after IS NOT NULL THEN
        EXECUTE format(
            'ALTER MATERIALIZED VIEW %s SET (timescaledb.enable_columnstore,'
            ' timescaledb.segmentby = %L, timescaledb.orderby = ''bucket DESC'')',
            aggregate,
            'project_id' || CASE WHEN r.is_segmented THEN ', ' || r.searched_by ELSE '' END);
        CALL add_columnstore_policy(aggregate, policy.columnstore_after);
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.apply_rollup_policies(text) IS
    'Hands the rollup''s refresh, retention and columnstore policies to TimescaleDB, anew if they '
    'were changed (community edition). The refresh never reaches to where its source is dropped.';

CREATE OR REPLACE FUNCTION observatory_private.build_counted_table(
    r observatory_private.rollups
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    names text := (
        SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.ordinal)
        FROM observatory_private.rollup_columns(r) AS c);
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION observatory_private.%I('
        'of_project integer, of_unit timestamptz'
        ') RETURNS SETOF observatory_private.%I LANGUAGE sql STABLE AS %L',
        'count_' || r.name, r.name || '_history',
        observatory_private.rollup_query(
            r, 'observatory', 'date_bin(%L, %I, ''2000-01-01T00:00:00Z'')',
            format(
                'project_id = of_project AND %%1$I >= of_unit AND %%1$I < of_unit + interval %L',
                r.unit)));
    EXECUTE format(
        'COMMENT ON FUNCTION observatory_private.%I(integer, timestamptz) IS %L',
        'count_' || r.name,
        format('Rows of %s for one unit of one project, counted from %s.', r.name, r.source));
    -- The source is read only where it is complete: see policies.complete_from.
    EXECUTE format(
        'CREATE OR REPLACE VIEW observatory_private.%1$I AS'
        ' SELECT project_id, bucket FROM ('
        '     SELECT project_id, date_bin(%2$L, bucket, ''2000-01-01T00:00:00Z'') AS bucket'
        '     FROM observatory_private.changed_buckets'
        '     UNION'
        '     SELECT project_id, bucket FROM observatory_private.stale_buckets WHERE rollup = %3$L'
        ' ) AS changed'
        ' WHERE bucket >= coalesce((SELECT max(complete_from) FROM observatory.policies'
        ' WHERE relation IN (%3$L, %4$L)), ''-infinity'')',
        r.name || '_changed', r.unit, r.name, r.source);
    EXECUTE format('COMMENT ON VIEW observatory_private.%I IS %L', r.name || '_changed',
        format('Units of %s that are older than their source, where that is still whole.', r.name));
    EXECUTE format(
        'CREATE OR REPLACE VIEW observatory.%1$I AS'
        ' SELECT h.* FROM observatory_private.%2$I AS h WHERE %8$s AND NOT EXISTS ('
        '     SELECT FROM observatory_private.%3$I AS c'
        '     WHERE c.project_id = h.project_id AND c.bucket = %4$s)'
        ' UNION ALL'
        ' SELECT %5$s, c.project_id, %6$s FROM observatory_private.%3$I AS c'
        ' CROSS JOIN LATERAL observatory_private.%7$I(c.project_id, c.bucket) AS u WHERE %8$s',
        r.name, r.name || '_history', r.name || '_changed',
        CASE
            WHEN r.unit = r.width THEN 'h.bucket'
            ELSE format('date_bin(%L, h.bucket, ''2000-01-01T00:00:00Z'')', r.unit)
        END,
        CASE WHEN r.unit = r.width THEN 'c.bucket' ELSE 'u.bucket' END,
        names, 'count_' || r.name, r.shown);
END
$$;

COMMENT ON FUNCTION observatory_private.build_counted_table(observatory_private.rollups) IS
    'Makes the rollup a table of counted units, united with those that changed since, which are '
    'counted when they are asked for (apache and postgres editions).';

CREATE OR REPLACE FUNCTION observatory_private.comment_on_rollup(
    r observatory_private.rollups
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    relation text;
    c record;
BEGIN
    FOREACH relation IN ARRAY
        ARRAY[format('observatory.%I', r.name)]
        || CASE WHEN r.is_stored THEN ARRAY[format('observatory_private.%I', r.name || '_history')] END
    LOOP
        FOR c IN
            SELECT 'bucket' AS name, format('Start of the bucket (UTC), %s long.', CASE r.width
                WHEN interval '1 minute' THEN 'a minute'
                WHEN interval '15 minutes' THEN 'a quarter-hour'
                WHEN interval '1 hour' THEN 'an hour'
                WHEN interval '1 day' THEN 'a day'
                ELSE r.width::text
            END) AS comment
            UNION ALL
            SELECT 'project_id', 'The project.'
            UNION ALL
            SELECT columns.name, columns.comment
            FROM observatory_private.rollup_columns(r) AS columns
        LOOP
            EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', relation, c.name, c.comment);
        END LOOP;
    END LOOP;
    EXECUTE format('COMMENT ON VIEW observatory.%I IS %L', r.name, r.comment);
END
$$;

COMMENT ON FUNCTION observatory_private.comment_on_rollup(observatory_private.rollups) IS
    'Says what the rollup and each of its columns are.';

CREATE OR REPLACE FUNCTION observatory_private.build_rollup(rollup_name text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    r observatory_private.rollups;
BEGIN
    SELECT * INTO STRICT r FROM observatory_private.rollups AS all_r WHERE all_r.name = rollup_name;
    IF NOT r.is_stored THEN
        EXECUTE format('CREATE OR REPLACE VIEW observatory.%I AS %s', r.name,
            observatory_private.rollup_query(
                r, 'observatory', 'date_bin(%L, %I, ''2000-01-01T00:00:00Z'')', 'true'));
        PERFORM observatory_private.comment_on_rollup(r);
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS observatory_private.%I'
        ' (bucket timestamptz NOT NULL, project_id integer NOT NULL, %s)',
        r.name || '_history',
        (
            SELECT string_agg(format('%I %s', c.name, c.type), ', ' ORDER BY c.ordinal)
            FROM observatory_private.rollup_columns(r) AS c
        ));
    EXECUTE format('COMMENT ON TABLE observatory_private.%I IS %L', r.name || '_history', format(
        'Rows of %s that are final: on community only what another edition left behind, on the '
        'others all that were counted.', r.name));
    PERFORM observatory_private.index_rollup(r, r.name || '_history');
    IF observatory.edition() = 'community' THEN
        PERFORM observatory_private.build_aggregate(r);
    ELSE
        PERFORM observatory_private.build_counted_table(r);
    END IF;
    PERFORM observatory_private.comment_on_rollup(r);
END
$$;

COMMENT ON FUNCTION observatory_private.build_rollup(text) IS
    'Builds the rollup that the row of this name defines, as this database''s edition keeps it.';

CREATE OR REPLACE FUNCTION observatory_private.drop_rollup(rollup_name text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP VIEW IF EXISTS observatory.%I', rollup_name);
    IF observatory.edition() = 'community' THEN
        EXECUTE format('DROP MATERIALIZED VIEW IF EXISTS observatory_private.%I', rollup_name);
    ELSE
        EXECUTE format('DROP VIEW IF EXISTS observatory_private.%I', rollup_name || '_changed');
        EXECUTE format('DROP FUNCTION IF EXISTS observatory_private.%I(integer, timestamptz)',
            'count_' || rollup_name);
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS observatory_private.%I', rollup_name || '_history');
    DELETE FROM observatory_private.stale_buckets WHERE rollup = rollup_name;
    DELETE FROM observatory.policies WHERE relation = rollup_name;
    DELETE FROM observatory_private.rollups WHERE name = rollup_name;
END
$$;

COMMENT ON FUNCTION observatory_private.drop_rollup(text) IS
    'Undoes build_rollup, and forgets the definition and the policies.';

CREATE OR REPLACE FUNCTION observatory_private.oldest_chunk(relation_name text) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT min(c.range_start)
        FROM timescaledb_information.chunks AS c
        LEFT JOIN timescaledb_information.continuous_aggregates AS a
            ON a.materialization_hypertable_schema = c.hypertable_schema
            AND a.materialization_hypertable_name = c.hypertable_name
        WHERE coalesce(a.view_schema, c.hypertable_schema) IN ('observatory', 'observatory_private')
            AND coalesce(a.view_name, c.hypertable_name) = relation_name);
END
$$;

COMMENT ON FUNCTION observatory_private.oldest_chunk(text) IS
    'Where the chunks of the table or rollup begin; NULL if it has none (community edition).';

CREATE OR REPLACE FUNCTION observatory_private.whole_from(rollup_name text) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    source_name text := coalesce(
        (SELECT r.source FROM observatory_private.rollups AS r WHERE r.name = rollup_name),
        rollup_name);
    drop_after interval;
BEGIN
    IF observatory.edition() <> 'community' THEN
        RETURN coalesce(
            (
                SELECT max(complete_from) FROM observatory.policies
                WHERE relation IN (rollup_name, source_name)
            ),
            '-infinity');
    END IF;
    -- Chunks may have been dropped by hand, and the job of the retention may differ from its policy.
    SELECT (j.config ->> 'drop_after')::interval INTO drop_after
    FROM timescaledb_information.jobs AS j
    WHERE j.proc_name = 'policy_retention'
        AND j.hypertable_schema IN ('observatory', 'observatory_private')
        AND j.hypertable_name = source_name;
    RETURN greatest(
        coalesce(observatory_private.oldest_chunk(source_name), 'infinity'),
        observatory_private.oldest_kept(source_name),
        observatory_private.oldest_kept(rollup_name),
        date_bin('1 day', now() - drop_after + interval '1 hour', '2000-01-01T00:00:00Z'));
END
$$;

COMMENT ON FUNCTION observatory_private.whole_from(text) IS
    'The time from which on the rollup''s source, or spans itself, is whole. No refresh may begin '
    'earlier: it would wipe what the rollup still knows.';

CREATE OR REPLACE FUNCTION observatory_private.recount(
    rollup_name text, ended_by timestamptz, at_most integer
) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    r observatory_private.rollups;
    counted integer;
BEGIN
    SELECT * INTO STRICT r FROM observatory_private.rollups AS all_r WHERE all_r.name = rollup_name;
    -- One statement, so that all of it sees one snapshot, and what is committed meanwhile is in
    -- changed_buckets and found by the next.
    EXECUTE format(
        'WITH due AS ('
        '     DELETE FROM observatory_private.stale_buckets'
        '     WHERE rollup = $1 AND (bucket, project_id) IN ('
        '         SELECT bucket, project_id FROM observatory_private.stale_buckets'
        '         WHERE rollup = $1 AND bucket <= $2 - interval %1$L'
        '         ORDER BY bucket, project_id LIMIT $3)'
        '     RETURNING project_id, bucket'
        ' ),'
        ' whole AS ('
        '     SELECT * FROM due WHERE bucket >= (SELECT observatory_private.whole_from($1))'
        ' ),'
        ' stale AS ('
        '     DELETE FROM observatory_private.%2$I AS h'
        '     USING whole'
        '     WHERE h.project_id = whole.project_id'
        '         AND h.bucket >= whole.bucket AND h.bucket < whole.bucket + interval %1$L'
        ' ),'
        ' fresh AS ('
        '     INSERT INTO observatory_private.%2$I'
        '     SELECT u.* FROM whole'
        '     CROSS JOIN LATERAL observatory_private.%3$I(whole.project_id, whole.bucket) AS u'
        ' )'
        ' SELECT count(*) FROM due',
        r.unit, r.name || '_history', 'count_' || r.name)
    INTO counted USING rollup_name, ended_by, at_most;
    RETURN counted;
END
$$;

COMMENT ON FUNCTION observatory_private.recount(text, timestamptz, integer) IS
    'Counts the oldest stale units of the rollup anew, among those that ended by a time; returns how '
    'many those were (apache and postgres editions). One process at a time.';

CREATE OR REPLACE FUNCTION observatory_private.expire_rollup(
    rollup_name text, cut timestamptz, at_most integer
) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    expired bigint;
BEGIN
    EXECUTE format(
        'DELETE FROM observatory_private.%1$I WHERE ctid = ANY (ARRAY('
        'SELECT ctid FROM observatory_private.%1$I WHERE bucket < $1 LIMIT $2))',
        rollup_name || '_history')
    USING cut, at_most;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;

COMMENT ON FUNCTION observatory_private.expire_rollup(text, timestamptz, integer) IS
    'Deletes some of the rollup''s history from before the cut; returns how many rows.';

CREATE OR REPLACE FUNCTION observatory_private.oldest_in_rollup(
    rollup_name text, before timestamptz
) RETURNS timestamptz
LANGUAGE plpgsql STABLE AS $$
DECLARE
    oldest timestamptz;
BEGIN
    EXECUTE format(
        'SELECT min(bucket) FROM observatory_private.%I WHERE bucket < $1', rollup_name || '_history')
    INTO oldest USING before;
    RETURN oldest;
END
$$;

COMMENT ON FUNCTION observatory_private.oldest_in_rollup(text, timestamptz) IS
    'The oldest bucket of the rollup''s history from before a time. NULL if there is none.';
