-- What: spans and their payloads.
-- Why: the facts of tracing, typed; the private and bulky texts apart, so that they can go sooner.
-- Locks: none that another session could hold.
-- Reversible: yes; all spans are lost.
-- depends: 0003_resources

-- A day a chunk: retention cuts at UTC days, and a day of a busy gateway (a million spans) with its
-- indexes still fits in memory while it is written.
INSERT INTO observatory.policies (relation, retention, columnstore_after, chunk_interval)
VALUES ('spans', '90 days', '3 days', '1 day'), ('span_payloads', '30 days', '3 days', '1 day')
ON CONFLICT DO NOTHING;

-- The fixed-width columns stand first and widest last, which saves their padding in each row.
CREATE TABLE IF NOT EXISTS observatory.spans (
    project_id integer NOT NULL,
    start_nanos smallint NOT NULL,
    duration_nanos smallint NOT NULL,
    start_time timestamptz NOT NULL,
    duration_us bigint NOT NULL,
    resource_id bigint NOT NULL,
    ingested_at timestamptz NOT NULL,
    trace_id uuid NOT NULL,
    span_id bytea NOT NULL,
    parent_span_id bytea,
    name text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    status_message text,
    service_name text NOT NULL,
    trace_state text,
    flags bigint,
    dropped_attributes_count bigint,
    dropped_events_count bigint,
    dropped_links_count bigint,
    is_inference boolean NOT NULL,
    operation text,
    provider text,
    request_model text,
    response_model text,
    response_id text,
    input_tokens integer,
    output_tokens integer,
    cache_read_tokens integer,
    cache_write_tokens integer,
    reasoning_tokens integer,
    input_audio_tokens integer,
    output_audio_tokens integer,
    input_image_tokens integer,
    output_image_tokens integer,
    web_search_requests integer,
    service_tier text,
    cost_usd numeric,
    price_ref text,
    sent_cost_usd numeric,
    usage_conflict text,
    time_to_first_token_ms double precision,
    finish_reasons text[],
    streaming boolean,
    temperature double precision,
    top_p double precision,
    max_tokens integer,
    user_id text,
    session_id text,
    agent_name text,
    tool_name text,
    environment text,
    tags text[],
    api_key_id integer,
    deployment text,
    source text NOT NULL,
    attributes jsonb,
    events jsonb,
    links jsonb,
    -- Serves: a trace by its id; and makes a replay harmless.
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
);

-- Serves: GET /api/v1/spans (newest first), and the usage rollup's live quarter-hours.
CREATE INDEX IF NOT EXISTS spans_by_time ON observatory.spans (project_id, start_time DESC);

-- Serves: GET /api/v1/prices/unpriced. Calls with a cost, which nearly all are, cost it nothing.
CREATE INDEX IF NOT EXISTS spans_unpriced ON observatory.spans (project_id, start_time)
WHERE is_inference AND cost_usd IS NULL;

COMMENT ON TABLE observatory.spans IS
    'One row a span. Only recost changes it. A span is the same if project, trace, span id, start are.';
COMMENT ON COLUMN observatory.spans.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.spans.start_nanos IS
    'Nanoseconds (0 to 999) of the start beyond start_time''s microseconds.';
COMMENT ON COLUMN observatory.spans.duration_nanos IS
    'Nanoseconds (0 to 999) of the duration beyond duration_us.';
COMMENT ON COLUMN observatory.spans.start_time IS 'When the span began.';
COMMENT ON COLUMN observatory.spans.duration_us IS 'How long it took, in microseconds.';
COMMENT ON COLUMN observatory.spans.resource_id IS 'Who produced it: a row of resources.';
COMMENT ON COLUMN observatory.spans.ingested_at IS 'When it was stored.';
COMMENT ON COLUMN observatory.spans.trace_id IS 'The trace; trace_hex(trace_id) is the W3C text.';
COMMENT ON COLUMN observatory.spans.span_id IS '8 bytes; span_hex(span_id) is the W3C text.';
COMMENT ON COLUMN observatory.spans.parent_span_id IS 'The parent in the same trace; NULL for a root.';
COMMENT ON COLUMN observatory.spans.name IS 'What the span is about, as its sender named it.';
COMMENT ON COLUMN observatory.spans.kind IS
    'unspecified, internal, server, client, producer or consumer.';
COMMENT ON COLUMN observatory.spans.status IS
    'unset (the ordinary success), ok or error.';
COMMENT ON COLUMN observatory.spans.status_message IS 'What the sender said of an error.';
COMMENT ON COLUMN observatory.spans.service_name IS 'service.name of the resource; empty if not sent.';
COMMENT ON COLUMN observatory.spans.trace_state IS 'W3C trace state. NULL if empty.';
COMMENT ON COLUMN observatory.spans.flags IS
    'W3C trace flags (bits 0 to 7), whether the parent is remote (bits 8 and 9). NULL for 0.';
COMMENT ON COLUMN observatory.spans.dropped_attributes_count IS
    'Attributes that the sender left out. NULL for 0.';
COMMENT ON COLUMN observatory.spans.dropped_events_count IS
    'Events that the sender left out. NULL for 0.';
COMMENT ON COLUMN observatory.spans.dropped_links_count IS
    'Links that the sender left out. NULL for 0.';
COMMENT ON COLUMN observatory.spans.is_inference IS
    'Whether it is one call of a model. Only such spans count in usage: an agent''s span often '
    'repeats the sums of the calls below it.';
COMMENT ON COLUMN observatory.spans.operation IS 'gen_ai.operation.name: chat, embeddings, …';
COMMENT ON COLUMN observatory.spans.provider IS
    'The well-known gen_ai.provider.name: openai, anthropic, aws.bedrock, …';
COMMENT ON COLUMN observatory.spans.request_model IS 'The model that was asked for.';
COMMENT ON COLUMN observatory.spans.response_model IS 'The model that answered.';
COMMENT ON COLUMN observatory.spans.response_id IS 'The provider''s id of the answer.';
COMMENT ON COLUMN observatory.spans.input_tokens IS 'Tokens of the prompt, cached ones included.';
COMMENT ON COLUMN observatory.spans.output_tokens IS 'Tokens of the answer, reasoning included.';
COMMENT ON COLUMN observatory.spans.cache_read_tokens IS
    'Tokens of the prompt that the provider''s cache served.';
COMMENT ON COLUMN observatory.spans.cache_write_tokens IS
    'Tokens of the prompt that were written to the provider''s cache.';
COMMENT ON COLUMN observatory.spans.reasoning_tokens IS 'Tokens of the answer spent on reasoning.';
COMMENT ON COLUMN observatory.spans.input_audio_tokens IS 'Tokens of the prompt that are audio.';
COMMENT ON COLUMN observatory.spans.output_audio_tokens IS 'Tokens of the answer that are audio.';
COMMENT ON COLUMN observatory.spans.input_image_tokens IS 'Tokens of the prompt that are images.';
COMMENT ON COLUMN observatory.spans.output_image_tokens IS 'Tokens of the answer that are images.';
COMMENT ON COLUMN observatory.spans.web_search_requests IS
    'How often the provider searched the web for the call.';
COMMENT ON COLUMN observatory.spans.service_tier IS
    'The provider''s class of service that answered: default, flex, priority, batch, …';
COMMENT ON COLUMN observatory.spans.cost_usd IS 'Cost in US dollars. NULL if no price is known.';
COMMENT ON COLUMN observatory.spans.price_ref IS 'Which price gave cost_usd.';
COMMENT ON COLUMN observatory.spans.sent_cost_usd IS
    'What the sender says that it cost, in US dollars. cost_usd is never taken from it.';
COMMENT ON COLUMN observatory.spans.usage_conflict IS
    'How its numbers contradict each other or repeat another span''s, sorted, with commas: '
    'cached_over_input, media_over_input, media_over_output, reasoning_over_output, '
    'sources_disagree, total_mismatch, unusable_count; and why it is no '
    'inference: repeats_parent, counted_elsewhere. NULL if nothing is wrong.';
COMMENT ON COLUMN observatory.spans.time_to_first_token_ms IS
    'Milliseconds from the start to the first part of the answer.';
COMMENT ON COLUMN observatory.spans.finish_reasons IS 'Why each choice of the answer ended.';
COMMENT ON COLUMN observatory.spans.streaming IS 'Whether the answer was streamed.';
COMMENT ON COLUMN observatory.spans.temperature IS 'Sampling temperature that was asked for.';
COMMENT ON COLUMN observatory.spans.top_p IS 'Nucleus sampling that was asked for.';
COMMENT ON COLUMN observatory.spans.max_tokens IS 'The most tokens of the answer that were asked for.';
COMMENT ON COLUMN observatory.spans.user_id IS 'user.id: on whose behalf.';
COMMENT ON COLUMN observatory.spans.session_id IS 'The conversation or session.';
COMMENT ON COLUMN observatory.spans.agent_name IS 'gen_ai.agent.name.';
COMMENT ON COLUMN observatory.spans.tool_name IS 'gen_ai.tool.name.';
COMMENT ON COLUMN observatory.spans.environment IS 'Deployment environment of the resource.';
COMMENT ON COLUMN observatory.spans.tags IS 'The sender''s own labels, each key=value.';
COMMENT ON COLUMN observatory.spans.api_key_id IS 'The API key that it came in with.';
COMMENT ON COLUMN observatory.spans.deployment IS 'The gateway''s deployment that served the call.';
COMMENT ON COLUMN observatory.spans.source IS 'How it came in: otlp or store.';
COMMENT ON COLUMN observatory.spans.attributes IS 'The attributes that found no column.';
COMMENT ON COLUMN observatory.spans.events IS 'What happened during the span, as a list.';
COMMENT ON COLUMN observatory.spans.links IS 'References to other spans, as a list.';

CREATE TABLE IF NOT EXISTS observatory.span_payloads (
    project_id integer NOT NULL,
    start_time timestamptz NOT NULL,
    trace_id uuid NOT NULL,
    span_id bytea NOT NULL,
    input_messages text,
    output_messages text,
    system_instructions text,
    tool_definitions text,
    tool_arguments text,
    tool_result text,
    content_attributes text,
    structured text[],
    -- Serves: the payload of a span.
    PRIMARY KEY (project_id, trace_id, span_id, start_time)
);

-- Serves: GET /api/v1/traces with q, newest first.
CREATE INDEX IF NOT EXISTS span_payloads_by_time
    ON observatory.span_payloads (project_id, start_time DESC);

COMMENT ON TABLE observatory.span_payloads IS
    'The private and bulky texts of a span: prompts, completions, tool calls.';
COMMENT ON COLUMN observatory.span_payloads.project_id IS 'As in spans.';
COMMENT ON COLUMN observatory.span_payloads.start_time IS 'As in spans.';
COMMENT ON COLUMN observatory.span_payloads.trace_id IS 'As in spans.';
COMMENT ON COLUMN observatory.span_payloads.span_id IS 'As in spans.';
COMMENT ON COLUMN observatory.span_payloads.input_messages IS
    'What was said to the model: JSON, a list of {role, parts}, as gen_ai.input.messages.';
COMMENT ON COLUMN observatory.span_payloads.output_messages IS
    'What it answered: JSON, a list of {role, parts, finish_reason}, as gen_ai.output.messages.';
COMMENT ON COLUMN observatory.span_payloads.system_instructions IS
    'Instructions given apart from the messages: JSON, a list of parts.';
COMMENT ON COLUMN observatory.span_payloads.tool_definitions IS
    'The tools it could call: JSON, a list of {type, name, description, parameters}.';
COMMENT ON COLUMN observatory.span_payloads.tool_arguments IS
    'With what a tool was called, as its sender wrote it.';
COMMENT ON COLUMN observatory.span_payloads.tool_result IS
    'What a tool gave back, as its sender wrote it.';
COMMENT ON COLUMN observatory.span_payloads.content_attributes IS
    'JSON, a map: attributes with content that is not, or not only, in the columns before.';
COMMENT ON COLUMN observatory.span_payloads.structured IS
    'The columns whose text is the JSON of an attribute that was sent as a structure.';

DO $$
BEGIN
    PERFORM observatory_private.compress_with_lz4(
        'observatory.spans', 'attributes', 'events', 'links');
    PERFORM observatory_private.compress_with_lz4(
        'observatory.span_payloads', 'input_messages', 'output_messages', 'system_instructions',
        'tool_definitions', 'tool_arguments', 'tool_result', 'content_attributes');
    PERFORM observatory_private.partition_by_time('spans', 'start_time');
    PERFORM observatory_private.partition_by_time('span_payloads', 'start_time');
    PERFORM observatory_private.apply_policies('spans', 'project_id', 'start_time DESC');
    PERFORM observatory_private.apply_policies('span_payloads', 'project_id', 'start_time DESC');
END
$$;
