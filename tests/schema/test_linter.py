"""The linter knows what PostgreSQL does."""

from __future__ import annotations

import psycopg
import pytest

from observatory_store.errors import InvalidInputError
from observatory_store.schema.linter import Lock, Work, read_statement

pytest.importorskip("postgast")

SETUP = """
    CREATE TABLE parent (id integer PRIMARY KEY);
    CREATE TABLE t (a integer, b text, c integer);
    INSERT INTO t SELECT n, n::text, n FROM generate_series(1, 100) AS n;
    ALTER TABLE t ADD CONSTRAINT later CHECK (c > 0) NOT VALID;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE INDEX t_by_a ON t (a);
    CREATE VIEW v AS SELECT a FROM t;
"""
STATEMENTS = [
    "ALTER TABLE t ADD COLUMN d integer",
    "ALTER TABLE t ADD COLUMN d integer DEFAULT 1 NOT NULL",
    "ALTER TABLE t ADD COLUMN d timestamptz DEFAULT now()",
    "ALTER TABLE t ADD COLUMN d uuid DEFAULT gen_random_uuid()",
    "ALTER TABLE t ADD COLUMN d serial",
    "ALTER TABLE t ADD COLUMN d integer GENERATED ALWAYS AS (a + 1) STORED",
    "ALTER TABLE t ALTER COLUMN b TYPE bytea USING b::bytea",
    "ALTER TABLE t ALTER COLUMN c SET NOT NULL",
    "ALTER TABLE t ALTER COLUMN c SET DEFAULT 2",
    "ALTER TABLE t ALTER COLUMN c SET STATISTICS 500",
    "ALTER TABLE t DROP COLUMN b",
    "ALTER TABLE t ADD CHECK (a > 0)",
    "ALTER TABLE t ADD CHECK (a > 0) NOT VALID",
    "ALTER TABLE t ADD UNIQUE (a)",
    "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES parent NOT VALID",
    "ALTER TABLE t VALIDATE CONSTRAINT later",
    "CREATE INDEX ON t (c)",
    "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE TABLE child (id integer REFERENCES parent)",
    "CREATE OR REPLACE VIEW v AS SELECT a FROM t",
    "COMMENT ON TABLE t IS 'x'",
    "COMMENT ON COLUMN t.a IS 'x'",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET b = ''",
    "DELETE FROM t WHERE a = 1",
    "TRUNCATE t",
    "DROP VIEW v",
    "ALTER TABLE t RENAME TO u",
]


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_locks_are_those_that_the_server_takes(statement: str, empty_database_url: str) -> None:
    """A plan that calls a statement harmless must not stop the traffic; nor cry wolf."""
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(SETUP.encode())
        connection.commit()
        files = _files(connection)
        oids: dict[int, str] = dict(
            connection.execute(
                "SELECT oid, relname FROM pg_class WHERE relname IN ('t', 'parent', 'v')"
            ).fetchall()
        )
        connection.execute(statement.encode())
        taken: dict[str, Lock] = {}
        for oid, mode in connection.execute(
            "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation IS NOT"
            " NULL"
        ).fetchall():
            if oid in oids:
                lock = _lock(mode)
                taken[oids[oid]] = max(lock, taken.get(oids[oid], lock))
        rewritten = {
            name for name, file in _files(connection).items() if files.get(name, file) != file
        }
    seen: dict[str, Lock] = {}
    for effect in read_statement(statement).effects:
        seen[effect.relation] = max(effect.lock, seen.get(effect.relation, effect.lock))
    strong = {name: lock for name, lock in taken.items() if lock >= Lock.SHARE}
    assert {name: lock for name, lock in seen.items() if lock >= Lock.SHARE} == strong
    assert all(taken[name] >= lock for name, lock in seen.items())
    if not statement.startswith(("UPDATE", "TRUNCATE", "DROP")):
        works = {
            effect.relation
            for effect in read_statement(statement).effects
            if effect.work is Work.REWRITE
        }
        assert works == rewritten


@pytest.mark.parametrize(
    ("statement", "work"),
    [
        ("CREATE INDEX ON t (c)", Work.SCAN),
        ("CREATE INDEX CONCURRENTLY ON t (c)", Work.SCAN),
        ("ALTER TABLE t ADD CHECK (a > 0)", Work.SCAN),
        ("ALTER TABLE t ADD CHECK (a > 0) NOT VALID", Work.NONE),
        ("ALTER TABLE t ADD COLUMN d integer UNIQUE", Work.SCAN),
        ("UPDATE t SET b = ''", Work.REWRITE),
        ("UPDATE t SET b = '' WHERE a = 1", Work.ROWS),
        ("DROP TABLE t", Work.DROP),
        ("ALTER TABLE t DROP COLUMN b", Work.DROP),
    ],
)
def test_the_work(statement: str, work: Work) -> None:
    """The lock tells who waits, the work for how long."""
    assert [effect.work for effect in read_statement(statement).effects] == [work]


@pytest.mark.parametrize("statement", ["DO $$ BEGIN END $$", "SELECT f(1)", "CALL p()"])
def test_code_is_said_to_be_unseen(statement: str) -> None:
    """What a block does, no parser of statements can tell."""
    assert read_statement(statement).is_code


def test_what_is_no_sql() -> None:
    """A slip of the pen is found before a database is asked."""
    with pytest.raises(InvalidInputError, match="is no SQL"):
        read_statement("CREATE TABEL x ()")


def _lock(mode: str) -> Lock:
    words = "".join(f"_{char}" if char.isupper() else char for char in mode.removesuffix("Lock"))
    return Lock[words.lstrip("_").upper()]


def _files(connection: psycopg.Connection) -> dict[str, int]:
    return dict(
        connection.execute(
            "SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relname IN ('t')"
        ).fetchall()
    )
