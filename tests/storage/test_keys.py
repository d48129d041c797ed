"""API keys and projects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from observatory_store import Store
from observatory_store.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from storage.samples import query


@pytest.mark.editions("postgres")
async def test_a_key_is_stored_only_as_a_hash(database_url: str) -> None:
    """Whoever reads the table, or a backup of it, learns no key."""
    async with Store.open(database_url) as store:
        key, text = await store.keys.create(1, "ci", ["write"])
    stored = query(database_url, "SELECT api_keys::text FROM observatory.api_keys")[0][0]
    assert text not in stored
    assert text[:10] in stored
    assert len(text) > 40
    assert key.key_prefix == text[:10]


@pytest.mark.editions("postgres")
async def test_a_key_opens_its_project_until_it_is_revoked_or_expires(database_url: str) -> None:
    """A revoked, expired or invented key is refused."""
    async with Store.open(database_url) as store:
        other = await store.projects.create("other")
        key, text = await store.keys.create(other.project_id, "reader", ["read"])
        found = await store.keys.authenticate(text)
        assert (found.project_id, found.scopes) == (other.project_id, ("read",))
        assert found.allows("read")
        assert not found.allows("write")
        with pytest.raises(NotFoundError):
            await store.keys.revoke(1, key.api_key_id)
        revoked = await store.keys.revoke(other.project_id, key.api_key_id)
        assert revoked.revoked_at is not None
        assert await store.keys.revoke(other.project_id, key.api_key_id) == revoked
        past = datetime.now(UTC) - timedelta(seconds=1)
        _, expired = await store.keys.create(1, "old", ["admin"], expires_at=past)
        for refused in (text, expired, "obs_invented", "", "\0"):
            with pytest.raises(UnauthenticatedError):
                await store.keys.authenticate(refused)
        assert [one.name for one in await store.keys.list(other.project_id)] == ["reader"]


@pytest.mark.editions("postgres")
async def test_wrong_scopes_and_names_are_refused(database_url: str) -> None:
    """A key without a known scope, a project with a name that a URL cannot hold, a name twice."""
    async with Store.open(database_url) as store:
        for scopes in ([], ["everything"], ["read", "root"]):
            with pytest.raises(InvalidInputError, match="write, read, admin"):
                await store.keys.create(1, "x", scopes)
        for name in ("", "Upper", "a b", "-x", "x" * 64, "a/b"):
            with pytest.raises(InvalidInputError, match="project's name"):
                await store.projects.create(name)
        with pytest.raises(ConflictError):
            await store.projects.create("default")
        assert [one.name for one in await store.projects.list()] == ["default"]
