"""A running test server, and the databases that tests get on it."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import psycopg
import yoyo
from psycopg import sql

if TYPE_CHECKING:
    from typing import LiteralString

LOOKS = 10
LOOK_SECONDS = 0.002
MIGRATIONS = Path(__file__).parents[2] / "migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What a server turned out to be."""

    edition: str
    postgres: str
    timescaledb: str | None

    def __str__(self) -> str:
        timescaledb = f", TimescaleDB {self.timescaledb}" if self.timescaledb else ""
        return f"PostgreSQL {self.postgres}{timescaledb}"


class Server:
    """Creates and drops databases on the server at `url`, a superuser's."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._admin = psycopg.connect(url, autocommit=True)
        self._template: str | None = None

    @cached_property
    def versions(self) -> Versions:
        """The edition and the versions, asked of the server itself."""
        postgres = self._admin.info.parameter_status("server_version") or "?"
        available = self._admin.execute(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
        if available is None:
            return Versions(edition="postgres", postgres=postgres.split(" ")[0], timescaledb=None)
        # The licence is a setting of the library that only the extension loads.
        scratch = self.create_empty()
        try:
            with psycopg.connect(scratch, autocommit=True) as connection:
                connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
                row = connection.execute("SELECT current_setting('timescaledb.license')").fetchone()
        finally:
            self.drop(scratch)
        return Versions(
            edition="community" if row == ("timescale",) else "apache",
            postgres=postgres.split(" ")[0],
            timescaledb=available[0],
        )

    def create_migrated(self) -> str:
        """Create a database with every migration applied, and return its URL."""
        if self._template is None:
            self._template = self._create_template()
        name = _name()
        self._run("CREATE DATABASE {} TEMPLATE {}", name, self._template)
        return self._database_url(name)

    def create_empty(self) -> str:
        """Create a database with nothing in it, and return its URL."""
        name = _name()
        self._run("CREATE DATABASE {} TEMPLATE template0", name)
        return self._database_url(name)

    def create_like(self, url: str) -> str:
        """Create a copy of a database that nobody is connected to, and return its URL."""
        name, template = _name(), urlsplit(url).path.lstrip("/")
        self._let_go(template)
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        return self._database_url(name)

    def drop(self, url: str) -> None:
        """Drop a database that this created, whoever is connected to it."""
        name = urlsplit(url).path.lstrip("/")
        self._let_go(name)
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def close(self) -> None:
        """Drop the template and disconnect."""
        try:
            if self._template is not None and not self._admin.broken:
                self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._template)
        finally:
            self._template = None
            self._admin.close()

    def _let_go(self, name: str) -> None:
        # A client that has just closed is seen for a moment more, and DROP would wait 100 ms then.
        for _ in range(LOOKS):
            row = self._admin.execute(
                "SELECT 1 FROM pg_stat_activity WHERE datname = %s LIMIT 1", [name]
            ).fetchone()
            if row is None:
                return
            time.sleep(LOOK_SECONDS)

    def _create_template(self) -> str:
        name = _name()
        self._run("CREATE DATABASE {} TEMPLATE template0", name)
        try:
            _migrate(self._database_url(name))
        except BaseException:
            self._run("DROP DATABASE {} WITH (FORCE)", name)
            raise
        # A template is cloned only while nobody is connected, TimescaleDB's scheduler included.
        self._run("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name)
        self._admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        return name

    def _run(self, statement: LiteralString, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _database_url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))


def _name() -> str:
    return f"observatory_test_{secrets.token_hex(6)}"


def _migrate(url: str) -> None:
    backend = yoyo.get_backend(url.replace(urlsplit(url).scheme, "postgresql+psycopg", 1))
    try:
        migrations = yoyo.read_migrations(str(MIGRATIONS))
        backend.apply_migrations(backend.to_apply(migrations))
    finally:
        backend.connection.close()
