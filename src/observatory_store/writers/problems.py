"""Counting refused rows, with a bounded number of reasons."""

from __future__ import annotations

MOST_MESSAGES = 10


class Problems:
    """How many rows were refused, and the first few distinct reasons."""

    def __init__(self) -> None:
        self.rejected = 0
        self._messages: dict[str, None] = {}

    def reject(self, message: str, count: int = 1) -> None:
        """Count refused rows."""
        self.rejected += count
        self.note(message)

    def note(self, message: str) -> None:
        """Keep a message, unless there are many."""
        if len(self._messages) < MOST_MESSAGES:
            self._messages[message] = None

    @property
    def messages(self) -> tuple[str, ...]:
        """The distinct messages, in the order they came."""
        return tuple(self._messages)
