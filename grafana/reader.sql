-- A role that reads the numbers and changes nothing, for Grafana and for whoever writes SQL. It sees no
-- prompt, no body of a log record and no API key. Run it after each migration, as the schema's owner:
--
--   PGOPTIONS="-c observatory.reader_password=$PASSWORD" psql "$OBSERVATORY_DATABASE_URL" \
--       --set ON_ERROR_STOP=1 --file grafana/reader.sql

DO $$
DECLARE
    readable text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'observatory_reader') THEN
        CREATE ROLE observatory_reader;
    END IF;
    EXECUTE format(
        'ALTER ROLE observatory_reader LOGIN CONNECTION LIMIT 20 PASSWORD %L',
        current_setting('observatory.reader_password'));
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO observatory_reader', current_database());
    -- On apache and postgres the rollups count by functions of the private schema what has just changed.
    GRANT USAGE ON SCHEMA observatory, observatory_private TO observatory_reader;
    FOR readable IN
        SELECT format('%I.%I', schemaname, viewname) FROM pg_views WHERE schemaname = 'observatory'
        UNION ALL
        SELECT 'observatory.' || unnest(ARRAY[
            'spans', 'trace_days', 'resources', 'metrics', 'metric_series', 'metric_points', 'projects',
            'prices', 'budgets', 'model_listings', 'policies', 'installation'])
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO observatory_reader', readable);
    END LOOP;
END
$$;

ALTER ROLE observatory_reader SET default_transaction_read_only = on;
ALTER ROLE observatory_reader SET statement_timeout = '30s';
