"""Memory that was freed, given back to the system (glibc; elsewhere this does nothing).

Texts of large bodies leave holes between what stays. Without this a process keeps three times what
it holds.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_MEBIBYTE: Final = 1024 * 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

EACH: Final = 8 * _MEBIBYTE
"""Bytes freed until a look at the heap is worth it."""

SMALL: Final = 140 * _MEBIBYTE
"""Resident memory that is let be: that of a process under a usual load."""


class Heap:
    """The heap of this process."""

    def __init__(self) -> None:
        self._freed = 0
        self._libc: ctypes.CDLL | None = None
        with suppress(OSError, AttributeError, TypeError):
            libc = ctypes.CDLL(None)
            # glibc raises its threshold to the largest block that was ever freed, and then puts
            # bodies among the small objects.
            libc.mallopt(_M_MMAP_THRESHOLD, _MEBIBYTE)
            libc.mallopt(_M_TRIM_THRESHOLD, EACH)
            _ = libc.malloc_trim
            self._libc = libc

    def freed(self, size: int) -> None:
        """Give memory back if much was freed and the process is large."""
        self._freed += size
        if self._libc is not None and self._freed >= EACH:
            self._freed = 0
            if _resident() > SMALL:
                self._libc.malloc_trim(0)


def _resident() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
