"""What is in the way of a migration: one line with the next step, and nothing changed."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from observatory_store.errors import InvalidInputError, MigrationError, UnavailableError
from observatory_store.schema import Migrator, State, migrations_folder
from schema.catalogue import strangers
from schema.test_migrations import FORWARD
from schema.test_migrator import execute
from servers import Server
from storage.samples import query

IDS = [path.stem for path in FORWARD]
LATER = "INSERT INTO _yoyo_migration VALUES ('x', '9999_later', now())"

pytestmark = pytest.mark.editions("postgres")


def test_someone_elses_table_of_the_same_name(empty_database_url: str) -> None:
    """Comments and indexes of ours must not land on it, nor half a schema beside it."""
    execute(
        empty_database_url,
        "CREATE SCHEMA observatory",
        "CREATE TABLE observatory.logs (line text)",
    )
    with pytest.raises(
        MigrationError, match=r"table observatory\.logs is there.*0007_logs.*rename"
    ):
        Migrator(empty_database_url).apply()
    assert strangers(empty_database_url) == {"observatory", "observatory.logs"}
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS


METRICS = """TABLE observatory.metrics (project_id text, metric_id text, name text, unit text,
    type text, temporality text, is_monotonic text, description text, metadata text)"""


@pytest.mark.parametrize(
    ("theirs", "name"),
    [
        ("TABLE observatory.traces (one integer)", "observatory.traces"),
        ("VIEW observatory.traces AS SELECT 1 AS one", "observatory.traces"),
        ("TABLE observatory.llm_usage_15m (one integer)", "observatory.llm_usage_15m"),
        ("FUNCTION observatory.edition() RETURNS int RETURN 1", "observatory.edition()"),
        ("TYPE observatory.traces AS (one integer)", "observatory.traces"),
        ("TYPE observatory.llm_usage_15m AS ENUM ('one')", "observatory.llm_usage_15m"),
        (METRICS, "observatory.metrics"),
    ],
)
def test_something_else_of_the_same_name(empty_database_url: str, theirs: str, name: str) -> None:
    """It is found before the first migration, not when a later one fails at it."""
    mine = ("CREATE SCHEMA observatory", "CREATE TABLE observatory.mine (one integer)")
    execute(empty_database_url, *mine, f"CREATE {theirs}")
    before = strangers(empty_database_url)
    migrator = Migrator(empty_database_url)
    for attempt in (migrator.apply, migrator.rehearse):
        with pytest.raises(MigrationError, match=rf"^{re.escape(name)}: there already.*rename it"):
            attempt()
    assert strangers(empty_database_url) == before
    assert migrator.status().of(State.PENDING) == IDS
    kind = theirs.split(" ", maxsplit=1)[0]
    execute(empty_database_url, f"ALTER {kind} {name} SET SCHEMA public")
    assert len(migrator.apply()) == len(IDS)


@pytest.mark.parametrize("theirs", ["(project_id integer)", "ENUM ('one')"])
def test_a_type_of_the_same_name(empty_database_url: str, theirs: str) -> None:
    """PostgreSQL makes a type for each table, so a type is as much in the way."""
    execute(
        empty_database_url,
        "CREATE SCHEMA observatory",
        f"CREATE TYPE observatory.spans AS {theirs}",
    )
    said = r"^type observatory\.spans is there, .*0004_spans.*rename that type"
    with pytest.raises(MigrationError, match=said):
        Migrator(empty_database_url).apply()
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS
    execute(empty_database_url, "ALTER TYPE observatory.spans RENAME TO theirs")
    assert len(Migrator(empty_database_url).apply()) == len(IDS)


EVERYTHING = """
    SELECT 'relation', oid, relname, xmin::text FROM pg_class
    UNION ALL SELECT 'schema', oid, nspname, xmin::text FROM pg_namespace
    UNION ALL SELECT 'function', oid, proname, xmin::text FROM pg_proc
    UNION ALL SELECT 'type', oid, typname, xmin::text FROM pg_type
    UNION ALL SELECT 'extension', oid, extname, xmin::text FROM pg_extension
    ORDER BY 1, 2
"""
THEIRS = "CREATE SCHEMA observatory; CREATE TABLE observatory.logs (line text)"


@pytest.mark.parametrize(
    ("before", "verb"),
    [
        (THEIRS, lambda url: Migrator(url).apply()),
        (THEIRS, lambda url: Migrator(url).plan()),
        (THEIRS, lambda url: Migrator(url).rehearse(in_place=True)),
        (THEIRS, lambda url: Migrator(url).baseline()),
        ("", lambda url: Migrator(url).apply(to="0000_nothing")),
        ("", lambda url: Migrator(url).reapply(IDS[0])),
        ("", lambda url: Migrator(url).promote()),
        ("", lambda url: Migrator(url).rollback(to=IDS[0])),
        ("", lambda url: Migrator(url).verify()),
    ],
)
def test_what_is_refused_leaves_no_trace(
    empty_database_url: str, before: str, verb: Callable[[str], object]
) -> None:
    """Not even the tables in which yoyo records: a wrong URL may be that of another program."""
    if before:
        execute(empty_database_url, before)
    found = query(empty_database_url, EVERYTHING)
    with pytest.raises((MigrationError, InvalidInputError)):
        verb(empty_database_url)
    assert query(empty_database_url, EVERYTHING) == found


def test_a_first_migration_that_fails_leaves_nothing(
    empty_database_url: str, tmp_path: Path
) -> None:
    """Nor does one that had nothing to undo; once something is recorded, the record stays."""
    folder = Path(shutil.copytree(migrations_folder(), tmp_path / "migrations"))
    with (folder / f"{IDS[0]}.sql").open("a") as file:
        file.write("\nSELECT 1/0;\n")
    names = "SELECT oid, relname FROM pg_class ORDER BY 1"
    found = query(empty_database_url, names)
    with pytest.raises(MigrationError, match="division by zero"):
        Migrator(empty_database_url, folder=folder).apply()
    assert Migrator(empty_database_url).rollback() == []
    assert query(empty_database_url, names) == found
    Migrator(empty_database_url).apply(to=IDS[0])
    Migrator(empty_database_url).rollback()
    assert query(empty_database_url, "SELECT count(*) FROM _yoyo_log") != [(0,)]


def test_a_database_that_is_newer(database_url: str) -> None:
    """An old pod that starts beside new ones does no harm and does not fail, but undoes nothing."""
    execute(database_url, LATER)
    status = Migrator(database_url).status()
    assert status.of(State.UNKNOWN) == ["9999_later"]
    assert (status.database_schema, status.is_current) == ("9999_later", False)
    assert Migrator(database_url).apply() == []
    with pytest.raises(MigrationError, match="no file to undo 9999_later: roll back with the ver"):
        Migrator(database_url).rollback()


def test_a_database_of_another_branch(database_url: str) -> None:
    """What the other version built on is not known, so nothing is built beside it."""
    Migrator(database_url).rollback()
    execute(database_url, LATER)
    said = rf"has 9999_later, and lacks {IDS[-1]}. Upgrade.*a database of its own"
    with pytest.raises(MigrationError, match=said):
        Migrator(database_url).apply()


def test_a_server_that_takes_no_writes(empty_database_url: str) -> None:
    """As a standby, or the old primary after a failover."""
    name = urlsplit(empty_database_url).path[1:]
    execute(empty_database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert Migrator(empty_database_url).status().of(State.PENDING) == IDS
    with pytest.raises(UnavailableError, match=r"takes no writes.*URL of the primary"):
        Migrator(empty_database_url).apply()


def test_a_role_that_may_not_create(server: Server, empty_database_url: str) -> None:
    """The message is the statement that the owner has to run."""
    role = f"nobody_{secrets.token_hex(4)}"
    name = urlsplit(empty_database_url).path[1:]
    execute(empty_database_url, f"CREATE ROLE {role} LOGIN")
    theirs = empty_database_url.replace("postgres@", f"{role}@")
    with pytest.raises(MigrationError) as caught:
        Migrator(theirs).apply()
    for grant in (
        f"GRANT CREATE ON DATABASE {name} TO {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    ):
        assert grant in str(caught.value)
        execute(empty_database_url, grant)
    assert len(Migrator(theirs).apply()) == len(IDS)
    server.drop(empty_database_url)
    with psycopg.connect(server.create_empty(), autocommit=True) as connection:
        connection.execute(f"DROP ROLE {role}".encode())
        name = connection.info.dbname
    server.drop(empty_database_url.rpartition("/")[0] + f"/{name}")


def test_another_role_on_a_database_that_has_an_owner(database_url: str) -> None:
    """To hand the schema over, as an advice once was, locks its real owner out of the service."""
    role = f"weak_{secrets.token_hex(4)}"
    name = urlsplit(database_url).path[1:]
    execute(
        database_url,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT CREATE ON DATABASE {name} TO {role}",
        f"GRANT USAGE, CREATE ON SCHEMA public, observatory, observatory_private TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public, observatory TO {role}",
    )
    weak = Migrator(database_url.replace("postgres@", f"{role}@"))
    try:
        for attempt in (
            lambda: weak.reapply(IDS[-1]),
            weak.baseline,
            weak.promote,
            weak.rollback,
            weak.rehearse,
        ):
            with pytest.raises(MigrationError) as caught:
                attempt()
            assert str(caught.value) == (
                f"role '{role}' may not change the schema: connect as postgres, which owns schema "
                "observatory and schema observatory_private"
            )
        execute(database_url, f"GRANT postgres TO {role}")
        assert weak.reapply(IDS[-1]).id == IDS[-1]
    finally:
        execute(database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_an_owner_of_the_schemas_who_may_create_none(empty_database_url: str) -> None:
    """A role to whom somebody gave two empty schemas is told what it lacks, before anything."""
    role = f"few_{secrets.token_hex(4)}"
    name = urlsplit(empty_database_url).path[1:]
    execute(
        empty_database_url,
        f"CREATE ROLE {role} LOGIN",
        f"CREATE SCHEMA observatory AUTHORIZATION {role}",
        f"CREATE SCHEMA observatory_private AUTHORIZATION {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
    )
    theirs = Migrator(empty_database_url.replace("postgres@", f"{role}@"))
    grant = f"GRANT CREATE ON DATABASE {name} TO {role}"
    try:
        before = query(empty_database_url, EVERYTHING)
        with pytest.raises(MigrationError, match=f"owner of the database run {grant}$"):
            theirs.apply()
        assert query(empty_database_url, EVERYTHING) == before
        execute(empty_database_url, grant)
        assert len(theirs.apply()) == len(IDS)
        execute(empty_database_url, grant.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        assert theirs.reapply(IDS[-1]).id == IDS[-1]
    finally:
        execute(empty_database_url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_role_that_may_not_even_look(database_url: str) -> None:
    """The server's words alone would not say whom to ask."""
    role = f"stranger_{secrets.token_hex(4)}"
    execute(database_url, f"CREATE ROLE {role} LOGIN")
    try:
        with pytest.raises(MigrationError, match=r"permission denied .*use the role that owns"):
            Migrator(database_url.replace("postgres@", f"{role}@")).status()
    finally:
        execute(database_url, f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("replaced", "by", "said"),
    [
        ("postgres@", "nobody@", 'role "nobody" does not exist: create the role'),
        ("/observatory_test_", "/nowhere_", "does not exist: create the database"),
    ],
)
def test_a_url_that_leads_nowhere(
    replaced: str, by: str, said: str, empty_database_url: str
) -> None:
    """A misspelt URL is the commonest fault of a first deploy."""
    with pytest.raises(UnavailableError, match=said):
        Migrator(empty_database_url.replace(replaced, by)).apply()


def test_a_malformed_url() -> None:
    """It is the operator's, and no traceback's."""
    with pytest.raises(InvalidInputError, match="malformed"):
        Migrator("postgresql://host/x?nothing=1").status()
