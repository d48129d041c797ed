DROP TABLE IF EXISTS observatory.budget_changes;
DROP TABLE IF EXISTS observatory.budgets;
DROP FUNCTION IF EXISTS observatory_private.keep_budget_changes();
