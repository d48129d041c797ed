"""Warnings that do not flood the log."""

from __future__ import annotations

import logging
import time

QUIET_SECONDS = 30.0
"""Least time between two warnings of one kind."""


class Complaints:
    """Logs each kind of trouble at most every 30 seconds, with how many were left out."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._quiet_until: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warn(self, kind: str, message: str) -> None:
        """Log the message, or count it if one of its kind was logged a moment ago."""
        now = time.monotonic()
        if now < self._quiet_until.get(kind, 0.0):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._quiet_until[kind] = now + QUIET_SECONDS
        left_out = self._left_out.pop(kind, 0)
        more = f" ({left_out} more of this kind before it)" if left_out else ""
        self._logger.warning("%s%s", message, more)
