"""A database with two weeks of telemetry, made once for each edition, and who reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg.rows import dict_row

from analysts.telemetry import store_telemetry
from servers import Server

READER = Path(__file__).parents[2] / "grafana" / "reader.sql"
PASSWORD = "letmein"  # noqa: S105 - it opens nothing but a database of this test


@pytest.fixture(scope="session")
def telemetry_url(server: Server) -> Iterator[str]:
    """URL of a database that nobody changes."""
    url = server.create_migrated()
    asyncio.run(store_telemetry(url))
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def reader_url(telemetry_url: str) -> Iterator[str]:
    """URL by which the role of grafana/reader.sql connects."""
    script = READER.read_text().encode()
    with psycopg.connect(telemetry_url) as connection:
        if connection.execute(
            "SELECT FROM pg_roles WHERE rolname = 'observatory_reader'"
        ).fetchone():
            pytest.skip("the server has a role observatory_reader, which a test must not change")
    for _ in range(2):  # after each migration
        with psycopg.connect(telemetry_url) as connection:
            connection.execute(
                "SELECT set_config('observatory.reader_password', %s, false)", [PASSWORD]
            )
            connection.execute(script)
    parts = urlsplit(telemetry_url)
    _, _, address = parts.netloc.rpartition("@")
    yield urlunsplit(parts._replace(netloc=f"observatory_reader:{PASSWORD}@{address}"))
    with psycopg.connect(telemetry_url, autocommit=True) as connection:
        connection.execute("DROP OWNED BY observatory_reader")
        connection.execute("DROP ROLE observatory_reader")


@pytest.fixture
def reader(reader_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A connection of that role."""
    with psycopg.connect(reader_url, row_factory=dict_row) as connection:
        yield connection
