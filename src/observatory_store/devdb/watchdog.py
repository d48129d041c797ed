"""A small process that ends the server when the program that started it is gone.

Needed for ends that leave no time for cleaning up, such as SIGKILL.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The pipe closes when its writer, our process, ends in whatever way. The check of postmaster.pid
# keeps a process that got the same id later from being signalled.
SCRIPT = """
trap '' HUP INT TERM
read -r _
[ "$(head -n 1 "$2/postmaster.pid" 2>/dev/null)" = "$1" ] && kill -INT "$1"
[ -n "$3" ] || exit 0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -e "$2/postmaster.pid" ] || { rm -rf "$3"; exit 0; }
    sleep 1
done
"""


class Watchdog:
    """Watches one server until `release`; removes the folder `remove` after the server's end."""

    def __init__(self, pid: int, data_dir: Path, *, remove: Path | None) -> None:
        self._process = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", SCRIPT, "watchdog", str(pid), str(data_dir), str(remove or "")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )

    def release(self) -> None:
        """Stop watching; the server stays as it is."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
