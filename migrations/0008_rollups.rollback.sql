DROP FUNCTION IF EXISTS observatory_private.drop_rollup(text);
DROP FUNCTION IF EXISTS observatory_private.build_rollup(text);
DROP FUNCTION IF EXISTS observatory_private.apply_rollup_policies(text);
DROP FUNCTION IF EXISTS observatory_private.refresh_reach(observatory_private.rollups);
DROP FUNCTION IF EXISTS observatory_private.refresh_delay(interval);
DROP FUNCTION IF EXISTS observatory_private.build_aggregate(observatory_private.rollups);
DROP FUNCTION IF EXISTS observatory_private.build_counted_table(observatory_private.rollups);
DROP FUNCTION IF EXISTS observatory_private.index_rollup(observatory_private.rollups, text);
DROP FUNCTION IF EXISTS observatory_private.comment_on_rollup(observatory_private.rollups);
DROP FUNCTION IF EXISTS observatory_private.rollup_query(
    observatory_private.rollups, text, text, text
);
DROP FUNCTION IF EXISTS observatory_private.rollup_columns(observatory_private.rollups);
DROP FUNCTION IF EXISTS observatory_private.expire_rollup(text, timestamptz, integer);
DROP FUNCTION IF EXISTS observatory_private.oldest_in_rollup(text, timestamptz);
DROP FUNCTION IF EXISTS observatory_private.recount(text, timestamptz, integer);
DROP FUNCTION IF EXISTS observatory_private.whole_from(text);
DROP FUNCTION IF EXISTS observatory_private.oldest_chunk(text);
DROP VIEW IF EXISTS observatory_private.pending_buckets;
DROP FUNCTION IF EXISTS observatory_private.take_over_changes();
DROP TABLE IF EXISTS observatory_private.stale_buckets;
DROP TABLE IF EXISTS observatory_private.changed_buckets;
DROP TABLE IF EXISTS observatory_private.rollups;
DROP TABLE IF EXISTS observatory_private.columns_of_rollups;
DROP FUNCTION IF EXISTS observatory_private.sorted_set(text[]);
DROP FUNCTION IF EXISTS observatory_private.microseconds(double precision);
