DROP VIEW IF EXISTS observatory.llm_usage_1h;
DROP VIEW IF EXISTS observatory.llm_usage_15m;
DO $$
BEGIN
    IF observatory.edition() = 'community' THEN
        DROP MATERIALIZED VIEW IF EXISTS observatory_private.llm_usage_15m;
    ELSE
        DROP VIEW IF EXISTS observatory_private.changed_whole_buckets;
    END IF;
END
$$;
DROP FUNCTION IF EXISTS observatory_private.count_llm_usage(integer, timestamptz);
DROP TABLE IF EXISTS observatory_private.llm_usage_15m_history;
DROP TABLE IF EXISTS observatory_private.changed_buckets;
DELETE FROM observatory.policies WHERE relation = 'llm_usage_15m';
