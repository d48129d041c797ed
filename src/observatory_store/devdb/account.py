"""The operating-system account that the server's programs run as.

PostgreSQL refuses to run as root, so root hands its programs to an unprivileged account.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from observatory_store.errors import DevServerError

PREFERRED = ("postgres", "nobody")
TRAVERSE = stat.S_IXOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An unprivileged account that root can run programs as."""

    name: str
    uid: int
    gid: int

    def process_options(self) -> dict[str, Any]:
        """Arguments for `subprocess` that make a program run as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Whether this account may pass through every directory above `path`."""
        return all(self._may_traverse(parent) for parent in path.resolve().parents)

    def open_way_to(self, directory: Path) -> None:
        """Let this account pass through the directories above `directory`.

        Only private temporary directories are opened (for passing, not for listing).

        Raises:
            DevServerError: A directory elsewhere is closed; opening it is its owner's decision.

        """
        temporary = Path(tempfile.gettempdir()).resolve()
        for parent in directory.resolve().parents:
            if self._may_traverse(parent):
                continue
            if temporary not in parent.parents:
                raise DevServerError(
                    f"PostgreSQL does not run as root, and the account {self.name} cannot enter "
                    f"{parent}. Use a data directory elsewhere, or run this as another user."
                )
            parent.chmod(parent.stat().st_mode | TRAVERSE)

    def _may_traverse(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & TRAVERSE)


def server_account(data_dir: Path) -> Account | None:
    """Return the account for a server on `data_dir`; None when the caller's own will do."""
    if os.geteuid() != 0:
        return None
    if (data_dir / "PG_VERSION").exists():
        owner = data_dir.stat()
        if owner.st_uid != 0:
            return Account(name=_name(owner.st_uid), uid=owner.st_uid, gid=owner.st_gid)
    entries = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    names = [name for name in PREFERRED if name in entries] or list(entries)
    if not names:
        raise DevServerError(
            "PostgreSQL does not run as root, and this machine has no other account."
        )
    entry = entries[names[0]]
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
