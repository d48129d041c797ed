"""Debian 13 in a folder, for the TimescaleDB that Debian ships: the Apache edition."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from observatory_store.devdb import Cluster, Installation
from observatory_store.devdb.account import Account
from servers.source import memory_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUITE = "trixie"
PACKAGE = "postgresql-17-timescaledb"
BIN_DIR = Path("usr/lib/postgresql/17/bin")
LIBRARY_DIR = Path("usr/lib/postgresql/17/lib")
DATA_ROOT = Path("var/lib/postgresql")
MOUNT_POINT = Path("mnt")
MOUNT = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
BUILD_SECONDS = 900


class ChrootUnavailableError(Exception):
    """The chroot cannot be had on this machine; the message says why."""


def ensure_chroot(root: Path, announce: Callable[[str], None]) -> Path:
    """Return the chroot at `root`, after building it if it is not there.

    Two runs at once build it once. A build that was killed is cleared away by the next.

    Raises:
        ChrootUnavailableError: This machine cannot build it.

    """
    if root.is_dir():
        return root
    if os.geteuid() != 0:
        raise ChrootUnavailableError("a Debian chroot is made by root only")
    root.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root.with_name(f"{root.name}.lock")) as lock:
        if not root.is_dir():
            announce(f"Building Debian 13 in {root} for the Apache edition: about a minute, once.")
            _build(root, lock)
    return root


class ChrootCluster(Cluster):
    """A cluster whose programs run inside a chroot.

    Its data are in memory if the chroot can be shown them by a mount that only the server's own
    processes see, and that ends with them; in the chroot's own tree otherwise.
    """

    def __init__(self, root: Path, settings: Mapping[str, str]) -> None:
        self._root = root.resolve()
        memory = memory_folder() if _private_mounts_work() else None
        self._mounted = memory is not None
        super().__init__(
            Installation(
                bin_dir=Path("/") / BIN_DIR,
                version="17",
                timescaledb=_library_version(self._root),
            ),
            # The chroot has no /dev/shm of its own for POSIX shared memory.
            settings={"dynamic_shared_memory_type": "mmap", **settings},
            temporary_in=memory or self._root / DATA_ROOT,
        )

    def _settle(self, data_dir: Path) -> None:
        del data_dir
        self._account = _postgres_account(self._root)

    def _identity(self) -> dict[str, Any]:
        return {}  # `chroot` itself needs root, and changes the user

    def _command(self, program: str, *arguments: str) -> list[str]:
        inside = super()._command(program, *arguments)
        command = [_program("chroot"), "--userspec=postgres:postgres", str(self._root), *inside]
        if not self._mounted:
            return command
        folders = [str(self.data_dir.parent), str(self._root / MOUNT_POINT)]
        return [_program("unshare"), "--mount", "/bin/sh", "-c", MOUNT, "sh", *folders, *command]

    def _server_path(self, path: Path) -> str:
        if self._mounted:
            return str(Path("/") / MOUNT_POINT / path.relative_to(self.data_dir.parent))
        return str(Path("/") / path.relative_to(self._root))


def _build(root: Path, lock: int) -> None:
    partial = root.with_name(f"{root.name}.partial")
    _discard(partial)
    debootstrap = _debootstrap()
    log = root.with_name(f"{root.name}.log")
    command = [debootstrap, "--variant=minbase", f"--include={PACKAGE}", SUITE, str(partial)]
    try:
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
                timeout=BUILD_SECONDS,
                env=_quiet_environment(),
                # Held by its processes too: one that outlives us keeps the next build waiting.
                pass_fds=[lock],
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        _discard(partial)
        raise ChrootUnavailableError(f"debootstrap: {error}") from error
    if done.returncode != 0 or not (partial / BIN_DIR / "postgres").exists():
        _discard(partial)
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise ChrootUnavailableError(f"debootstrap failed: {' '.join(last)} (see {log})")
    shutil.rmtree(partial / "var/cache/apt", ignore_errors=True)
    _unmount_below(partial)
    partial.rename(root)


def _debootstrap() -> str:
    found = shutil.which("debootstrap")
    if found is None and shutil.which("apt-get") is not None:
        for arguments in (["update"], ["install", "-y", "--no-install-recommends", "debootstrap"]):
            subprocess.run(
                ["apt-get", "-q", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=BUILD_SECONDS,
                env=_quiet_environment(),
            )
        found = shutil.which("debootstrap")
    if found is None:
        raise ChrootUnavailableError("debootstrap is not installed and apt-get cannot install it")
    return found


def _quiet_environment() -> dict[str, str]:
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def _discard(folder: Path) -> None:
    _unmount_below(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _unmount_below(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted(mounts, reverse=True):
        if Path(mount).is_relative_to(folder.resolve()):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle.fileno()


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.defpath}:/usr/sbin:/sbin")
    if found is None:
        raise ChrootUnavailableError(f"this machine has no program {name}")
    return found


def _private_mounts_work() -> bool:
    # Containers often allow a chroot and no mount.
    try:
        command = [_program("unshare"), "--mount", "mount", "--bind", "/", "/mnt"]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except ChrootUnavailableError:
        return False


def _postgres_account(root: Path) -> Account:
    for line in (root / "etc/passwd").read_text().splitlines():
        name, _, uid, gid, *_ = line.split(":")
        if name == "postgres":
            return Account(name=name, uid=int(uid), gid=int(gid))
    raise ChrootUnavailableError(f"{root} has no account postgres; remove it to rebuild it")


def _library_version(root: Path) -> str:
    libraries = (root / LIBRARY_DIR).glob("timescaledb-[0-9]*.so")
    return max(library.stem.removeprefix("timescaledb-") for library in libraries)
