-- What: the catalogue of models: what each source says of a model, and the view of all sources as one.
-- Why: context window, limits, modalities and end of life are asked for beside prices, and change apart.
-- Locks: none on existing relations.
-- Reversible: yes; the catalogue is lost, and the next sync brings it in again.
-- depends: 0009_prices

CREATE TABLE IF NOT EXISTS observatory.model_listings (
    provider text NOT NULL,
    model text NOT NULL,
    source text NOT NULL CHECK (source IN ('genai-prices', 'litellm')),
    display_name text,
    mode text,
    context_window integer CHECK (context_window BETWEEN 1 AND 1000000000),
    max_output_tokens integer CHECK (max_output_tokens BETWEEN 1 AND 1000000000),
    input_modalities text[] CHECK (cardinality(input_modalities) BETWEEN 1 AND 16),
    output_modalities text[] CHECK (cardinality(output_modalities) BETWEEN 1 AND 16),
    capabilities jsonb NOT NULL CHECK (jsonb_typeof(capabilities) = 'object'),
    deprecated boolean NOT NULL,
    deprecation_date date,
    source_row jsonb NOT NULL,
    source_version text NOT NULL,
    synced_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (provider, model, source)
);

COMMENT ON TABLE observatory.model_listings IS
    'What one source says of one model. A sync adds and changes rows; none is deleted.';
COMMENT ON COLUMN observatory.model_listings.provider IS
    'Provider by its name in the OpenTelemetry conventions, such as aws.bedrock.';
COMMENT ON COLUMN observatory.model_listings.model IS 'Model as the source calls it, in lower case.';
COMMENT ON COLUMN observatory.model_listings.source IS 'genai-prices or litellm.';
COMMENT ON COLUMN observatory.model_listings.display_name IS 'Name for people.';
COMMENT ON COLUMN observatory.model_listings.mode IS
    'What it is called for: chat, embedding, image_generation, … in the words of the source.';
COMMENT ON COLUMN observatory.model_listings.context_window IS 'Most input tokens of a call.';
COMMENT ON COLUMN observatory.model_listings.max_output_tokens IS 'Most output tokens of a call.';
COMMENT ON COLUMN observatory.model_listings.input_modalities IS
    'What it takes: text, image, audio, video, pdf, … NULL: not known.';
COMMENT ON COLUMN observatory.model_listings.output_modalities IS 'What it gives, likewise.';
COMMENT ON COLUMN observatory.model_listings.capabilities IS
    'What it can and what it cannot: {"tools": true, "vision": false}. Absent: the source does not say.';
COMMENT ON COLUMN observatory.model_listings.deprecated IS 'The source says so, without a date.';
COMMENT ON COLUMN observatory.model_listings.deprecation_date IS 'When it is switched off.';
COMMENT ON COLUMN observatory.model_listings.source_row IS 'All that the source says.';
COMMENT ON COLUMN observatory.model_listings.source_version IS
    'Version of genai-prices, or SHA-256 of the file, that last changed the row.';
COMMENT ON COLUMN observatory.model_listings.synced_at IS 'When a sync last changed the row.';
COMMENT ON COLUMN observatory.model_listings.last_seen_at IS
    'When a sync last found the model listed, be it in a row that could not be used.';

CREATE OR REPLACE VIEW observatory.models AS
SELECT
    k.provider,
    k.model,
    coalesce(g.display_name, l.display_name) AS display_name,
    coalesce(g.mode, l.mode) AS mode,
    coalesce(g.context_window, l.context_window) AS context_window,
    coalesce(g.max_output_tokens, l.max_output_tokens) AS max_output_tokens,
    coalesce(g.input_modalities, l.input_modalities) AS input_modalities,
    coalesce(g.output_modalities, l.output_modalities) AS output_modalities,
    coalesce(l.capabilities, '{}') || coalesce(g.capabilities, '{}') AS capabilities,
    coalesce(g.deprecated, false) OR coalesce(l.deprecated, false)
        OR coalesce(coalesce(g.deprecation_date, l.deprecation_date)
            <= (now() AT TIME ZONE 'UTC')::date, false) AS deprecated,
    coalesce(g.deprecation_date, l.deprecation_date) AS deprecation_date,
    array_remove(ARRAY[g.source, l.source], NULL) AS sources,
    greatest(g.synced_at, l.synced_at) AS synced_at,
    greatest(g.last_seen_at, l.last_seen_at) AS last_seen_at,
    CASE WHEN g.source IS NULL THEN '{}' ELSE jsonb_build_object(g.source, g.source_row) END
        || CASE WHEN l.source IS NULL THEN '{}' ELSE jsonb_build_object(l.source, l.source_row) END
        AS source_rows
FROM (SELECT DISTINCT provider, model FROM observatory.model_listings) AS k
LEFT JOIN observatory.model_listings AS g
    ON g.provider = k.provider AND g.model = k.model AND g.source = 'genai-prices'
LEFT JOIN observatory.model_listings AS l
    ON l.provider = k.provider AND l.model = k.model AND l.source = 'litellm';

COMMENT ON VIEW observatory.models IS
    'The catalogue of models, one row each: what genai-prices says, or else litellm. NULL: not known.';
COMMENT ON COLUMN observatory.models.provider IS
    'Provider by its name in the OpenTelemetry conventions, such as aws.bedrock.';
COMMENT ON COLUMN observatory.models.model IS 'Model as its sources call it, in lower case.';
COMMENT ON COLUMN observatory.models.display_name IS 'Name for people.';
COMMENT ON COLUMN observatory.models.mode IS 'What it is called for: chat, embedding, ….';
COMMENT ON COLUMN observatory.models.context_window IS 'Most input tokens of a call.';
COMMENT ON COLUMN observatory.models.max_output_tokens IS 'Most output tokens of a call.';
COMMENT ON COLUMN observatory.models.input_modalities IS 'What it takes: text, image, audio, ….';
COMMENT ON COLUMN observatory.models.output_modalities IS 'What it gives, likewise.';
COMMENT ON COLUMN observatory.models.capabilities IS
    'What it can and what it cannot: {"tools": true}. Absent: no source says.';
COMMENT ON COLUMN observatory.models.deprecated IS
    'A source says so, or its deprecation date has come (UTC).';
COMMENT ON COLUMN observatory.models.deprecation_date IS 'When it is switched off.';
COMMENT ON COLUMN observatory.models.sources IS 'Which sources have listed it.';
COMMENT ON COLUMN observatory.models.synced_at IS 'When a sync last changed what is said of it.';
COMMENT ON COLUMN observatory.models.last_seen_at IS 'When a sync last found it listed.';
COMMENT ON COLUMN observatory.models.source_rows IS 'All that the sources say, by source.';
