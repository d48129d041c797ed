"""How calls are recorded, and how that goes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from observatory_store.errors import InvalidInputError

MEBIBYTE = 1024 * 1024

WhenFull = Literal["drop_oldest", "wait", "raise"]


class RecordingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What :meth:`Store.record` keeps in memory and on disk, and for how long.

    Raises:
        InvalidInputError: a number is not positive, or ``when_full`` is none of its three words.

    """

    queue_rows: int = 10_000
    """Most calls that wait in memory, those included that are being stored."""
    queue_bytes: int = 64 * MEBIBYTE
    """Most bytes that they take, by their texts; a call over that alone is dropped."""
    when_full: WhenFull = "drop_oldest"
    """``drop_oldest``: the call that has waited longest is lost. ``wait``: ``record`` waits.
    ``raise``: ``record`` raises :class:`RecorderFullError`, and the new call is lost."""
    flush_rows: int = 500
    """Calls that are stored at once without waiting for more; also the most in a transaction."""
    flush_seconds: float = 1.0
    """Longest that a call waits for others to be stored with."""
    close_seconds: float = 5.0
    """Longest that closing waits for the database."""
    spool_bytes: int = 1024 * MEBIBYTE
    """Most bytes in the spool of a project, of all processes together."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name != "when_full" and not value > 0:
                raise InvalidInputError(f"{name} must be positive, not {value!r}")
        if self.when_full not in {"drop_oldest", "wait", "raise"}:
            raise InvalidInputError(
                f"when_full must be drop_oldest, wait or raise, not {self.when_full!r}"
            )


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the calls of one store, since it was opened.

    ``recorded`` is the sum of what is queued, was committed, a duplicate, rejected, dropped from
    the queue, or spooled; what is replayed from the spool is counted once more as it is committed.
    """

    queued: int = 0
    """Calls in memory now."""
    recorded: int = 0
    """Calls taken into the queue."""
    committed: int = 0
    """Spans that are new in the database, from the queue or the spool."""
    duplicates: int = 0
    """Spans that were in the database already, as after a replay."""
    rejected: int = 0
    """Spans that the database refuses for good: too old, too far ahead."""
    dropped: int = 0
    """Calls lost for want of room: of the queue, of the time to close, of both."""
    invalid: int = 0
    """Calls with a field that cannot be used; they never enter the queue."""
    spooled_records: int = 0
    """Spans that this store wrote to the spool."""
    damaged_records: int = 0
    """Torn or corrupt stretches that this store passed over in the spool."""
    set_aside_records: int = 0
    """Spans that this store set aside in the spool: of a newer version, or such as the database
    fails at."""
    set_aside_bytes: int = 0
    """Bytes set aside in the project's spool, damaged ones too, of all processes, as last seen."""
    spool_bytes: int = 0
    """Bytes in the project's spool now, of all processes, as last seen."""
    last_error: str | None = None
    """What failed last, if anything did."""
    last_error_at: datetime | None = None
    """When that was, in UTC."""
    last_success_at: datetime | None = None
    """When the database last took spans, or answered at opening or after an outage, in UTC. While
    nothing is recorded nobody asks it, so that an outage shows with the next batch."""
    database_is_away: bool = False
    """Whether the database could not take the last transaction."""


class Tally(msgspec.Struct, kw_only=True):
    """The counters behind :class:`Health`, while they run."""

    recorded: int = 0
    committed: int = 0
    duplicates: int = 0
    rejected: int = 0
    dropped: int = 0
    invalid: int = 0
    spooled_records: int = 0
    damaged_records: int = 0
    set_aside_records: int = 0
    set_aside_bytes: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None
    last_success_at: datetime | None = None
    database_is_away: bool = False

    def note(self, error: str) -> None:
        """Note what failed, and when."""
        self.last_error = error
        self.last_error_at = datetime.now(UTC)
