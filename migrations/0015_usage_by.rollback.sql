DO $$
BEGIN
    PERFORM observatory_private.drop_rollup('service_spans_1h');
    PERFORM observatory_private.drop_rollup('tool_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_tag_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_tags_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_agent_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_session_usage_1d');
    PERFORM observatory_private.drop_rollup('llm_user_usage_1d');
END
$$;
