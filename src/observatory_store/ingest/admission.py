"""How much the requests of one process may hold together."""

from __future__ import annotations

import sys
from traceback import clear_frames
from types import TracebackType
from typing import Final, Self

from observatory_store.errors import BodyTooLargeError, OverloadedError, UndecodableError
from observatory_store.ingest.heap import Heap

_OF_ITS_BODY: Final = (BodyTooLargeError, OverloadedError, UndecodableError)

MOST_REQUESTS: Final = 1000
"""Requests at once, however small: each has its own buffers and tasks."""


class Admission:
    """Counts what the requests under way hold, and refuses what would be too much.

    A single request is never refused for its size here, so that whatever the limit on one body
    admits goes through when its turn comes.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._heap = Heap()
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

    def leave(self, size: int) -> None:
        """Count what a request held as free."""
        self.requests -= 1
        self.held_bytes -= size
        self._heap.freed(size)


class Ticket:
    """What one request holds, until it is answered; of no admission, unbounded."""

    __slots__ = ("_admission", "_held")

    def __init__(self, admission: Admission | None = None) -> None:
        self._admission = admission or Admission(sys.maxsize)
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
        # An error may be part of a cycle, which is collected late, and its frames hold the body. Of
        # other errors the frames are not this request's alone: to clear that of a writer ends it.
        if isinstance(error, _OF_ITS_BODY):
            while error is not None:
                clear_frames(error.__traceback__)
                error = error.__cause__ or error.__context__
        self._admission.leave(self._held)

    def hold(self, size: int) -> None:
        """Count more bytes.

        Raises:
            OverloadedError: together with the others that is over the limit.
        """
        self._admission.hold(size, self._held)
        self._held += size
