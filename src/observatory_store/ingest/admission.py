"""How much the requests of one process may hold together."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from observatory_store.errors import OverloadedError

ROW_BYTES: Final = 1500
"""About what a decoded row takes beside its texts, which are as large as they were in the body."""

MOST_REQUESTS: Final = 1000
"""Requests at once, however small: each has its own buffers and tasks."""


class Admission:
    """Counts what the requests under way hold, and refuses what would be too much.

    A single request is never refused for its size here, so that whatever the limit on one body
    admits goes through when its turn comes.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.held_bytes = 0
        self.requests = 0

    def enter(self) -> Ticket:
        """Return the ticket of a request, to be used as a context manager.

        Raises:
            OverloadedError: there are as many requests as may be.
        """
        if self.requests >= MOST_REQUESTS:
            raise OverloadedError(f"{self.requests} requests are under way")
        return Ticket(self)

    def hold(self, size: int, own: int) -> None:
        """Count bytes for a request that holds ``own`` bytes already.

        Raises:
            OverloadedError: together with the others that is over the limit.
        """
        if self.held_bytes > own and self.held_bytes + size > self._most_bytes:
            raise OverloadedError(f"requests under way hold {self.held_bytes} bytes")
        self.held_bytes += size


class Ticket:
    """What one request holds, until it is answered."""

    __slots__ = ("_admission", "_held")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held = 0

    def __enter__(self) -> Self:
        self._admission.requests += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._admission.requests -= 1
        self._admission.held_bytes -= self._held

    def hold(self, size: int) -> None:
        """Count more bytes.

        Raises:
            OverloadedError: together with the others that is over the limit.
        """
        self._admission.hold(size, self._held)
        self._held += size
