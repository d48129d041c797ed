"""Finding the PostgreSQL installations of this machine, and choosing one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal, assert_never

from observatory_store.devdb.installation import OLDEST_POSTGRES, Installation
from observatory_store.devdb.wheel import wheel_installation
from observatory_store.errors import DevServerError

ServerKind = Literal["auto", "wheel", "local"]

BIN_DIRECTORIES = (
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # Red Hat and its kin
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
)


def find_installations() -> list[Installation]:
    """Return the installed servers: with TimescaleDB first, then the newest first."""
    found = []
    for bin_dir in _bin_directories():
        try:
            found.append(Installation.inspect(bin_dir))
        except DevServerError:
            continue
    return sorted(found, key=lambda i: (i.timescaledb is not None, i.newness), reverse=True)


def choose(server: ServerKind) -> Installation:
    """Return the installation to make a private server from.

    `auto` prefers an installed PostgreSQL that has TimescaleDB, then the wheel, then any installed.

    Raises:
        DevServerError: This machine has nothing that fits.

    """
    match server:
        case "wheel":
            return wheel_installation()
        case "local":
            return _best_installed()
        case "auto":
            return _best_of_all()
        case _:
            assert_never(server)


def _best_installed() -> Installation:
    supported = [i for i in find_installations() if i.supported]
    if not supported:
        raise DevServerError(
            f"No PostgreSQL {OLDEST_POSTGRES} or newer (with TimescaleDB 2.19 or newer, if any) "
            "is installed; install one, or use the embedded server: --server wheel."
        )
    return supported[0]


def _best_of_all() -> Installation:
    try:
        installed = _best_installed()
    except DevServerError:
        return wheel_installation()
    if installed.timescaledb is not None:
        return installed
    try:
        return wheel_installation()
    except DevServerError:
        return installed


def _bin_directories() -> list[Path]:
    root = Path("/")
    directories = [path for pattern in BIN_DIRECTORIES for path in sorted(root.glob(pattern))]
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        asked = subprocess.run(  # noqa: S603
            [pg_config, "--bindir"], capture_output=True, text=True, check=False, timeout=30
        )
        if asked.returncode == 0:
            directories.append(Path(asked.stdout.strip()))
    return list(dict.fromkeys(path.resolve() for path in directories if path.is_dir()))
