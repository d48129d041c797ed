DO $$
BEGIN
    PERFORM observatory_private.drop_rollup('llm_errors_1d');
    PERFORM observatory_private.drop_rollup('llm_errors_1h');
END
$$;
DROP FUNCTION IF EXISTS observatory.error_fingerprint(text, text);
