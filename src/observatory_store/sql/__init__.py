"""The SQL of this package: files of named queries.

A query begins at a line ``-- name: NAME`` and ends where the next begins.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def load(file: str) -> dict[str, LiteralString]:
    """Return the queries of ``FILE.sql`` in this folder, by name."""
    text = resources.files(__name__).joinpath(f"{file}.sql").read_text("utf-8")
    _, *pieces = _NAME.split(text)
    # The files are part of the package, so their text is as literal as if it stood in the code.
    return {
        name: cast("LiteralString", query.strip())
        for name, query in zip(pieces[::2], pieces[1::2], strict=True)
    }
