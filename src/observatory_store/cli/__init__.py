"""The command line, ``observatory-store``."""

from __future__ import annotations

from observatory_store.cli.command import main

__all__ = ["main"]
