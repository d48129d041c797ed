-- name: lock_budgets
-- Of one project. Others who set a budget wait; who stores spans does not.
SELECT project_id
FROM observatory.projects
WHERE project_id = $1
FOR NO KEY UPDATE

-- name: budget_by_name
SELECT
    budget_id, project_id, name, amount_usd, period, tz, filters, warn_at, created_at, updated_at,
    disabled_at
FROM observatory.budgets
WHERE project_id = $1
    AND name = $2
    AND disabled_at IS NULL

-- name: list_budgets
SELECT
    budget_id, project_id, name, amount_usd, period, tz, filters, warn_at, created_at, updated_at,
    disabled_at
FROM observatory.budgets
WHERE project_id = $1
    AND disabled_at IS NULL
    AND name > $2
ORDER BY name
LIMIT $3

-- name: count_budgets
SELECT count(*)
FROM observatory.budgets
WHERE project_id = $1
    AND disabled_at IS NULL

-- name: put_budget
INSERT INTO observatory.budgets (project_id, name, amount_usd, period, tz, filters, warn_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (project_id, name) DO UPDATE SET
    amount_usd = excluded.amount_usd,
    period = excluded.period,
    tz = excluded.tz,
    filters = excluded.filters,
    warn_at = excluded.warn_at,
    updated_at = now(),
    disabled_at = NULL
RETURNING
    budget_id, project_id, name, amount_usd, period, tz, filters, warn_at, created_at, updated_at,
    disabled_at

-- name: disable_budget
UPDATE observatory.budgets
SET updated_at = now(), disabled_at = now()
WHERE budget_id = $1
RETURNING
    budget_id, project_id, name, amount_usd, period, tz, filters, warn_at, created_at, updated_at,
    disabled_at

-- name: note_change
INSERT INTO observatory.budget_changes (
    budget_id, changed_by, action, old_amount_usd, new_amount_usd, old_terms, new_terms)
VALUES ($1, coalesce($2, current_user), $3, $4, $5, $6, $7)

-- name: changes_of_budget
SELECT
    c.changed_at, c.changed_by, c.action, c.old_amount_usd, c.new_amount_usd, c.old_terms, c.new_terms
FROM observatory.budget_changes AS c
JOIN observatory.budgets AS b USING (budget_id)
WHERE b.project_id = $1
    AND b.name = $2
ORDER BY c.budget_change_id DESC
LIMIT $3
