"""Where the migrations are."""

from __future__ import annotations

from pathlib import Path


def migrations_folder() -> Path:
    """Return the folder of the migrations: in the wheel, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parents[1] / "migrations"
