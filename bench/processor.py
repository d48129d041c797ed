"""What processes use of the processors."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def processes(pid: int) -> list[int]:
    """Return a process and all that it began, directly or not, and that still run."""
    found = [pid]
    for one in found:
        try:
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        except OSError:  # it has ended
            continue
    return found


def cpu_seconds(pid: int) -> float:
    """Return what a process has used, all that it began included, also those that have ended."""
    ticks = 0
    for one in processes(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks * _TICK_SECONDS


def idle_seconds() -> float:
    """Return how long processors had nothing to do, all of them together."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) * _TICK_SECONDS


def peak_memory_mib(pid: int) -> float:
    """Return the most memory that the largest process of a program had resident."""
    peaks = []
    for one in processes(pid):
        status = Path(f"/proc/{one}/status").read_text()
        peaks += [int(kib) / 1024 for kib in re.findall(r"VmHWM:\s+(\d+) kB", status)]
    return max(peaks)
