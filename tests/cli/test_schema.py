"""``schema`` brings a database up and down, and its exit codes say where it stands."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from servers import Server
from storage.samples import query

from .conftest import Command

BUILT = {
    "postgres": r"edition: postgres \(TimescaleDB is not installed on this server\)",
    "apache": r"edition: apache \(TimescaleDB 2[.\d]+ (under the Apache licence|is too old.*)\)",
    "community": r"edition: community \(TimescaleDB 2[.\d]+\)",
}


def test_up_and_down(
    command: Command, empty_database_url: str, edition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deploy asks `schema status`: 1 means that there is work."""
    monkeypatch.setenv("OBSERVATORY_DATABASE_URL", empty_database_url)
    before = command("schema", "status", "--json")
    assert before.code == 1
    ids = [item["id"] for item in before.json["migrations"]]
    assert {item["state"] for item in before.json["migrations"]} == {"pending"}

    applied = command("schema", "apply")
    assert applied.code == 0
    lines = applied.out.splitlines()
    total = len(ids)
    assert lines[:-2:2] == [f"{number}/{total} {id_}" for number, id_ in enumerate(ids, 1)]
    assert all(re.fullmatch(r" +\d+\.\d\d s", line) for line in lines[1:-2:2])
    assert re.fullmatch(BUILT[edition], lines[-2])
    assert lines[-1] == f"{total} migrations applied"
    assert command("schema", "status").code == 0
    assert command("schema", "apply").out == "nothing to apply\n"
    assert command("rollups", "status").code == 0

    assert command("schema", "rollback", "--yes").code == 0
    status = command("schema", "status", "--json")
    assert status.code == 1
    assert [item["id"] for item in status.json["migrations"] if not item["applied_at"]] == ids[-1:]
    assert command("schema", "apply", "--to", ids[-2]).out == "nothing to apply\n"
    assert command("schema", "rollback", "--yes", "--to", ids[0]).code == 0
    assert command("schema", "rollback", "--yes", "--steps", "1").code == 0
    assert command("schema", "rollback").out == "nothing to roll back\n"
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT to_regnamespace('observatory') IS NULL").fetchone()
    assert row == (True,)


FORBIDDEN = """
    CREATE FUNCTION public.forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not here' USING ERRCODE = 'insufficient_privilege'; END $$;
    CREATE EVENT TRIGGER forbid ON ddl_command_start WHEN tag IN ('CREATE EXTENSION')
    EXECUTE FUNCTION public.forbid()
"""


@pytest.mark.editions("community")
@pytest.mark.parametrize("forbidden", [False, True])
def test_the_edition_of_a_new_database(
    command: Command, server: Server, *, forbidden: bool
) -> None:
    """Who has CREATE on the database gets all that the server can do; where a provider forbids the
    extension, whoever gets less learns why, while a new database is easily thrown away.
    """
    role = f"builder_{secrets.token_hex(4)}"
    url = server.create_empty()
    query(
        url,
        f"CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};"
        f"GRANT CREATE ON DATABASE {urlsplit(url).path[1:]} TO {role}",
    )
    if forbidden:
        query(url, FORBIDDEN)
    built = rf"postgres \(role {role} may not create the extension timescaledb\)"
    apply = ("schema", "apply", "--database-url", url.replace("postgres@", f"{role}@"))
    outcome = command(*apply)
    again = command(*apply)
    server.drop(url)
    other = server.create_empty()
    query(other, f"DROP ROLE {role}")
    server.drop(other)
    assert re.search(f"edition: {built}" if forbidden else BUILT["community"], outcome.out)
    assert again.out == "nothing to apply\n"


@pytest.mark.editions("postgres")
def test_a_migration_of_another_version(on_database: Command, database_url: str) -> None:
    """An old program on a newer database is a problem that status must not call fine."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('x', '9999_later', now())"
        )
    outcome = on_database("schema", "status")
    assert outcome.code == 1
    assert "not of this version" in outcome.out


@pytest.mark.editions("postgres")
def test_a_rollback_shows_what_is_lost_and_wants_a_yes(
    on_database: Command, tmp_path: Path
) -> None:
    """A script that did not say so must not drop data."""
    outcome = on_database("schema", "rollback", "--to", "0001_schema")
    assert outcome.code == 2
    assert "observatory.projects" in outcome.out
    assert "say --yes" in outcome.err
    assert on_database("schema", "status").code == 0
    arguments = ("--yes", "--to", "0001_schema", "--export", str(tmp_path))
    assert on_database("schema", "rollback", *arguments).code == 0
    assert (tmp_path / "observatory.projects.csv.gz").exists()


@pytest.mark.editions("postgres")
def test_a_rollback_names_what_it_undoes(on_database: Command) -> None:
    """Also where no data would be lost it asks, and it undoes what was named, or nothing."""
    ids = [item["id"] for item in on_database("schema", "status", "--json").json["migrations"]]
    latest, before = ids[-1], ids[-2]
    outcome = on_database("schema", "rollback")
    assert (outcome.code, "say --yes" in outcome.err) == (2, True)
    assert outcome.out.splitlines()[1] == f"  {latest}"
    outcome = on_database("schema", "rollback", "--yes", "--steps", "100")
    assert outcome.code == 2
    assert f"applied are {len(ids)}" in outcome.err
    outcome = on_database("schema", "rollback", "--yes", before)
    assert outcome.code == 2
    assert f"those are {latest} now" in outcome.err
    assert on_database("schema", "rollback", "--yes", latest, "--steps", "1").code == 2
    assert on_database("schema", "status").code == 0
    assert on_database("schema", "rollback", "--yes", latest, before[:4]).code == 0
    status = on_database("schema", "status", "--json").json["migrations"]
    assert [item["id"] for item in status if not item["applied_at"]] == [before, latest]


@pytest.mark.editions("postgres")
def test_the_smaller_verbs(on_database: Command, tmp_path: Path) -> None:
    """Each says what it did."""
    assert on_database("schema", "unlock").out == "nobody holds the lock\n"
    assert on_database("schema", "baseline").out == "nothing to record\n"
    assert "0007_logs reapplied in" in on_database("schema", "reapply", "0007_logs").out
    (tmp_path / "0001_schema.sql").write_text("SELECT 1;\n")
    outcome = on_database("schema", "new", "more", "--folder", str(tmp_path))
    assert outcome.out.splitlines() == [
        str(tmp_path / "0002_more.sql"),
        str(tmp_path / "0002_more.rollback.sql"),
    ]


@pytest.mark.editions("postgres")
def test_a_rehearsal_and_a_plan(
    command: Command, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both show the whole pending set, and leave the database as empty as it was."""
    monkeypatch.setenv("OBSERVATORY_DATABASE_URL", empty_database_url)
    for options in ((), ("--in-place",)):
        outcome = command("schema", "apply", "--dry-run", *options)
        assert outcome.code == 0
        assert re.match(r"0001_schema: \d+\.\d\d s", outcome.out)
        assert outcome.out.endswith("nothing was changed\n")
        assert ("rehearsed on the postgres edition" in outcome.out) == (not options)
    assert command("schema", "apply", "--in-place").code == 2
    pytest.importorskip("postgast")
    outcome = command("schema", "plan")
    assert outcome.code == 1
    assert outcome.out.startswith("-- 0001_schema\n")
    assert command("schema", "plan", "--json").json[0]["migration"] == "0001_schema"
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone()
    assert row == (0,)
    command("schema", "apply")
    assert command("schema", "plan").out == "nothing to apply\n"


@pytest.mark.editions("postgres", "community")
def test_promote(on_database: Command, edition: str) -> None:
    """A deploy may run it each time; a server that has nothing to offer is told."""
    outcome = on_database("schema", "promote", "--yes")
    if edition == "postgres":
        assert outcome.code == 2
        assert "no TimescaleDB" in outcome.err
    else:
        assert (outcome.code, outcome.out) == (
            0,
            "nothing to promote: the database is built for community already\n",
        )
        planned = on_database("schema", "promote", "--dry-run", "--json")
        assert planned.json["before"] == planned.json["after"] == "community"


@pytest.mark.editions("postgres")
def test_a_promotion_that_has_not_ended(on_database: Command, database_url: str) -> None:
    """Both verbs tell what ends it; nothing else is to be mended meanwhile."""
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE SCHEMA observatory_promotion")
    outcome = on_database("schema", "status")
    assert outcome.code == 0
    assert "`observatory-store schema promote` ends it" in outcome.out
    outcome = on_database("schema", "verify")
    assert outcome.code == 1
    assert outcome.out.splitlines()[1:] == ["observatory-store schema promote", "1 divergences"]
