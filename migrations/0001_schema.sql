-- What: the two schemas, the edition that this database is built for, and the storage policies.
-- Why: everything later asks edition() what the server can do, and policies how long to keep what.
-- Locks: none that another session could hold.
-- Reversible: yes.

CREATE SCHEMA IF NOT EXISTS observatory;

COMMENT ON SCHEMA observatory IS
    'LLM telemetry: traces, metrics, logs, usage and cost. Everything here may be queried.';

CREATE SCHEMA IF NOT EXISTS observatory_private;

COMMENT ON SCHEMA observatory_private IS
    'How observatory stores its rollups. No name in here is promised; query schema observatory.';

-- The extension is installed where that is allowed, and otherwise used if it is there.
DO $$
BEGIN
    IF current_setting('server_version_num')::integer < 150000 THEN
        RAISE EXCEPTION 'PostgreSQL % is too old: 15 is the oldest that observatory-store supports',
            current_setting('server_version');
    END IF;
    -- The loader's own setting tells that it is preloaded; shared_preload_libraries is for superusers
    -- to read, while who has CREATE on a database may create this extension, which is a trusted one.
    IF current_setting('timescaledb.disable_load', true) IS NOT NULL
        AND EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
    THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'TimescaleDB is available, but this role may not create the extension: '
            'plain tables are used. Have a superuser run CREATE EXTENSION timescaledb first.';
END
$$;

CREATE OR REPLACE FUNCTION observatory_private.detect_edition() RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN e.version IS NULL OR e.version < ARRAY[2, 19] THEN 'postgres'
        WHEN e.version >= ARRAY[2, 28]
            AND current_setting('timescaledb.license', true) = 'timescale' THEN 'community'
        ELSE 'apache'
    END
    FROM (VALUES (1)) AS always (one)
    LEFT JOIN (
        SELECT string_to_array(substring(extversion FROM '^\d+\.\d+'), '.')::integer[] AS version
        FROM pg_extension
        WHERE extname = 'timescaledb'
    ) AS e ON true
$$;

COMMENT ON FUNCTION observatory_private.detect_edition() IS
    'What this server can do now: community (TimescaleDB >= 2.28 under its own licence), apache '
    '(TimescaleDB >= 2.19 without the licensed features) or postgres.';

CREATE TABLE IF NOT EXISTS observatory.installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    edition text NOT NULL CHECK (edition IN ('community', 'apache', 'postgres')),
    installed_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE observatory.installation IS 'How this database was built. One row.';
COMMENT ON COLUMN observatory.installation.one IS 'Always true: keeps the table at one row.';
COMMENT ON COLUMN observatory.installation.edition IS
    'The edition that the tables were built for: community, apache or postgres.';
COMMENT ON COLUMN observatory.installation.installed_at IS 'When the first migration ran.';

INSERT INTO observatory.installation (edition)
VALUES (observatory_private.detect_edition())
ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION observatory.edition() RETURNS text
LANGUAGE sql STABLE AS $$ SELECT edition FROM observatory.installation $$;

COMMENT ON FUNCTION observatory.edition() IS
    'The edition that this database was built for: community, apache or postgres. A server that '
    'gains TimescaleDB later stays what it was until it is promoted.';

CREATE OR REPLACE FUNCTION observatory.trace_hex(trace_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT replace(trace_id::text, '-', '') $$;

COMMENT ON FUNCTION observatory.trace_hex(uuid) IS 'A trace id as W3C text: 32 lower-case hex digits.';

CREATE OR REPLACE FUNCTION observatory.span_hex(span_id bytea) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT encode(span_id, 'hex') $$;

COMMENT ON FUNCTION observatory.span_hex(bytea) IS 'A span id as W3C text: 16 lower-case hex digits.';

CREATE TABLE IF NOT EXISTS observatory.policies (
    relation text PRIMARY KEY,
    retention interval CHECK (retention >= interval '1 day'),
    columnstore_after interval CHECK (columnstore_after >= interval '1 day'),
    chunk_interval interval,
    complete_from timestamptz
);

COMMENT ON TABLE observatory.policies IS 'How long each relation is kept, and how it is laid out.';
COMMENT ON COLUMN observatory.policies.relation IS 'The relation''s name in schema observatory.';
COMMENT ON COLUMN observatory.policies.retention IS
    'Rows older than this are dropped by whole UTC days, and refused on arrival. NULL keeps for ever.';
COMMENT ON COLUMN observatory.policies.columnstore_after IS
    'Age at which a chunk becomes columnar (community edition); NULL never. Up to that age, `maintain` '
    'keeps the words of span_payloads and logs indexed, on every edition.';
COMMENT ON COLUMN observatory.policies.chunk_interval IS
    'Length of a chunk of the hypertable (community and apache editions), in whole days.';
COMMENT ON COLUMN observatory.policies.complete_from IS
    'Nothing from this time on was dropped by `maintain` (apache and postgres editions).';

CREATE OR REPLACE FUNCTION observatory_private.oldest_kept(
    relation_name text
) RETURNS timestamptz
LANGUAGE sql STABLE AS $$
    SELECT greatest(
        date_bin('1 day', now() - retention + interval '1 hour', '2000-01-01T00:00:00Z'),
        complete_from)
    FROM observatory.policies
    WHERE relation = relation_name
$$;

COMMENT ON FUNCTION observatory_private.oldest_kept(text) IS
    'The UTC day from which on the relation is whole, and will be for an hour more, so that nobody '
    'who asks now is overtaken by the retention. NULL if it is kept for ever.';

CREATE OR REPLACE FUNCTION observatory_private.partition_by_time(
    relation_name text, time_column text
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF observatory.edition() <> 'postgres' THEN
        PERFORM create_hypertable(
            format('observatory.%I', relation_name)::regclass,
            by_range(time_column, (
                SELECT chunk_interval FROM observatory.policies WHERE relation = relation_name)),
            create_default_indexes => false,
            if_not_exists => true);
    ELSE
        -- Serves: the retention, which deletes the oldest rows of all projects.
        EXECUTE format(
            'CREATE INDEX IF NOT EXISTS %I ON observatory.%I USING brin (%I)'
            ' WITH (autosummarize = on)',
            relation_name || '_brin', relation_name, time_column);
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.partition_by_time(text, text) IS
    'Makes the relation a hypertable with the chunk interval of its policy; on postgres, gives it a '
    'BRIN index on time instead.';

CREATE OR REPLACE FUNCTION observatory_private.apply_policies(
    relation_name text, segment_by text, order_by text
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    relation regclass := format('observatory.%I', relation_name)::regclass;
    policy observatory.policies;
BEGIN
    SELECT * INTO STRICT policy FROM observatory.policies AS p WHERE p.relation = relation_name;
    IF observatory.edition() = 'community' THEN
        IF policy.columnstore_after IS NOT NULL THEN
            EXECUTE format(
                'ALTER TABLE %s SET (timescaledb.enable_columnstore,'
                ' timescaledb.segmentby = %L, timescaledb.orderby = %L)',
                relation, segment_by, order_by);
            CALL add_columnstore_policy(relation, policy.columnstore_after, if_not_exists => true);
        END IF;
        IF policy.retention IS NOT NULL THEN
            PERFORM add_retention_policy(relation, policy.retention, if_not_exists => true);
        END IF;
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.apply_policies(text, text, text) IS
    'Hands the relation''s columnstore and retention policies to TimescaleDB (community edition); '
    'on the other editions `observatory-store maintain` does the retention.';

CREATE OR REPLACE FUNCTION observatory_private.compress_with_lz4(
    relation regclass, VARIADIC columns text[]
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    column_name text;
BEGIN
    IF 'lz4' = ANY (
        SELECT unnest(enumvals) FROM pg_settings WHERE name = 'default_toast_compression')
    THEN
        FOREACH column_name IN ARRAY columns LOOP
            EXECUTE format(
                'ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION lz4', relation, column_name);
        END LOOP;
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.compress_with_lz4(regclass, text[]) IS
    'Has long values of these columns compressed by lz4, if the server was built with it: COPY is '
    '1.5 times as fast as with pglz.';
