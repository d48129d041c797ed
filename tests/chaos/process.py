"""The service as a process of its own, on one port over all its lives."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from observatory_store.devdb.process import ADDRESS
from patience import PATIENCE_SECONDS, until
from servers import lasting_port

PROC = Path("/proc")


class ServiceProcess:
    """``serve``, which can be killed and started again."""

    def __init__(self, database_url: str, log: Path, *, workers: int = 1) -> None:
        self._port = lasting_port()
        self._arguments = ["serve", "--workers", str(workers)]
        self._log = log
        self._variables = {
            "OBSERVATORY_DATABASE_URL": database_url,
            "OBSERVATORY_AUTH": "off",
            "OBSERVATORY_HOST": ADDRESS,
            "OBSERVATORY_PORT": str(self._port),
            "OBSERVATORY_LOG_LEVEL": "warning",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []

    @property
    def url(self) -> str:
        """Address of the service."""
        return f"http://{ADDRESS}:{self._port}"

    @property
    def pid(self) -> int:
        """Id of the process, or of that which watches the workers."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it wrote, in all its lives."""
        return self._log.read_text()

    def start(self) -> None:
        """Start it; do not wait until it answers."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("OBSERVATORY_")}
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "observatory_store.cli", *self._arguments],
                env={**inherited, **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._sessions.append(self._process.pid)

    def kill(self) -> None:
        """End it by SIGKILL, as the system does when memory is short."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """End it by SIGTERM, as a deploy does; return its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    def end(self) -> None:
        """Leave nothing of it behind."""
        for session in self._sessions:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def answers(self, path: str, status: int = 200) -> None:
        """Wait until a path is answered with a status."""
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            httpx.AsyncClient(base_url=self.url, timeout=30) as http,
        ):
            while True:
                with suppress(httpx.TransportError):
                    if (await http.get(path)).status_code == status:
                        return
                await asyncio.sleep(0.01)

    def workers(self) -> set[int]:
        """Return the ids of the processes that serve, with ``--workers``."""
        return {
            pid for pid in _children(self.pid) if b"spawn_main" in _read(PROC / f"{pid}/cmdline")
        }


def kill(pid: int) -> None:
    """End a process by SIGKILL."""
    os.kill(pid, signal.SIGKILL)


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process for the time of the block: it accepts no connection."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


async def gone(pids: set[int]) -> None:
    """Wait until none of the processes is left."""
    await until(lambda: not any(_state(pid) not in {"", "Z"} for pid in pids))


def _state(pid: int) -> str:
    return _status(pid)[0]


def _children(parent: int) -> set[int]:
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]
    return {pid for pid in pids if _status(pid)[1] == parent}


def _status(pid: int) -> tuple[str, int]:
    # The name of the program, in parentheses, may hold anything.
    state, parent, *_ = _read(PROC / f"{pid}/stat").rpartition(b")")[2].split() or (b"", b"0")
    return state.decode(), int(parent)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
