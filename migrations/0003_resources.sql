-- What: resources, the one place that says who produced a span, a log record or a series.
-- Why: the same few hundred bytes are not stored again with each fact.
-- Locks: none that another session could hold.
-- Reversible: yes; the resources are lost.
-- depends: 0002_projects

CREATE TABLE IF NOT EXISTS observatory.resources (
    project_id integer NOT NULL,
    resource_id bigint NOT NULL,
    service_name text NOT NULL,
    environment text,
    attributes jsonb NOT NULL,
    dropped_attributes_count bigint NOT NULL,
    schema_url text NOT NULL,
    entity_refs jsonb NOT NULL,
    scope_name text NOT NULL,
    scope_version text NOT NULL,
    scope_attributes jsonb NOT NULL,
    scope_dropped_attributes_count bigint NOT NULL,
    scope_schema_url text NOT NULL,
    PRIMARY KEY (project_id, resource_id)
);

COMMENT ON TABLE observatory.resources IS
    'Each distinct pair of an OTLP resource and an instrumentation scope. Facts point here.';
COMMENT ON COLUMN observatory.resources.project_id IS 'The project that sent it.';
COMMENT ON COLUMN observatory.resources.resource_id IS
    'Hash of all the columns that follow: equal content, equal id.';
COMMENT ON COLUMN observatory.resources.service_name IS 'Attribute service.name; empty if not sent.';
COMMENT ON COLUMN observatory.resources.environment IS
    'Attribute deployment.environment.name (formerly deployment.environment).';
COMMENT ON COLUMN observatory.resources.attributes IS 'All attributes of the resource.';
COMMENT ON COLUMN observatory.resources.dropped_attributes_count IS
    'How many resource attributes the sender left out.';
COMMENT ON COLUMN observatory.resources.schema_url IS 'Schema of the resource''s attributes.';
COMMENT ON COLUMN observatory.resources.entity_refs IS 'The entities that the resource describes.';
COMMENT ON COLUMN observatory.resources.scope_name IS 'Name of the instrumentation scope.';
COMMENT ON COLUMN observatory.resources.scope_version IS 'Version of the instrumentation scope.';
COMMENT ON COLUMN observatory.resources.scope_attributes IS 'Attributes of the scope.';
COMMENT ON COLUMN observatory.resources.scope_dropped_attributes_count IS
    'How many scope attributes the sender left out.';
COMMENT ON COLUMN observatory.resources.scope_schema_url IS
    'Schema of the attributes of what the scope produced.';
