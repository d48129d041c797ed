"""`schema promote` on what it cannot promote, or must not change."""

from __future__ import annotations

import re
import secrets

import psycopg
import pytest

from observatory_store import Store
from observatory_store.errors import MigrationError
from observatory_store.schema import Migrator, Patience, Promotion
from schema.test_promote import fill, formers, promotable_url, signals, write
from storage.samples import query

__all__ = ["formers", "promotable_url"]


@pytest.mark.editions("postgres")
def test_without_timescaledb_there_is_nothing_to_promote(database_url: str) -> None:
    """It says so, and touches nothing."""
    with pytest.raises(MigrationError, match="nothing to promote: this server has no TimescaleDB"):
        Migrator(database_url).promote()
    assert Migrator(database_url).verify() == []


@pytest.mark.editions("apache", "community")
def test_what_is_new_needs_no_promotion(database_url: str, edition: str) -> None:
    """A deploy may run it each time."""
    done = Migrator(database_url).promote()
    assert done == Promotion(before=edition, after=edition, copied=[], aggregates=[])


@pytest.mark.editions("apache")
@pytest.mark.parametrize("before", ["postgres"])
def test_first_apply_then_promote(promotable_url: str, empty_database_url: str) -> None:
    """A copy of a table that a migration is about to change would not be what it has to be."""
    with pytest.raises(MigrationError, match="no schema of ours"):
        Migrator(empty_database_url).promote()
    migrator = Migrator(promotable_url)
    migrator.rollback()
    with pytest.raises(MigrationError, match="schema apply` first"):
        migrator.promote()
    assert query(promotable_url, "SELECT count(*) FROM pg_extension") == [(1,)]


OBSTACLES = {
    "trigger mine": "CREATE TRIGGER mine BEFORE INSERT ON observatory.logs"
    " FOR EACH STATEMENT EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "mine": "CREATE MATERIALIZED VIEW public.mine AS SELECT * FROM observatory.spans",
    "policy mine": "CREATE POLICY mine ON observatory.logs USING (true)",
    "unique index observatory.mine": "CREATE UNIQUE INDEX mine ON observatory.logs (content_hash)",
    "constraint mine": "ALTER TABLE observatory.logs ADD CONSTRAINT mine"
    " FOREIGN KEY (project_id) REFERENCES observatory.projects (project_id)",
    "function mine": "CREATE FUNCTION public.mine() RETURNS SETOF observatory.spans"
    " LANGUAGE sql AS 'SELECT * FROM observatory.spans'",
    "publication mine": "CREATE PUBLICATION mine FOR TABLE observatory.spans",
}


@pytest.mark.editions("apache")
@pytest.mark.parametrize("before", ["postgres"])
def test_what_is_in_the_way_is_named_before_anything_is_done(promotable_url: str) -> None:
    """Nobody copies for a night to learn that it was in vain, or loses what he had built."""
    for name, statement in OBSTACLES.items():
        with psycopg.connect(promotable_url) as connection:
            connection.execute(statement.encode())
            connection.commit()
            with pytest.raises(MigrationError, match=re.escape(name)):
                Migrator(promotable_url).plan_promotion()
        kind = re.match(r"CREATE (?:UNIQUE )?(MATERIALIZED VIEW|FUNCTION|PUBLICATION)", statement)
        query(
            promotable_url,
            f"DROP {kind[1]} mine"
            if kind
            else "DROP INDEX observatory.mine"
            if "INDEX" in statement
            else "ALTER TABLE observatory.logs DROP CONSTRAINT mine"
            if "CONSTRAINT" in statement
            else f"DROP {statement.split()[1]} mine ON observatory.logs",
        )
    assert Migrator(promotable_url).plan_promotion().after == "apache"
    assert Migrator(promotable_url).verify() == []


_VIEW = """
    CREATE VIEW public.mine WITH (security_barrier) AS SELECT name, start_time AS t
    FROM observatory.spans JOIN observatory.span_payloads USING (trace_id, start_time)
"""
_DESCRIBED = (
    """
    SELECT relname, relacl, reloptions, obj_description(oid), pg_get_viewdef(oid)
    FROM pg_class WHERE relname IN ('mine', 'over_it', 'spans') AND relkind <> 'i' ORDER BY 1
    """,
    """
    SELECT attname, attacl FROM pg_attribute
    WHERE attrelid = 'observatory.logs'::regclass AND attacl IS NOT NULL ORDER BY 1
    """,
    "SELECT pg_get_indexdef('observatory.mine'::regclass)",
)


@pytest.mark.editions("apache", "community")
@pytest.mark.parametrize("before", ["postgres"])
def test_what_others_have_built_on_the_tables_stays(promotable_url: str) -> None:
    """Privileges, views and indexes of a tenant or a dashboard are as they were."""
    url, role = promotable_url, f"reader_{secrets.token_hex(4)}"
    for statement in (
        f"CREATE ROLE {role}",
        f"GRANT SELECT ON observatory.spans TO {role} WITH GRANT OPTION",
        f"GRANT SELECT (time, project_id) ON observatory.logs TO {role}",
        _VIEW,
        "COMMENT ON VIEW public.mine IS 'mine'",
        f"GRANT SELECT ON public.mine TO {role}",
        "CREATE VIEW public.over_it AS SELECT count(*) FROM public.mine",
        "CREATE INDEX mine ON observatory.logs (project_id, severity_number)",
    ):
        query(url, statement)
    before = [query(url, one) for one in _DESCRIBED]
    try:
        Migrator(url).promote()
        assert [query(url, one) for one in _DESCRIBED] == before
    finally:
        query(url, f"DROP OWNED BY {role}")
        query(url, f"DROP ROLE {role}")


_GIVE = """
    SELECT format('ALTER TABLE %%s OWNER TO %%I', oid::regclass, %s::text)
    FROM pg_class
    WHERE relkind IN ('r', 'v') AND relnamespace IN (
        'observatory'::regnamespace, 'observatory_private'::regnamespace, 'public'::regnamespace)
"""


@pytest.mark.editions("apache")
@pytest.mark.parametrize("before", ["postgres"])
def test_a_role_that_may_not_create_the_extension(promotable_url: str) -> None:
    """It says what the owner has to run, and is content once it was run."""
    url, role = promotable_url, f"owner_{secrets.token_hex(4)}"
    query(url, f"CREATE ROLE {role} LOGIN")
    query(url, f"GRANT {role} TO CURRENT_USER")
    for schema in ("observatory", "observatory_private", "public"):
        query(url, f"ALTER SCHEMA {schema} OWNER TO {role}")
    for statement in query(url, _GIVE, role):
        query(url, statement[0])
    theirs = Migrator(url.replace("postgres@", f"{role}@"))
    try:
        with pytest.raises(MigrationError, match="GRANT CREATE ON DATABASE"):
            theirs.promote()
        query(url, f"GRANT CREATE ON DATABASE {url.rpartition('/')[2]} TO {role}")
        assert theirs.promote().after == "apache"
        assert theirs.verify() == []
    finally:
        query(url, f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        query(url, f"DROP OWNED BY {role}")
        query(url, f"DROP ROLE {role}")


@pytest.mark.editions("apache")
@pytest.mark.parametrize("before", ["postgres"])
async def test_given_up_half_way(promotable_url: str) -> None:
    """Dropping one schema leaves the database as it was, and writable."""
    await fill(promotable_url)

    def give_up(line: str) -> None:
        if line.startswith("logs"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Migrator(promotable_url).promote(progress=give_up)
    assert {one.kind for one in Migrator(promotable_url).verify()} == {"promotion"}
    query(promotable_url, "DROP SCHEMA observatory_promotion CASCADE")
    assert Migrator(promotable_url).verify() == []
    async with Store.open(promotable_url) as store:
        await write(store, signals(50))
    Migrator(promotable_url).promote()
    assert Migrator(promotable_url).verify() == []


@pytest.mark.editions("apache")
@pytest.mark.parametrize("before", ["postgres"])
def test_who_was_there_before_the_change_is_waited_for(promotable_url: str) -> None:
    """What such a transaction still writes gets to its chunk; the next run ends the promotion."""
    haste = Patience(lock_wait_seconds=0.5)
    with psycopg.connect(promotable_url) as older:
        older.execute("SELECT 1")
        with pytest.raises(MigrationError, match="a transaction that began before still goes on"):
            Migrator(promotable_url, patience=haste).promote()
    done = Migrator(promotable_url).promote()
    assert done.before == done.after == "apache"
    assert Migrator(promotable_url).verify() == []
    assert query(promotable_url, "SELECT to_regnamespace('observatory_promotion')") == [(None,)]
