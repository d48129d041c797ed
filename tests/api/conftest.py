"""A running service for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.service import Service, serving
from observatory_store.api import database_measurements
from observatory_store.writers import retry
from patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    """A service without authentication on a fresh database."""
    async with serving(database_url) as running:
        yield running


@pytest.fixture(autouse=True)
def time_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is slow on a busy machine is not one that is away."""
    monkeypatch.setattr(database_measurements, "WAIT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def tireless_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a batch tried again for as long as a test keeps a lock."""
    monkeypatch.setattr(retry.retrying, "__kwdefaults__", {"seconds": PATIENCE_SECONDS})
