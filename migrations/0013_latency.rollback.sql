DO $$
BEGIN
    PERFORM observatory_private.drop_rollup('llm_first_token_1d');
    PERFORM observatory_private.drop_rollup('llm_first_token_1h');
    PERFORM observatory_private.drop_rollup('llm_latency_1d');
    PERFORM observatory_private.drop_rollup('llm_latency_1h');
END
$$;
DROP FUNCTION IF EXISTS observatory.quantile(double precision[], integer[], bigint[]);
DROP FUNCTION IF EXISTS observatory.latency_us(integer);
DROP FUNCTION IF EXISTS observatory.latency_bucket(bigint);
