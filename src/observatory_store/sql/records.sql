-- name: is_recorded
-- Whether anything was ever migrated here, by yoyo or by this package.
SELECT to_regclass('_yoyo_migration') IS NOT NULL

-- name: applied_migrations
-- With what was noted of the text that was applied: its checksum, how that is known, and when it was
-- written; of several the last counts. NULL if only yoyo knows of it.
SELECT DISTINCT ON (m.migration_id)
    m.migration_id,
    m.applied_at_utc,
    nullif(split_part(l.comment, ' ', 1), '') AS checksum,
    split_part(l.comment, ' ', 2) AS how
FROM _yoyo_migration AS m
LEFT JOIN _yoyo_log AS l
    ON l.migration_hash = m.migration_hash
    AND l.operation = 'checksum'
    AND l.created_at_utc = m.applied_at_utc
ORDER BY m.migration_id, split_part(l.comment, ' ', 3) DESC NULLS LAST
