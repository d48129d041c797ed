"""Bringing server programs to where an unprivileged account can run them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from observatory_store.errors import DevServerError

if TYPE_CHECKING:
    from observatory_store.devdb.account import Account
    from observatory_store.devdb.installation import Installation


def reachable_bin_dir(installation: Installation, account: Account, folder: Path) -> Path:
    """Return the programs' directory, or that of a copy in `folder` if `account` cannot reach it.

    A copy is made once for each version and used again.

    Raises:
        DevServerError: The programs are out of reach and cannot be copied.

    """
    bin_dir = installation.bin_dir
    if account.reaches(bin_dir / "postgres"):
        return bin_dir
    if not installation.portable:
        raise DevServerError(
            f"The account {account.name} cannot reach {bin_dir}; PostgreSQL does not run as root."
        )
    copy = folder / f".postgresql-{installation.version}"
    if not copy.exists():
        _copy(installation.portable, copy)
    # Another account's directory of that name would let it choose what we run.
    if copy.is_symlink() or copy.stat().st_uid != os.geteuid():
        raise DevServerError(f"{copy} belongs to somebody else; remove it.")
    return copy / bin_dir.relative_to(installation.portable[0].parent)


def _copy(sources: tuple[Path, ...], target: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        for source in sources:
            shutil.copytree(source, partial / source.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        if not target.exists():
            raise DevServerError(f"{sources[0]} could not be copied: {error}") from error
