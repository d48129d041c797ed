"""The server as a process: its port, whether it is ready, what it complains of, its end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ADDRESS = "127.0.0.1"
PORT_TAKEN = "Address already in use"

READY_LINE = 7  # of postmaster.pid, counted from 0; it is what pg_ctl reads
LINE_PREFIX = re.compile(r"^\S+ \S+ \S+ \[\d+\] ")
COMPLAINT = re.compile("FATAL|PANIC|ERROR|HINT|DETAIL|could not")
FAST_SHUTDOWN_SECONDS = 60.0
IMMEDIATE_SHUTDOWN_SECONDS = 10.0


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def is_ready(data_dir: Path, pid: int) -> bool:
    """Whether the server `pid` on `data_dir` accepts connections."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > READY_LINE and lines[0] == str(pid) and lines[READY_LINE].strip() == "ready"


def complaint(log: Path, start: int) -> str:
    """Return what the server wrote of its trouble to `log` from the byte `start` on."""
    text = log.read_bytes()[start:].decode(errors="replace")
    said = [LINE_PREFIX.sub("", line) for line in text.splitlines()]
    return " ".join(line for line in said if COMPLAINT.search(line)) or " ".join(said[-3:])


def shut_down(process: subprocess.Popen[bytes]) -> None:
    """End the server: fast, then without a checkpoint, then by force. Harmless if it ended."""
    for sign, seconds in (
        (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
        (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS),
    ):
        process.send_signal(sign)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()
