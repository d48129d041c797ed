-- What: usage by user, session, agent, tool and tag, and the spans of services.
-- Why: whom the cost goes to, without reading spans. Each has one dimension of many values, by day,
--      so that none has more rows than there were users, sessions, … of a day.
-- Locks: none that another session could hold.
-- Reversible: yes; what is older than the retention of spans is lost.
-- depends: 0014_llm_errors

INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES
    ('llm_user_usage_1d', '400 days', '30 days', '30 days'),
    ('llm_session_usage_1d', '90 days', '30 days', '30 days'),
    ('llm_agent_usage_1d', '1095 days', '30 days', '30 days'),
    ('tool_usage_1d', '1095 days', '30 days', '30 days'),
    ('llm_tags_usage_1d', '400 days', '30 days', '30 days'),
    ('service_spans_1h', '400 days', '30 days', '30 days')
ON CONFLICT DO NOTHING;

INSERT INTO observatory_private.rollups (
    name, refresh_order, source, width, is_stored, condition, shown, dimensions, searched_by,
    measures, comment
)
SELECT
    r.name, r.refresh_order, r.source, '1 day', r.source = 'spans',
    CASE r.source WHEN 'spans' THEN 'is_inference' ELSE 'true' END, r.shown,
    r.dimensions, r.searched_by,
    ARRAY[
        'requests', 'errors', 'unpriced_requests', 'input_tokens', 'output_tokens',
        'cache_read_tokens', 'cache_write_tokens', 'reasoning_tokens', 'cost_usd', 'duration_us',
        'first_start', 'last_start'
    ],
    r.comment
FROM (
    VALUES
    ('llm_user_usage_1d', 40, 'spans', 'user_id IS NOT NULL',
        ARRAY['user_id', 'provider', 'model'], 'user_id',
        'Calls of models by day (UTC) and user: the only rollup that names people.'),
    ('llm_session_usage_1d', 41, 'spans', 'session_id IS NOT NULL',
        ARRAY['session_id'], 'session_id', 'Calls of models by day (UTC) and session.'),
    ('llm_agent_usage_1d', 42, 'spans', 'agent_name IS NOT NULL',
        ARRAY['agent_name', 'provider', 'model'], 'agent_name',
        'Calls of models by day (UTC) and agent.'),
    ('llm_tags_usage_1d', 43, 'spans', 'tags <> ''{}''', ARRAY['tags'], NULL,
        'Calls of models by day (UTC) and all their tags: a call is in one row.'),
    ('llm_tag_usage_1d', 44, 'llm_tags_usage_1d', 'true', ARRAY['tag'], NULL,
        'Calls of models by day (UTC) and tag: llm_tags_usage_1d summed. A call with two tags is in '
        'two rows.')
) AS r (name, refresh_order, source, shown, dimensions, searched_by, comment)
UNION ALL
VALUES
    ('tool_usage_1d', 45, 'spans', interval '1 day', true, 'true', 'tool_name IS NOT NULL',
        ARRAY['tool_name', 'agent_name', 'service_name', 'environment'], 'tool_name',
        ARRAY['spans', 'errors', 'duration_us', 'max_duration_us'],
        'Executions of tools by day (UTC).'),
    ('service_spans_1h', 50, 'spans', interval '1 hour', true, 'true', 'true',
        ARRAY['service_name', 'environment', 'kind'], NULL,
        ARRAY['spans', 'errors', 'duration_us', 'max_duration_us'],
        'All spans by hour (UTC) and service.')
ON CONFLICT DO NOTHING;

DO $$
BEGIN
    PERFORM observatory_private.build_rollup('llm_user_usage_1d');
    PERFORM observatory_private.build_rollup('llm_session_usage_1d');
    PERFORM observatory_private.build_rollup('llm_agent_usage_1d');
    PERFORM observatory_private.build_rollup('llm_tags_usage_1d');
    PERFORM observatory_private.build_rollup('llm_tag_usage_1d');
    PERFORM observatory_private.build_rollup('tool_usage_1d');
    PERFORM observatory_private.build_rollup('service_spans_1h');
END
$$;
