"""Spans that the database fails at, and whether it is they or the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias

import msgspec

from observatory_store.rows import Span

MOST_TRIES: Final = 3
"""How often a span is tried alone before it may be given up."""

_MOST_FAULTS: Final = 10_000

_Key: TypeAlias = tuple[str, str, datetime]


class Attempt(NamedTuple):
    """One transaction that was begun."""

    number: int
    passed: int
    """Of the last one that had stored something by then."""


class _Fault(msgspec.Struct):
    since: int
    """How many attempts had begun when it failed first."""
    tries: int = 0
    reason: str = ""


class Faults:
    """How each span failed that is not done with.

    A span is to blame if it fails alone, several times, after another attempt has stored something
    that began after the span's first failure. So a database that fails at everything, from some
    moment on or up to one, blames no span.
    """

    def __init__(self) -> None:
        self._attempts = 0
        self._passed = 0
        self._faults: dict[_Key, _Fault] = {}

    def begin(self) -> Attempt:
        """Note that a transaction begins."""
        self._attempts += 1
        return Attempt(self._attempts, self._passed)

    def failed(self, attempt: Attempt, spans: Sequence[Span], error: Exception) -> None:
        """Note that spans failed together, or one alone."""
        for span in spans:
            fault = self._faults.setdefault(_key(span), _Fault(self._attempts))
            fault.tries += len(spans) == 1 and fault.since < attempt.passed
            fault.reason = str(error) or repr(error)
        while len(self._faults) > _MOST_FAULTS:
            # Of spans that were dropped meanwhile, as when the queue was full.
            del self._faults[next(iter(self._faults))]

    def passed(self, attempt: Attempt, spans: Iterable[Span], *, stored: int) -> None:
        """Note that spans are done with, of which so many were new to the database."""
        # A transaction that has nothing to store succeeds on a database that takes nothing.
        if stored:
            self._passed = max(self._passed, attempt.number)
        if self._faults:
            self.forget(spans)

    def forget(self, spans: Iterable[Span]) -> None:
        """Note that nobody comes again with these spans."""
        for span in spans:
            self._faults.pop(_key(span), None)

    def has_any(self, spans: Iterable[Span]) -> bool:
        """Return whether any of the spans failed."""
        return bool(self._faults) and any(_key(span) in self._faults for span in spans)

    def others_passed(self, spans: Sequence[Span]) -> bool:
        """Return whether others were stored since one of these failed first."""
        faults = (self._faults.get(_key(span)) for span in spans)
        return any(fault is not None and fault.since < self._passed for fault in faults)

    def is_hopeless(self, span: Span) -> bool:
        """Return whether a span failed often enough while others were stored."""
        fault = self._faults.get(_key(span))
        return fault is not None and fault.tries >= MOST_TRIES

    def reason(self, span: Span) -> str:
        """Return why a span failed last."""
        fault = self._faults.get(_key(span))
        return "" if fault is None else fault.reason


def _key(span: Span) -> _Key:
    return span.trace_id, span.span_id, span.start_time
