DROP TRIGGER IF EXISTS follow_policies ON observatory.policies;
DROP TRIGGER IF EXISTS remember_dropped ON observatory.policies;
DROP FUNCTION IF EXISTS observatory_private.follow_policies();
DROP FUNCTION IF EXISTS observatory_private.remember_dropped();
DROP FUNCTION IF EXISTS observatory_private.check_policies();
DROP FUNCTION IF EXISTS observatory_private.policy_conflicts();
