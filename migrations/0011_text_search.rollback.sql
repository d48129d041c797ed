DROP FUNCTION IF EXISTS observatory_private.text_days(text);
DROP FUNCTION IF EXISTS observatory_private.word_query(integer, tsquery);
-- With the indexes that `maintain` has built.
DROP FUNCTION IF EXISTS observatory_private.body_words(integer, jsonb) CASCADE;
DROP FUNCTION IF EXISTS observatory_private.payload_words(integer, text, text, text, text, text)
    CASCADE;
DROP FUNCTION IF EXISTS observatory_private.words_of(integer, text);
DROP FUNCTION IF EXISTS observatory_private.said_in(text, text);
DROP FUNCTION IF EXISTS observatory_private.json_values(text);
DROP FUNCTION IF EXISTS observatory_private.body_text(jsonb);
DROP FUNCTION IF EXISTS observatory_private.payload_text(text, text, text, text, text);
DROP FUNCTION IF EXISTS observatory_private.end_of(text, integer);
DROP FUNCTION IF EXISTS observatory_private.beginning_of(text, integer);
