"""Ports that stay free between two lives of a server."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from observatory_store.devdb.process import ADDRESS

LOWEST = 10_000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
USUAL_EPHEMERAL = 32_768

_taken: set[int] = set()


def lasting_port() -> int:
    """Return a loopback port that nobody listens on, and that no client is given.

    The system takes the ports of clients from the same range as those that it picks for servers.
    While a server is away one of its clients may so get its very port, and keep it from coming
    back.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(LOWEST, _lowest_of_clients())
        if port in _taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
        _taken.add(port)
        return port


def _lowest_of_clients() -> int:
    try:
        lowest = int(EPHEMERAL.read_text().split()[0])
    except (OSError, ValueError):
        return USUAL_EPHEMERAL
    return lowest if lowest > LOWEST + 1000 else USUAL_EPHEMERAL
