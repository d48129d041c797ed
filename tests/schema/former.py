"""Databases that were built before their server had what it has now."""

from __future__ import annotations

import shutil
from pathlib import Path

import yoyo

from observatory_store.database import for_yoyo
from observatory_store.schema import migrations_folder
from servers import Server

_CREATE = "CREATE EXTENSION IF NOT EXISTS timescaledb;"
_DETECTED = "VALUES (observatory_private.detect_edition())"


class Formers:
    """Creates databases of former editions, each from a template that is made once."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._templates: dict[str, str] = {}

    def create(self, edition: str) -> str:
        """Create a database that was built for this edition, and return its URL."""
        if edition not in self._templates:
            url = self._server.create_empty()
            self._templates[edition] = url
            _build(url, edition, self._folder / edition)
        return self._server.create_like(self._templates[edition])

    def close(self) -> None:
        """Drop the templates."""
        for url in self._templates.values():
            self._server.drop(url)


def _build(url: str, edition: str, folder: Path) -> None:
    """Migrate an empty database as a server of this edition would have had it."""
    copy = Path(shutil.copytree(migrations_folder(), folder))
    first = copy / "0001_schema.sql"
    text = first.read_text()
    assert _CREATE in text
    assert _DETECTED in text
    if edition == "postgres":
        text = text.replace(_CREATE, "NULL;")
    first.write_text(text.replace(_DETECTED, f"VALUES ('{edition}')"))
    # By yoyo, which records no text that would differ from the package's.
    backend = yoyo.get_backend(for_yoyo(url))
    try:
        backend.apply_migrations(backend.to_apply(yoyo.read_migrations(str(copy))))
    finally:
        backend.connection.close()
