"""A file of the spool, and the lock that says whose it is.

Whoever holds the file's ``flock`` writes or reads it, and may delete it; the kernel lets go of the
lock when a process ends, however that happens. A file gets the name of a segment only once it is
locked and its header is on disk, and is deleted only while it is locked.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from observatory_store.ingest.spool_format import HEADER

SUFFIX = ".spool"
ASIDE = ".aside"
"""Suffix of a segment that nobody replays; renamed to ``.spool``, it is replayed."""
DAMAGED = ".damaged"
"""Suffix of a file of bytes that are no records."""
UNBORN = ".new"

# macOS has no fdatasync.
_sync = getattr(os, "fdatasync", os.fsync)


class LockedFile:
    """An open segment whose lock this object holds."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Begin a segment in the folder."""
        path = new_path(folder)
        unborn = path.with_suffix(UNBORN)
        descriptor = os.open(unborn, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, HEADER)
            os.fsync(descriptor)
            unborn.rename(path)
            _sync_folder(folder)
        except BaseException:
            os.close(descriptor)
            unborn.unlink(missing_ok=True)
            raise
        return cls(path, descriptor)

    @classmethod
    def claim(cls, path: Path) -> Self | None:
        """Lock a segment; None if somebody else has it, or it is there no more."""
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have deleted it between these two calls.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return cls(path, descriptor)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def append(self, data: bytes) -> None:
        """Write the bytes; they are on the disk when this returns.

        If it raises, none of them are in the file, unless the disk refuses that as well: then the
        file is closed, and what is torn lies at its end.
        """
        try:
            _write(self._descriptor, data)
            _sync(self._descriptor)
        except OSError:
            try:
                os.ftruncate(self._descriptor, self.size)
            except OSError:
                self.close()
            raise
        self.size += len(data)

    @property
    def is_closed(self) -> bool:
        """Whether the file was let go of."""
        return self._descriptor < 0

    def read(self) -> bytes:
        """Return all of it."""
        return self.path.read_bytes()

    def delete(self) -> None:
        """Remove the file, then let go of it."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file: from now on it is anybody's. Harmless if done before."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def new_path(folder: Path) -> Path:
    """Return a name for a segment that is new and sorts behind those before it."""
    return folder / f"{time.time_ns():020d}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"


def segments(folder: Path) -> list[Path]:
    """Return the segments of the folder, oldest first."""
    return files(folder, SUFFIX)


def files(folder: Path, suffix: str) -> list[Path]:
    """Return the files of one kind, oldest first."""
    return sorted(folder.glob(f"*{suffix}"))


def write_file(path: Path, content: bytes) -> None:
    """Write a file that is whole and on the disk, or not there under this name at all."""
    unborn = path.with_name(f"{path.name}{UNBORN}")
    try:
        descriptor = os.open(unborn, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, content)
            os.fsync(descriptor)
            unborn.rename(path)
        finally:
            os.close(descriptor)
    except BaseException:
        unborn.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def remove_unborn(folder: Path) -> None:
    """Remove the files of processes that ended before their segment had begun."""
    for path in folder.glob(f"*{UNBORN}"):
        if (file := LockedFile.claim(path)) is not None:
            file.delete()


def size_of(folder: Path, *suffixes: str) -> int:
    """Return how many bytes the files of these kinds have, by default the segments."""
    size = 0
    for suffix in suffixes or (SUFFIX,):
        for path in files(folder, suffix):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
    return size


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
