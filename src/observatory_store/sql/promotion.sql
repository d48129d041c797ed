-- name: server
SELECT
    (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
    (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'),
    current_setting('timescaledb.disable_load', true) IS NOT NULL

-- name: lacking_right
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
WHERE NOT has_database_privilege(current_database(), 'CREATE')

-- name: create_extension
CREATE EXTENSION IF NOT EXISTS timescaledb

-- name: detect_edition
SELECT observatory_private.detect_edition()

-- name: record_edition
UPDATE observatory.installation SET edition = %s

-- name: rollups_lock
-- The key of the lock of whoever refreshes rollups, or drops what a refresh might read.
SELECT pg_try_advisory_lock(x'6F62735F726F6C6C'::bigint)

-- name: rollups_unlock
SELECT pg_advisory_unlock(x'6F62735F726F6C6C'::bigint)

-- name: stored_rollups
SELECT name FROM observatory_private.rollups WHERE is_stored ORDER BY refresh_order

-- name: delete_expired_spans
-- Those that the retention has begun to drop: no rollup may count them again.
DELETE FROM observatory.spans
WHERE start_time < (SELECT complete_from FROM observatory.policies WHERE relation = 'spans')

-- name: spans_from
-- The UTC day from which on spans are there. No row if there are none.
SELECT date_bin('1 day', min(s.start_time), '2000-01-01T00:00:00Z')
FROM (
    SELECT range_start, range_end
    FROM timescaledb_information.chunks AS c
    WHERE c.hypertable_schema = 'observatory'
        AND c.hypertable_name = 'spans'
        AND EXISTS (
            SELECT FROM observatory.spans
            WHERE start_time >= c.range_start AND start_time < c.range_end)
    ORDER BY range_start
    LIMIT 1
) AS oldest
JOIN observatory.spans AS s ON s.start_time >= oldest.range_start AND s.start_time < oldest.range_end
HAVING count(*) > 0

-- name: aggregates
SELECT view_name::text FROM timescaledb_information.continuous_aggregates
WHERE view_schema = 'observatory_private'

-- name: build_aggregate
-- The second call has the public view read the counted units again, until the aggregate is filled.
SELECT observatory_private.build_aggregate(r), observatory_private.build_counted_table(r)
FROM observatory_private.rollups AS r
WHERE r.name = %s

-- name: days_to_fill
-- Whole UTC days of which the rollup keeps something.
SELECT d
FROM generate_series(
    greatest(%(since)s::timestamptz, observatory_private.oldest_kept(%(name)s)),
    date_bin('1 day', now(), '2000-01-01T00:00:00Z') - interval '1 day', interval '1 day') AS d

-- name: fill_aggregate
CALL refresh_continuous_aggregate(
    ('observatory_private.' || %(name)s::text)::regclass,
    %(day)s::timestamptz, %(day)s::timestamptz + interval '1 day')

-- name: obstacles
-- What a table has that its hypertable could not have, or that would go with the table.
SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_class AS t
JOIN pg_depend AS d
    ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid)
    OR (d.refclassid = 'pg_type'::regclass AND d.refobjid = t.reltype)
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class AS v ON v.oid = r.ev_class
LEFT JOIN pg_trigger AS g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
LEFT JOIN pg_type AS y ON d.classid = 'pg_type'::regclass AND y.oid = d.objid
WHERE t.oid = %s::regclass
    AND CASE
        WHEN v.oid IS NOT NULL THEN v.relkind <> 'v' OR NOT pg_has_role(v.relowner, 'USAGE')
        WHEN g.oid IS NOT NULL THEN NOT g.tgisinternal AND g.tgname !~ '^observatory_promotion_'
        WHEN c.oid IS NOT NULL THEN c.contype = 'f'
        WHEN d.classid = 'pg_policy'::regclass THEN true
        WHEN d.classid = 'pg_publication_rel'::regclass THEN true
        WHEN y.oid IS NOT NULL THEN y.typrelid <> t.oid AND y.typelem <> t.reltype
        ELSE d.deptype = 'n'
    END
UNION ALL
SELECT format('unique index %%s, which is without the column of time', indexrelid::regclass)
FROM pg_index
WHERE indrelid = %s::regclass AND indisunique AND NOT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = indrelid AND attname = %s AND attnum = ANY (indkey))

-- name: description
SELECT
    (
        SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    ),
    (
        SELECT array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_index AS i
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
        WHERE i.indrelid = t.oid AND i.indisprimary
    ),
    (
        SELECT a.atttypid = 'date'::regtype FROM pg_attribute AS a
        WHERE a.attrelid = t.oid AND a.attname = %s
    )
FROM pg_class AS t
WHERE t.oid = %s::regclass

-- name: is_begun
-- Whether a copy is there that has what its table has.
SELECT count(*) = 2 AND count(DISTINCT columns) = 1
FROM (
    SELECT array_agg(ROW(a.attname, a.atttypid, a.atttypmod, a.attnotnull)::text ORDER BY a.attname)
        AS columns
    FROM pg_attribute AS a
    WHERE a.attrelid IN (
            to_regclass(format('observatory.%%I', %s::text)),
            to_regclass(format('observatory_promotion.%%I', %s::text)))
        AND a.attnum > 0 AND NOT a.attisdropped
    GROUP BY a.attrelid
) AS tables

-- name: begin_promotion
CREATE SCHEMA IF NOT EXISTS observatory_promotion;
COMMENT ON SCHEMA observatory_promotion IS
    'Copies of tables, as hypertables, of a promotion that has not ended. To give it up, drop this '
    'schema, CASCADE.';
CREATE TABLE IF NOT EXISTS observatory_promotion.copied_days (
    relation text, day date, PRIMARY KEY (relation, day));

CREATE OR REPLACE FUNCTION observatory_promotion.redirect() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME <> TG_ARGV[0] THEN
        RETURN NEW;
    END IF;
    EXECUTE format('INSERT INTO %I.%I SELECT ($1).*', TG_TABLE_SCHEMA, TG_TABLE_NAME) USING NEW;
    RETURN NULL;
END
$$;

-- name: drop_copy
DROP FUNCTION IF EXISTS observatory_promotion.{mirror}() CASCADE;
DROP TABLE IF EXISTS observatory_promotion.{table};
DROP TABLE IF EXISTS observatory_promotion.{gone};
DELETE FROM observatory_promotion.copied_days WHERE relation = {name};

-- name: copy_definition
-- Statements that make the copy, but for its rows.
SELECT format(
    'CREATE TABLE observatory_promotion.%%I (LIKE observatory.%%1$I INCLUDING ALL EXCLUDING INDEXES)%%s',
    relname, ' WITH (' || array_to_string(reloptions, ', ') || ')')
FROM pg_class WHERE oid = %(table)s::regclass
UNION ALL
SELECT format('ALTER TABLE observatory_promotion.%%I OWNER TO %%I', relname, pg_get_userbyid(relowner))
FROM pg_class WHERE oid = %(table)s::regclass
UNION ALL
SELECT format(
    'SELECT create_hypertable(%%L, by_range(%%L, %%L::interval), create_default_indexes => false)',
    'observatory_promotion.' || relation, %(time_column)s::text, chunk_interval)
FROM observatory.policies WHERE relation = %(name)s
UNION ALL
SELECT format('ALTER TABLE observatory_promotion.%%I ADD CONSTRAINT %%I %%s', r.relname, conname,
    pg_get_constraintdef(c.oid))
FROM pg_constraint AS c
JOIN pg_class AS r ON r.oid = conrelid
WHERE conrelid = %(table)s::regclass AND contype IN ('p', 'u', 'x')
UNION ALL
-- Not the one that only serves a plain table, nor those of words, which `maintain` makes for chunks.
SELECT regexp_replace(pg_get_indexdef(indexrelid), ' ON observatory\.', ' ON observatory_promotion.')
FROM pg_index
JOIN pg_class AS i ON i.oid = indexrelid
WHERE indrelid = %(table)s::regclass
    AND indisvalid
    AND relname <> %(name)s || '_brin'
    AND pg_get_indexdef(indexrelid) !~ 'words_of\('
    AND pg_get_indexdef(indexrelid) !~ '_words\('
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)

-- name: mirror
-- What is written to the table is written to its copy by the same transaction. A row that was copied
-- amid that gives way; one that was deleted amid that is noted, and deleted at the end.
CREATE TABLE observatory_promotion.{gone} AS
    SELECT {keys} FROM observatory_promotion.{table} WITH NO DATA;
CREATE FUNCTION observatory_promotion.{mirror}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE observatory_promotion.{table};
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        WITH gone AS (
            INSERT INTO observatory_promotion.{gone}
            SELECT {keys} FROM old_rows EXCEPT SELECT {keys} FROM new_rows
            RETURNING *
        )
        DELETE FROM observatory_promotion.{table} AS t USING gone AS g WHERE {same};
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM observatory_promotion.{table} AS t USING old_rows AS g WHERE {same};
        -- What the retention deletes was not copied since it began.
        INSERT INTO observatory_promotion.{gone}
        SELECT {keys} FROM old_rows WHERE {time}::timestamptz >= coalesce(
            (SELECT complete_from FROM observatory.policies WHERE relation = {name}), '-infinity');
        RETURN NULL;
    END IF;
    INSERT INTO observatory_promotion.{table} ({columns})
    SELECT {columns} FROM new_rows ORDER BY {keys}
    ON CONFLICT ({keys}) DO UPDATE SET ({columns}) = ROW({excluded});
    RETURN NULL;
END
$$;
CREATE TRIGGER observatory_promotion_inserts AFTER INSERT ON observatory.{table}
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION observatory_promotion.{mirror}();
CREATE TRIGGER observatory_promotion_updates AFTER UPDATE ON observatory.{table}
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION observatory_promotion.{mirror}();
CREATE TRIGGER observatory_promotion_deletes AFTER DELETE ON observatory.{table}
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION observatory_promotion.{mirror}();
CREATE TRIGGER observatory_promotion_truncates AFTER TRUNCATE ON observatory.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION observatory_promotion.{mirror}();
-- A COPY that waits while the hypertable takes the table's place would put its rows into no chunk,
-- where nobody finds them: it looked before it waited.
CREATE TRIGGER observatory_promotion_redirects BEFORE INSERT ON observatory_promotion.{table}
    FOR EACH ROW EXECUTE FUNCTION observatory_promotion.redirect({name});

-- name: is_unsettled
SELECT to_regnamespace('observatory_promotion') IS NOT NULL

-- name: transactions
-- Those that go on in this database. The session that holds our lock has one as well.
SELECT array_agg(l.virtualxid)
FROM pg_locks AS l
JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'virtualxid' AND l.granted AND a.datname = current_database()
    AND a.application_name <> current_setting('application_name')
    AND a.backend_type IS DISTINCT FROM 'autovacuum worker'

-- name: drop_schema
DROP SCHEMA IF EXISTS observatory_promotion CASCADE

-- name: days_to_copy
-- What the retention has begun to delete stays behind.
SELECT d::date
FROM (
    SELECT
        greatest(min({time}), (
            SELECT (complete_from AT TIME ZONE 'UTC')::date
            FROM observatory.policies WHERE relation = {name})) AS first,
        max({time}) AS last
    FROM observatory.{table}
) AS range
CROSS JOIN generate_series(first::date::timestamp, last::date::timestamp, '1 day') AS d
WHERE d::date NOT IN (
    SELECT day FROM observatory_promotion.copied_days WHERE relation = {name})
ORDER BY 1

-- name: copy_day
INSERT INTO observatory_promotion.{table} ({columns})
SELECT {columns} FROM observatory.{table} WHERE {time} >= {day} AND {time} < {next_day}
ON CONFLICT ({keys}) DO NOTHING

-- name: note_copied_day
INSERT INTO observatory_promotion.copied_days (relation, day) VALUES (%s, %s)

-- name: analyze_copy
ANALYZE observatory_promotion.{table}

-- name: settle_copy
-- The caller keeps writers out.
DELETE FROM observatory_promotion.{table} AS t USING observatory_promotion.{gone} AS g
WHERE {same} AND NOT EXISTS (SELECT FROM observatory.{table} AS o WHERE {same_of_table});
DELETE FROM observatory_promotion.{table}
WHERE {time} < (SELECT (complete_from AT TIME ZONE 'UTC')::date
    FROM observatory.policies WHERE relation = {name});

-- name: table_extras
-- Statements that give the copy what belongs to its table and is not part of its definition.
SELECT format('COMMENT ON TABLE observatory_promotion.%%I IS %%L', relname,
    obj_description(oid, 'pg_class'))
FROM pg_class WHERE oid = %(table)s::regclass
UNION ALL
SELECT format('GRANT %%s%%s ON observatory_promotion.%%I TO %%s%%s', g.privilege_type, g.columns, t.relname,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END)
FROM pg_class AS t
CROSS JOIN LATERAL (
    SELECT privilege_type, NULL AS columns, grantee, is_grantable FROM aclexplode(t.relacl)
    UNION ALL
    SELECT x.privilege_type, format(' (%%I)', a.attname), x.grantee, x.is_grantable
    FROM pg_attribute AS a
    CROSS JOIN aclexplode(a.attacl) AS x
    WHERE a.attrelid = t.oid AND NOT a.attisdropped
) AS g
WHERE t.oid = %(table)s::regclass

-- name: views
-- Statements that have the views over these tables read whatever has the tables' names then.
SELECT DISTINCT format('CREATE OR REPLACE VIEW %%I.%%I%%s AS %%s', n.nspname, v.relname,
    ' WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid))
FROM pg_depend AS d
JOIN pg_rewrite AS r ON r.oid = d.objid
JOIN pg_class AS v ON v.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = v.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass
    AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = ANY (%s::regclass[])
    AND v.relkind = 'v'

-- name: lock_views_over
-- Statements that change nothing, but lock these views alone: LOCK would lock what they read as well.
SELECT DISTINCT format(
    'ALTER VIEW %%I.%%I OWNER TO %%I', n.nspname, v.relname, pg_get_userbyid(v.relowner))
FROM pg_depend AS d
JOIN pg_rewrite AS r ON r.oid = d.objid
JOIN pg_class AS v ON v.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = v.relnamespace
WHERE d.classid = 'pg_rewrite'::regclass
    AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = ANY (%s::regclass[])
    AND v.relkind = 'v'

-- name: lock_rollups
SELECT format('ALTER VIEW observatory.%I OWNER TO %I', name, pg_get_userbyid(relowner))
FROM observatory_private.rollups
JOIN pg_class ON oid = format('observatory.%I', name)::regclass
ORDER BY refresh_order DESC

-- name: lock_tables
LOCK TABLE ONLY observatory.spans, ONLY observatory.span_payloads, ONLY observatory.trace_days,
    ONLY observatory.metric_points, ONLY observatory.logs IN ACCESS EXCLUSIVE MODE

-- name: lock_softly
-- For less time than deadlock_timeout, so that of a deadlock it is never another who is ended.
SET LOCAL lock_timeout = '400ms'

-- name: replace_table
ALTER TABLE observatory.{table} SET SCHEMA observatory_replaced;
ALTER TABLE observatory_promotion.{table} SET SCHEMA observatory;
