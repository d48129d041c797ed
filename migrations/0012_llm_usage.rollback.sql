DO $$
BEGIN
    PERFORM observatory_private.drop_rollup('llm_service_usage_30m');
    PERFORM observatory_private.drop_rollup('llm_model_usage_30m');
    PERFORM observatory_private.drop_rollup('llm_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_usage_1h');
    PERFORM observatory_private.drop_rollup('llm_usage_15m');
    PERFORM observatory_private.drop_rollup('llm_usage_1m');
END
$$;
