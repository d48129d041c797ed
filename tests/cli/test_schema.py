"""``schema`` brings a database up and down, and its exit codes say where it stands."""

from __future__ import annotations

import psycopg
import pytest

from .conftest import Command


def test_up_and_down(
    command: Command, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deploy asks `schema status`: 1 means that there is work."""
    monkeypatch.setenv("OBSERVATORY_DATABASE_URL", empty_database_url)
    before = command("schema", "status", "--json")
    assert before.code == 1
    ids = [item["id"] for item in before.json]
    assert {item["applied_at"] for item in before.json} == {None}

    applied = command("schema", "apply")
    assert applied.code == 0
    assert applied.out.splitlines() == [*ids, f"{len(ids)} migrations applied"]
    assert command("schema", "status").code == 0
    assert command("schema", "apply").out == "nothing to apply\n"
    assert command("rollups", "status").code == 0

    assert command("schema", "rollback").code == 0
    status = command("schema", "status", "--json")
    assert status.code == 1
    assert [item["id"] for item in status.json if item["applied_at"] is None] == ids[-1:]
    assert command("schema", "rollback", "--to", ids[0]).code == 0
    assert command("schema", "rollback", "--steps", "5").code == 0
    assert command("schema", "rollback").out == "nothing to roll back\n"
    with psycopg.connect(empty_database_url) as connection:
        row = connection.execute("SELECT to_regnamespace('observatory') IS NULL").fetchone()
    assert row == (True,)


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
