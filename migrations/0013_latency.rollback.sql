DO $$
DECLARE
    rollup_name text;
BEGIN
    FOR rollup_name IN
        SELECT name FROM observatory_private.rollups
        WHERE refresh_order BETWEEN 20 AND 31 ORDER BY refresh_order DESC
    LOOP
        PERFORM observatory_private.drop_rollup(rollup_name);
    END LOOP;
END
$$;
DROP FUNCTION IF EXISTS observatory.quantile(double precision[], integer[], bigint[]);
DROP FUNCTION IF EXISTS observatory.latency_us(integer);
DROP FUNCTION IF EXISTS observatory.latency_bucket(bigint);
