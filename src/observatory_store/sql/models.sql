-- name: stored_models
SELECT
    provider, model, display_name, mode, context_window, max_output_tokens, input_modalities,
    output_modalities, capabilities, deprecated, deprecation_date
FROM observatory.model_listings
WHERE source = $1

-- name: put_models
INSERT INTO observatory.model_listings AS m (
    provider, model, source, display_name, mode, context_window, max_output_tokens,
    input_modalities, output_modalities, capabilities, deprecated, deprecation_date, source_row,
    source_version, synced_at, last_seen_at)
SELECT
    r.provider, r.model, $1, r.display_name, r.mode, r.context_window, r.max_output_tokens,
    r.input_modalities, r.output_modalities, r.capabilities, r.deprecated, r.deprecation_date,
    r.row, $2, $3, $3
FROM jsonb_to_recordset($4::jsonb) AS r (
    provider text, model text, display_name text, mode text, context_window integer,
    max_output_tokens integer, input_modalities text[], output_modalities text[],
    capabilities jsonb, deprecated boolean, deprecation_date date, "row" jsonb)
ON CONFLICT (provider, model, source) DO UPDATE SET
    display_name = excluded.display_name,
    mode = excluded.mode,
    context_window = excluded.context_window,
    max_output_tokens = excluded.max_output_tokens,
    input_modalities = excluded.input_modalities,
    output_modalities = excluded.output_modalities,
    capabilities = excluded.capabilities,
    deprecated = excluded.deprecated,
    deprecation_date = excluded.deprecation_date,
    source_row = excluded.source_row,
    source_version = excluded.source_version,
    synced_at = excluded.synced_at
WHERE (
    m.display_name, m.mode, m.context_window, m.max_output_tokens, m.input_modalities,
    m.output_modalities, m.capabilities, m.deprecated, m.deprecation_date, m.source_row)
    IS DISTINCT FROM (
    excluded.display_name, excluded.mode, excluded.context_window, excluded.max_output_tokens,
    excluded.input_modalities, excluded.output_modalities, excluded.capabilities,
    excluded.deprecated, excluded.deprecation_date, excluded.source_row)

-- name: see_models
UPDATE observatory.model_listings AS m
SET last_seen_at = $2
FROM unnest($3::text[], $4::text[]) AS s (provider, model)
WHERE m.source = $1
    AND m.provider = s.provider
    AND m.model = s.model

-- name: list_models
SELECT
    m.provider, m.model, m.display_name, m.mode, m.context_window, m.max_output_tokens,
    m.input_modalities, m.output_modalities, m.capabilities, m.deprecated, m.deprecation_date,
    m.sources, m.synced_at, m.last_seen_at
FROM observatory.models AS m
WHERE true
    /* where */
ORDER BY m.provider, m.model
LIMIT $1

-- name: models_by_name
SELECT
    m.provider, m.model, m.display_name, m.mode, m.context_window, m.max_output_tokens,
    m.input_modalities, m.output_modalities, m.capabilities, m.deprecated, m.deprecation_date,
    m.sources, m.synced_at, m.last_seen_at, m.source_rows
FROM observatory.models AS m
WHERE m.model = ANY ($1::text[])
    /* where */
ORDER BY m.provider, array_position($1::text[], m.model)
