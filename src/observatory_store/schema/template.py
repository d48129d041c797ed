"""A new pair of files for the next migration."""

from __future__ import annotations

import re
from pathlib import Path

from observatory_store.errors import InvalidInputError
from observatory_store.schema.source import read_migrations

_FORWARD = """\
-- What: TODO.
-- Why: TODO.
-- Locks: TODO; `observatory-store schema plan` tells which.
-- Reversible: TODO (yes, or no).
-- depends: {depends}

-- Additive only, safe to run twice, right on every edition; comments on every table and column.
"""
_BACK = """\
-- Undoes {id}, in the order of these lines, and leaves nothing behind.
"""


def new_migration(folder: Path, name: str) -> list[Path]:
    """Write the migration and its rollback, numbered next; return the paths.

    Raises:
        InvalidInputError: the name has more than a-z, 0-9 and _, or there are no migrations there.

    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InvalidInputError(f"a migration is named by a-z, 0-9 and _, not {name!r}")
    there = read_migrations(folder)
    if not there:
        raise InvalidInputError(f"there are no migrations in {folder}: name their folder")
    id_ = f"{int(there[-1].id[:4]) + 1:04}_{name}"
    texts = {
        folder / f"{id_}.sql": _FORWARD.format(depends=there[-1].id),
        folder / f"{id_}.rollback.sql": _BACK.format(id=id_),
    }
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return list(texts)
