"""A running service for each test that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.service import Service, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def service(database_url: str) -> AsyncIterator[Service]:
    """A service without authentication on a fresh database."""
    async with serving(database_url) as running:
        yield running
