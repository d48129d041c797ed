DROP VIEW IF EXISTS observatory.traces;
DROP AGGREGATE IF EXISTS observatory_private.union_sorted_agg(text[]);
DROP FUNCTION IF EXISTS observatory_private.union_sorted(text[], text[]);
DROP FUNCTION IF EXISTS observatory_private.others_of(text[]);
DROP TABLE IF EXISTS observatory.trace_days;
DELETE FROM observatory.policies WHERE relation = 'trace_days';
