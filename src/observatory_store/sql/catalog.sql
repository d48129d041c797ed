-- name: insert_project
INSERT INTO observatory.projects (name)
VALUES ($1)
ON CONFLICT DO NOTHING
RETURNING project_id, name, created_at, payloads

-- name: project_by_name
SELECT project_id, name, created_at, payloads
FROM observatory.projects
WHERE name = $1

-- name: project_by_id
SELECT project_id, name, created_at, payloads
FROM observatory.projects
WHERE project_id = $1

-- name: list_projects
SELECT project_id, name, created_at, payloads
FROM observatory.projects
ORDER BY name

-- name: insert_key
INSERT INTO observatory.api_keys (project_id, name, key_hash, key_prefix, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6)
RETURNING api_key_id, project_id, name, key_prefix, scopes, created_at, expires_at, revoked_at

-- name: set_project_payloads
UPDATE observatory.projects
SET payloads = $2
WHERE name = $1
RETURNING project_id, name, created_at, payloads

-- name: key_by_hash
SELECT
    k.api_key_id, k.project_id, k.name, k.key_prefix, k.scopes, k.created_at, k.expires_at,
    k.revoked_at, p.payloads
FROM observatory.api_keys AS k
JOIN observatory.projects AS p USING (project_id)
WHERE k.key_hash = $1

-- name: list_keys
SELECT api_key_id, project_id, name, key_prefix, scopes, created_at, expires_at, revoked_at
FROM observatory.api_keys
WHERE project_id = $1
ORDER BY api_key_id

-- name: revoke_key
UPDATE observatory.api_keys
SET revoked_at = coalesce(revoked_at, now())
WHERE project_id = $1
    AND api_key_id = $2
RETURNING api_key_id, project_id, name, key_prefix, scopes, created_at, expires_at, revoked_at
