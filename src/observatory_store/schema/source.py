"""The migrations that this package carries."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
from yoyo.migrations import read_sql_migration

_ROLLBACK = ".rollback.sql"
_IRREVERSIBLE = re.compile(r"^-- Reversible: no\b", re.MULTILINE | re.IGNORECASE)


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One migration, as its files tell."""

    id: str
    """The name of its file, without the suffix."""
    checksum: str
    """SHA-256 of its text, in hex; the same however its lines end."""
    statements: tuple[str, ...]
    rollback: tuple[str, ...]
    """The statements that undo it, in their order."""
    transactional: bool
    """Whether it runs in one transaction, as all do that do not say otherwise."""
    reversible: bool


def migrations_folder() -> Path:
    """Return the folder of the migrations: in the wheel, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"


def read_migrations(folder: Path | None = None) -> list[Migration]:
    """Return the migrations of the folder, or of this package, in the order of application."""
    paths = (folder or migrations_folder()).glob("[0-9]*.sql")
    return [_read(path) for path in sorted(paths) if not path.name.endswith(_ROLLBACK)]


def _read(path: Path) -> Migration:
    text = path.read_text("utf-8")
    undo = path.with_suffix(_ROLLBACK)
    directives, _, statements = read_sql_migration(str(path))
    _, _, rollback = read_sql_migration(str(undo))
    return Migration(
        id=path.stem,
        checksum=hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest(),
        statements=tuple(statements),
        rollback=tuple(rollback),
        transactional=directives.get("transactional", "true").lower() != "false",
        reversible=undo.is_file() and not _IRREVERSIBLE.search(text),
    )
