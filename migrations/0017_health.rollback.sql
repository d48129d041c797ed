DROP VIEW IF EXISTS observatory.log_severities;
DROP VIEW IF EXISTS observatory.rollup_status;
DROP FUNCTION IF EXISTS observatory_private.late_from(text);
DROP VIEW IF EXISTS observatory.storage;
DROP FUNCTION IF EXISTS observatory_private.storage();
