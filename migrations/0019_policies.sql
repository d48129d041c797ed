-- What: policies that do not go together are refused, and those that do are handed to TimescaleDB at once.
-- Why: a refresh that reaches to where its source was dropped wipes what the rollup still knew, and spans that
--   outlive trace_days are found by no trace. Policies that do not go together when it is run are named; it fails.
-- Locks: SHARE ROW EXCLUSIVE on policies, for its triggers: who changes a policy waits for a moment.
-- Reversible: yes; policies can then be set that lose rollups.
-- depends: 0018_budgets

CREATE OR REPLACE FUNCTION observatory_private.policy_conflicts() RETURNS SETOF text
LANGUAGE sql STABLE AS $$
    -- Otherwise spans come late for it, and then also for what is counted from it.
    SELECT format(
        '%s must be kept as long as %s (%s, not %s): %s, counted from it, would lack the %s that come later',
        s.name, s.source, coalesce(p.retention::text, 'for ever'), own.retention,
        string_agg(r.name, ', ' ORDER BY r.refresh_order), s.source)
    FROM observatory_private.rollups AS r
    JOIN observatory_private.rollups AS s ON s.name = r.source
    JOIN observatory.policies AS own ON own.relation = s.name
    JOIN observatory.policies AS p ON p.relation = s.source
    WHERE r.is_stored
        AND own.retention IS NOT NULL
        AND (own.retention < p.retention) IS NOT FALSE
    GROUP BY s.name, s.source, p.retention, own.retention
    UNION ALL
    -- TimescaleDB refreshes no less than two buckets.
    SELECT format(
        '%s must be kept at least %s days, not %s: the refresh of %s looks no further back than what '
        'will not be dropped, and needs two buckets of that',
        short.relation,
        ceil(extract(epoch FROM short.needed) / 86400), short.retention, min(short.rollup))
    FROM (
        SELECT r.name AS rollup, k.relation, p.retention,
            2 * r.width + observatory_private.refresh_delay(r.width) + k.margin AS needed
        FROM observatory_private.rollups AS r
        CROSS JOIN LATERAL (
            VALUES (r.source, interval '2 days'), (r.name, interval '0')
        ) AS k (relation, margin)
        JOIN observatory.policies AS p ON p.relation = k.relation
        WHERE r.is_stored AND observatory.edition() = 'community'
    ) AS short
    WHERE short.retention < short.needed
    GROUP BY short.relation, short.retention, short.needed
    UNION ALL
    SELECT format(
        '%s (%s) must not be kept longer than %s (%s), as %s: shorten the first or lengthen the second before',
        needs.relation, coalesce(own.retention::text, 'for ever'),
        needs.other, p.retention, needs.why)
    FROM (
        VALUES
            ('span_payloads', 'spans', 'a payload is read with its span'),
            ('spans', 'trace_days', 'the spans of a trace are found by its days')
    ) AS needs (relation, other, why)
    JOIN observatory.policies AS own ON own.relation = needs.relation
    JOIN observatory.policies AS p ON p.relation = needs.other
    WHERE p.retention IS NOT NULL AND (own.retention <= p.retention) IS NOT TRUE
    UNION ALL
    SELECT format('%s of %s must be at most 36500 days, not %s', age.key, p.relation, age.value)
    FROM observatory.policies AS p
    CROSS JOIN LATERAL (
        VALUES ('retention', p.retention), ('columnstore_after', p.columnstore_after)
    ) AS age (key, value)
    WHERE age.value > interval '36500 days'
    UNION ALL
    SELECT 'columnstore_after of trace_days must be never (NULL), as its rows change with every late span'
    FROM observatory.policies
    WHERE relation = 'trace_days' AND columnstore_after IS NOT NULL
    UNION ALL
    -- What is dropped goes by whole days, and a day of which a part is gone must not be counted.
    SELECT format(
        'chunk_interval of %s must be 1 to 36500 whole days, not %s',
        relation, coalesce(chunk_interval::text, 'never'))
    FROM observatory.policies
    WHERE (
        chunk_interval BETWEEN interval '1 day' AND interval '36500 days'
        AND extract(epoch FROM chunk_interval) % 86400 = 0
    ) IS NOT TRUE
$$;

COMMENT ON FUNCTION observatory_private.policy_conflicts() IS
    'What is wrong with the policies, alone or together; nothing if they may be so.';

CREATE OR REPLACE FUNCTION observatory_private.check_policies() RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    conflicts text;
BEGIN
    conflicts := (
        SELECT string_agg(c, '; ' ORDER BY c) FROM observatory_private.policy_conflicts() AS c);
    IF conflicts IS NOT NULL THEN
        RAISE EXCEPTION '%', conflicts
            USING ERRCODE = 'check_violation', CONSTRAINT = 'policy_conflicts';
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.check_policies() IS
    'Fails with all that policy_conflicts() finds.';

CREATE OR REPLACE FUNCTION observatory_private.remember_dropped() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    rollup_name text;
    whole timestamptz;
    outlives boolean;
BEGIN
    IF observatory.edition() <> 'community' THEN
        RETURN NEW;
    END IF;
    whole := greatest(
        date_bin('1 day', now() - OLD.retention + interval '1 hour', '2000-01-01T00:00:00Z'),
        coalesce(observatory_private.oldest_chunk(OLD.relation), now()));
    FOR rollup_name IN
        SELECT r.name FROM observatory_private.rollups AS r
        WHERE r.source = OLD.relation AND r.is_stored
    LOOP
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM observatory_private.%I WHERE bucket < $1)', rollup_name)
        INTO outlives USING date_bin('1 day', whole, '2000-01-01T00:00:00Z');
        IF outlives THEN
            NEW.complete_from := greatest(NEW.complete_from, whole);
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;

COMMENT ON FUNCTION observatory_private.remember_dropped() IS
    'Notes complete_from before a relation is to be kept longer, if rollups know of a time that it has '
    'lost (community edition). TimescaleDB holds that time for changed when it drops it, so that a refresh '
    'which reached there would leave nothing.';

CREATE OR REPLACE FUNCTION observatory_private.follow_policies() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    changed record;
    target regclass;
BEGIN
    -- `maintain`, which notes complete_from, is not to stop at what somebody else has to mend.
    IF EXISTS (
        SELECT
        FROM after_update AS n
        JOIN before_update AS o USING (relation)
        WHERE (n.retention, n.columnstore_after, n.chunk_interval)
            IS DISTINCT FROM (o.retention, o.columnstore_after, o.chunk_interval))
    THEN
        PERFORM observatory_private.check_policies();
    END IF;
    IF observatory.edition() <> 'community' THEN
        RETURN NULL;
    END IF;
    FOR changed IN
        SELECT n.relation, n.retention, n.columnstore_after,
            n.retention IS DISTINCT FROM o.retention AS expires,
            n.columnstore_after IS DISTINCT FROM o.columnstore_after AS packs
        FROM after_update AS n
        JOIN before_update AS o USING (relation)
        WHERE (n.retention, n.columnstore_after) IS DISTINCT FROM (o.retention, o.columnstore_after)
            AND n.relation NOT IN (SELECT name FROM observatory_private.rollups)
    LOOP
        target := format('observatory.%I', changed.relation)::regclass;
        IF changed.expires THEN
            PERFORM remove_retention_policy(target, if_exists => true);
            IF changed.retention IS NOT NULL THEN
                PERFORM add_retention_policy(target, changed.retention);
            END IF;
        END IF;
        IF changed.packs THEN
            CALL remove_columnstore_policy(target, if_exists => true);
            IF changed.columnstore_after IS NOT NULL THEN
                CALL add_columnstore_policy(target, changed.columnstore_after);
            END IF;
        END IF;
    END LOOP;
    PERFORM observatory_private.apply_rollup_policies(r.name)
    FROM observatory_private.rollups AS r
    WHERE EXISTS (
        SELECT
        FROM after_update AS n
        JOIN before_update AS o USING (relation)
        WHERE n.relation IN (r.name, r.source)
            AND (n.retention, n.columnstore_after)
                IS DISTINCT FROM (o.retention, o.columnstore_after));
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION observatory_private.follow_policies() IS
    'Refuses policies that do not go together; hands the others to TimescaleDB at once (community '
    'edition), so that no job reaches to where its source is dropped.';

CREATE OR REPLACE TRIGGER remember_dropped
BEFORE UPDATE ON observatory.policies
FOR EACH ROW
WHEN (old.retention < new.retention OR (old.retention IS NOT NULL AND new.retention IS NULL))
EXECUTE FUNCTION observatory_private.remember_dropped();

CREATE OR REPLACE TRIGGER follow_policies
AFTER UPDATE ON observatory.policies
REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update
FOR EACH STATEMENT EXECUTE FUNCTION observatory_private.follow_policies();

DO $$ BEGIN PERFORM observatory_private.check_policies(); END $$;
