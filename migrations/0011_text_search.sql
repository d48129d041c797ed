-- What: what a text search reads of payloads and log bodies, and which of their days have an index
-- of words. The indexes themselves are built by `maintain`.
-- Why: GET /api/v1/traces and /api/v1/logs with q.
-- Locks: none that another session could hold.
-- Reversible: yes.
-- depends: 0010_models

CREATE OR REPLACE FUNCTION observatory_private.beginning_of(
    content text, bytes integer
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN content IS NULL THEN ''
        WHEN octet_length(content) <= bytes THEN content
        ELSE left(content, (bytes::bigint * length(content) / octet_length(content))::integer)
    END
$$;

COMMENT ON FUNCTION observatory_private.beginning_of(text, integer) IS
    'About so many bytes from the beginning of a text; nothing of NULL.';

CREATE OR REPLACE FUNCTION observatory_private.end_of(
    content text, bytes integer
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN content IS NULL THEN ''
        WHEN octet_length(content) <= bytes THEN content
        ELSE right(content, (bytes::bigint * length(content) / octet_length(content))::integer)
    END
$$;

COMMENT ON FUNCTION observatory_private.end_of(text, integer) IS
    'About so many bytes from the end of a text; nothing of NULL.';

CREATE OR REPLACE FUNCTION observatory_private.payload_text(
    input_messages text,
    output_messages text,
    system_instructions text,
    tool_arguments text,
    tool_result text
) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT observatory_private.end_of(input_messages, 65536)
        || ' ' || observatory_private.beginning_of(output_messages, 65536)
        || ' ' || observatory_private.beginning_of(system_instructions, 16384)
        || ' ' || observatory_private.beginning_of(tool_arguments, 16384)
        || ' ' || observatory_private.beginning_of(tool_result, 16384)
$$;

COMMENT ON FUNCTION observatory_private.payload_text(text, text, text, text, text) IS
    'What a text search reads of a payload: the last 64 kB of the prompt, where the question is, the '
    'first 64 kB of the answer, the first 16 kB of the others.';

CREATE OR REPLACE FUNCTION observatory_private.body_text(body jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(body #>> '{}', 65536)
$$;

COMMENT ON FUNCTION observatory_private.body_text(jsonb) IS
    'What a text search reads of a log record''s body: its first 65,536 characters.';

CREATE OR REPLACE FUNCTION observatory_private.json_values(part text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    -- Escaped backslashes first: in "C:\\new" there is no line break.
    SELECT regexp_replace(
        replace(part, '\\', ' '),
        '"(role|type|finish_reason)" ?: ?"\w*"|"[\w.-]+" ?:|\\([bfnrt]|u[0-9a-fA-F]{4})', ' ', 'g')
$$;

COMMENT ON FUNCTION observatory_private.json_values(text) IS
    'A part of JSON without its keys, the roles and types of messages, and escaped line breaks.';

CREATE OR REPLACE FUNCTION observatory_private.said_in(part text, content text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN left(content, 99) ~ '^\s*([[{][\s[{]*)?"' AND right(content, 9) ~ '["}\]]\s*$'
            THEN observatory_private.json_values(part)
        ELSE part
    END
$$;

COMMENT ON FUNCTION observatory_private.said_in(text, text) IS
    'A part of a content, as json_values has it if the content looks like JSON.';

CREATE OR REPLACE FUNCTION observatory_private.words_of(
    project_id integer, content text
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector(
        'pg_catalog.simple',
        -- What would make one word of several, or a number, an address or a tag, of which a query
        -- makes others.
        translate(
            CASE WHEN octet_length(content) > 262144 THEN left(content, 65536) ELSE content END,
            '.-/+@<&~', '        '))
        || array_to_tsvector(ARRAY[chr(1) || project_id::text])
$$;

COMMENT ON FUNCTION observatory_private.words_of(integer, text) IS
    'The words of a text, which are letters and digits, and one for its project, which no text can '
    'have: so an index leads to the texts of one project. 256 kB have at most 1 MB of words.';

CREATE OR REPLACE FUNCTION observatory_private.payload_words(
    project_id integer,
    input_messages text,
    output_messages text,
    system_instructions text,
    tool_arguments text,
    tool_result text
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT observatory_private.words_of(
        project_id,
        coalesce(observatory_private.said_in(
            observatory_private.end_of(input_messages, 65536), input_messages), '')
        || ' ' || coalesce(observatory_private.said_in(
            observatory_private.beginning_of(output_messages, 65536), output_messages), '')
        || ' ' || coalesce(observatory_private.said_in(
            observatory_private.beginning_of(system_instructions, 16384), system_instructions), '')
        || ' ' || coalesce(observatory_private.said_in(
            observatory_private.beginning_of(tool_arguments, 16384), tool_arguments), '')
        || ' ' || coalesce(observatory_private.said_in(
            observatory_private.beginning_of(tool_result, 16384), tool_result), ''))
$$;

COMMENT ON FUNCTION observatory_private.payload_words(integer, text, text, text, text, text) IS
    'The words of what a text search reads of a payload.';

CREATE OR REPLACE FUNCTION observatory_private.body_words(
    project_id integer, body jsonb
) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT observatory_private.words_of(
        project_id,
        CASE jsonb_typeof(body)
            WHEN 'string' THEN observatory_private.body_text(body)
            ELSE observatory_private.json_values(observatory_private.body_text(body))
        END)
$$;

COMMENT ON FUNCTION observatory_private.body_words(integer, jsonb) IS
    'The words of what a text search reads of a log record''s body.';

CREATE OR REPLACE FUNCTION observatory_private.word_query(
    project_id integer, query tsquery
) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT query && quote_literal(chr(1) || project_id::text)::tsquery
$$;

COMMENT ON FUNCTION observatory_private.word_query(integer, tsquery) IS
    'What the words of a text of the project have to fulfil.';

CREATE OR REPLACE FUNCTION observatory_private.text_days(
    relation_name text
) RETURNS TABLE (
    part regclass,
    first timestamptz,
    last timestamptz,
    index_schema text,
    index_name text,
    is_finished boolean,
    is_valid boolean
)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    since timestamptz := now() - coalesce(
        (SELECT columnstore_after FROM observatory.policies WHERE relation = relation_name),
        interval '0');
BEGIN
    IF observatory.edition() = 'postgres' THEN
        RETURN QUERY
        WITH name AS (
            SELECT relation_name || '_words_' || to_char(d AT TIME ZONE 'UTC', 'YYYYMMDD') AS name
            FROM generate_series(
                date_bin('1 day', since, '2000-01-01T00:00:00Z'), now(), '1 day') AS d
            UNION
            SELECT relname::text
            FROM pg_class
            WHERE relnamespace = 'observatory'::regnamespace
                AND relkind = 'i'
                AND relname LIKE relation_name || '\_words\_%'
        )
        SELECT
            format('observatory.%I', relation_name)::regclass,
            d.day,
            d.day + interval '1 day',
            'observatory',
            n.name,
            d.day + interval '1 day' BETWEEN since AND now() - interval '1 hour',
            i.indisvalid
        FROM name AS n
        CROSS JOIN LATERAL (
            SELECT to_date(right(n.name, 8), 'YYYYMMDD')::timestamp AT TIME ZONE 'UTC' AS day) AS d
        LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass(format('observatory.%I', n.name));
    ELSE
        RETURN QUERY
        SELECT
            format('%I.%I', c.chunk_schema, c.chunk_name)::regclass,
            c.range_start,
            c.range_end,
            c.chunk_schema::text,
            c.chunk_name || '_words',
            c.range_end BETWEEN since AND now() - interval '1 hour' AND NOT c.is_compressed,
            i.indisvalid AND NOT c.is_compressed
        FROM timescaledb_information.chunks AS c
        LEFT JOIN pg_index AS i
            ON i.indexrelid = to_regclass(format('%I.%I', c.chunk_schema, c.chunk_name || '_words'))
        WHERE c.hypertable_schema = 'observatory'
            AND c.hypertable_name = relation_name;
    END IF;
END
$$;

COMMENT ON FUNCTION observatory_private.text_days(text) IS
    'The days of span_payloads or logs, and the index of their words: is_finished says that there '
    'should be one, is_valid that it can be used; NULL if there is none. Index them while rows come '
    'in, and each of these takes seven times as long.';
