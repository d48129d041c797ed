"""``projects`` and ``keys`` change what the database holds."""

from __future__ import annotations

import asyncio

import pytest

from observatory_store.database import open_pool
from observatory_store.errors import UnauthenticatedError
from observatory_store.repositories import ApiKey, KeyRepository

from .conftest import Command

pytestmark = pytest.mark.editions("postgres")


def _authenticate(url: str, text: str) -> ApiKey:
    async def ask() -> ApiKey:
        async with open_pool(url) as pool:
            return await KeyRepository(pool).authenticate(text)

    return asyncio.run(ask())


def test_projects(on_database: Command) -> None:
    """A project that was created is listed, and cannot be created twice."""
    assert on_database("projects", "create", "support").code == 0
    assert [project["name"] for project in on_database("projects", "list", "--json").json] == [
        "default",
        "support",
    ]
    assert "support" in on_database("projects", "list").out
    again = on_database("projects", "create", "support")
    assert (again.code, again.err) == (
        2,
        "observatory-store: there is a project 'support' already\n",
    )


def test_payloads_of_a_project(on_database: Command) -> None:
    """Who runs the service could not have less, or more, kept of one project."""
    on_database("projects", "create", "support")
    for policy, stored in (("drop", "drop"), ("truncate", "truncate"), ("service", None)):
        outcome = on_database("projects", "payloads", "support", policy, "--json")
        assert (outcome.code, outcome.json["payloads"]) == (0, stored)
        listed = {
            one["name"]: one["payloads"] for one in on_database("projects", "list", "--json").json
        }
        assert listed == {"default": None, "support": stored}
    assert on_database("projects", "payloads", "support", "forget").code == 2
    missing = on_database("projects", "payloads", "nobody", "drop")
    assert (missing.code, missing.err) == (2, "observatory-store: there is no project 'nobody'\n")


def test_a_key_opens_its_project_until_it_is_revoked(
    on_database: Command, database_url: str
) -> None:
    """What `keys create` prints is the key itself, so that a script can keep it."""
    project = on_database("projects", "create", "support", "--json").json
    created = on_database(
        *("keys", "create", "--project", "support", "--name", "collector"),
        *("--scope", "write", "--scope", "read", "--expires-in", "90d"),
    )
    assert created.code == 0
    text = created.out.strip()
    key = _authenticate(database_url, text)
    assert key.project_id == project["project_id"]
    assert key.scopes == ("write", "read")
    assert key.expires_at is not None
    assert text not in created.err
    assert text not in on_database("keys", "list", "--project", "support", "--json").out

    elsewhere = on_database("keys", "revoke", str(key.api_key_id))
    assert elsewhere.code == 2
    _authenticate(database_url, text)

    assert on_database("keys", "revoke", str(key.api_key_id), "--project", "support").code == 0
    with pytest.raises(UnauthenticatedError):
        _authenticate(database_url, text)
    assert "revoked" in on_database("keys", "list", "--project", "support").out


def test_json_of_a_new_key_has_its_text(on_database: Command, database_url: str) -> None:
    """There is no other time to learn it."""
    created = on_database("keys", "create", "--name", "x", "--scope", "admin", "--json").json
    key = _authenticate(database_url, created["key"])
    assert key.api_key_id == created["api_key_id"]
