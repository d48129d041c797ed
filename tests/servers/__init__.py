"""Test servers: one for each edition of the database that this machine can run."""

from __future__ import annotations

from servers.editions import Editions
from servers.ports import lasting_port
from servers.server import Server

__all__ = ["Editions", "Server", "lasting_port"]
