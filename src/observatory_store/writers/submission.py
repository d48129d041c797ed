"""What one sender hands over to be committed, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

import msgspec

Row = TypeVar("Row")

MOST_MESSAGES = 10


class Submission(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """Rows of one request. Several submissions may be committed together."""

    project_id: int
    rows: Sequence[Row]
    api_key_id: int | None = None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a submission."""

    stored: int = 0
    """Rows that are new."""
    duplicates: int = 0
    """Rows that were stored before, so that nothing changed."""
    rejected: int = 0
    """Rows that are not stored, each for a reason in ``problems``."""
    problems: tuple[str, ...] = ()

    def __add__(self, other: Written) -> Written:
        """Return what became of both."""
        return Written(
            stored=self.stored + other.stored,
            duplicates=self.duplicates + other.duplicates,
            rejected=self.rejected + other.rejected,
            problems=tuple(dict.fromkeys((*self.problems, *other.problems)))[:MOST_MESSAGES],
        )


class Outcome:
    """Counts what becomes of one submission while its batch is written."""

    __slots__ = ("_problems", "accepted", "duplicates", "rejected")

    def __init__(self) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.rejected = 0
        self._problems: dict[str, None] = {}

    def reject(self, reason: str) -> None:
        """Count a row that will not be stored."""
        self.rejected += 1
        self.note(reason)

    def note(self, problem: str) -> None:
        """Keep a message, unless there are many."""
        if len(self._problems) < MOST_MESSAGES:
            self._problems[problem] = None

    def written(self) -> Written:
        """Return what became of the submission, once it is committed."""
        return Written(
            stored=self.accepted - self.duplicates,
            duplicates=self.duplicates,
            rejected=self.rejected,
            problems=tuple(self._problems),
        )


Accepted: TypeAlias = tuple[Outcome, Submission[Row], Row]
"""A row to be stored, with the submission it is of and what is counted for that."""


def accept(
    submissions: Sequence[Submission[Row]], refusal: Callable[[Row], str | None]
) -> tuple[list[Outcome], list[Accepted[Row]]]:
    """Return an outcome for each submission, and the rows that there is no reason to refuse."""
    outcomes = [Outcome() for _ in submissions]
    accepted: list[Accepted[Row]] = []
    for outcome, submission in zip(outcomes, submissions, strict=True):
        for row in submission.rows:
            if reason := refusal(row):
                outcome.reject(reason)
            else:
                outcome.accepted += 1
                accepted.append((outcome, submission, row))
    return outcomes, accepted
