"""What came of a request: its rows, and what was wrong with the rest."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from observatory_store.otlp.limits import MOST_RECORDS, too_many_records

Row = TypeVar("Row")

_MOST_PROBLEMS = 10
_LONGEST_PROBLEM = 300


class InvalidRecordError(Exception):
    """One record cannot be stored; the others of its request can."""


class Decoded(msgspec.Struct, Generic[Row], frozen=True):
    """The rows of a request, and what its ``partial_success`` has to say."""

    rows: list[Row]
    rejected: int
    """How many spans, data points or log records have no row."""
    problems: tuple[str, ...]
    """Distinct reasons of rejections, and repairs worth telling; bounded in number and length."""


class Tally:
    """Counts the rejected records of one request and collects the reasons."""

    __slots__ = ("_more", "_problems", "_records", "rejected")

    def __init__(self) -> None:
        self.rejected = 0
        self._records = 0
        self._problems: dict[str, None] = {}
        self._more = 0

    def count(self, records: int) -> None:
        """Count records that were found; raise ``TooManyRecordsError`` if they are too many."""
        self._records += records
        if self._records > MOST_RECORDS:
            raise too_many_records()

    def reject(self, reason: str, count: int = 1) -> None:
        """Count records that have no row."""
        self.rejected += count
        self.note(reason)

    def note(self, problem: str) -> None:
        """Remember a problem; the same text is told once."""
        if len(problem) > _LONGEST_PROBLEM:
            problem = problem[: _LONGEST_PROBLEM - 1] + "…"
        if problem in self._problems:
            return
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems[problem] = None
        else:
            self._more += 1

    def decoded(self, rows: list[Row]) -> Decoded[Row]:
        """Return the outcome with these rows."""
        more = (f"and {self._more} more",) if self._more else ()
        return Decoded(rows, self.rejected, (*self._problems, *more))
