"""An error is one clear line on standard error, and exit code 2."""

from __future__ import annotations

import secrets

import pytest

from observatory_store.cli import command as command_module
from patience import PATIENCE_SECONDS
from storage.samples import query

from .conftest import Command, Start

NOWHERE = "postgresql://postgres:secret@127.0.0.1:1/observatory"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("projects", "list", "--database-url", NOWHERE), "the database cannot take this now"),
        (("schema", "status", "--database-url", NOWHERE), "cannot connect"),
        (("usage", "--database-url", "mysql://host/db"), "must begin with postgresql://"),
        (("usage", "--from", "yesterday"), "'yesterday' is no time"),
        (("usage", "--from", "2026-01-31T12:00:00"), "lacks a time zone"),
        (("usage", "--from", "1h", "--to", "2h"), "the range is empty"),
        (("usage", "--group-by", "colour"), "'colour' is not one of"),
        (("keys", "create", "--name", "x"), "Missing option '--scope'"),
        (("keys", "create", "--name", "x", "--scope", "read", "--expires-in", "1y"), "no duration"),
        (("keys", "revoke", "x"), "Invalid value for 'ID'"),
        (("schema", "rollback", "--steps", "1", "--to", "0001_schema"), "only one of them"),
        (("nothing",), "No such command 'nothing'"),
        (("serve", "--port", "70000"), "Invalid value for '--port'"),
    ],
)
def test_error(arguments: tuple[str, ...], said: str, command: Command) -> None:
    """A traceback, or an exit code 0, would mislead whoever runs it from a script."""
    outcome = command(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith("observatory-store: ")
    assert said in outcome.err
    assert outcome.err.count("\n") == 1
    assert "secret" not in outcome.err


def test_a_setting_that_is_not_allowed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, not the field of a class."""
    monkeypatch.setenv("OBSERVATORY_POOL_SIZE", "many")
    outcome = command("projects", "list")
    assert outcome.code == 2
    assert outcome.err.startswith("observatory-store: OBSERVATORY_POOL_SIZE: ")


@pytest.mark.editions("postgres")
@pytest.mark.parametrize("verb", ["maintain", "usage"])
def test_a_role_without_rights(command: Command, database_url: str, verb: str) -> None:
    """To try again later helps nobody: it says which role, and what it lacks."""
    role = f"weak_{secrets.token_hex(4)}"
    query(database_url, f"CREATE ROLE {role} LOGIN")
    try:
        theirs = database_url.replace("postgres@", f"{role}@")
        outcome = command(verb, "--database-url", theirs)
        assert outcome.code == 2
        assert f"role '{role}': permission denied for schema observatory" in outcome.err
        assert "connect as the role that applied the migrations" in outcome.err
        assert "now" not in outcome.err
        assert outcome.err.count("\n") == 1
    finally:
        query(database_url, f"DROP ROLE {role}")


@pytest.mark.editions("postgres")
def test_a_database_without_the_schema(command: Command, empty_database_url: str) -> None:
    """Whoever forgot to migrate is told the command that does it."""
    outcome = command("traces", "list", "--database-url", empty_database_url)
    assert outcome.code == 2
    assert "observatory-store schema apply" in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.editions("postgres")
def test_an_unknown_project(on_database: Command) -> None:
    """A misspelt project must not look like an empty one."""
    outcome = on_database("usage", "--project", "nope")
    assert (outcome.code, outcome.err) == (2, "observatory-store: there is no project 'nope'\n")


def test_an_address_in_use(start: Start) -> None:
    """A second service on one port ends at once, and says why."""
    first = start("serve", "--port", "0", OBSERVATORY_DATABASE_URL=NOWHERE)
    assert first.stdout is not None
    port = first.stdout.readline().rpartition(":")[2].strip()
    second = start("serve", "--port", port)
    out, _ = second.communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 2
    assert (
        out
        == f"observatory-store: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    )


def test_an_interruption(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no error, and leaves no traceback."""

    def interrupted(**_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_module, "application", interrupted)
    outcome = command("usage")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")
