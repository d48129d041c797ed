"""The entries of all dialects, in order of precedence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

from observatory_store.llm.convention import UNUSABLE, Convention, Document, Field
from observatory_store.rows import Attributes, Event

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Dialects:
    """What fills columns beside the canonical attributes."""

    def __init__(self, conventions: Sequence[Convention], canonical: frozenset[str]) -> None:
        ranked = [
            entry
            for convention in conventions
            for entry in convention.entries
            if entry.attribute not in canonical
        ]
        self._entries: dict[str, list[tuple[int, Field | Document]]] = {}
        for rank, entry in enumerate(ranked):
            self._entries.setdefault(entry.attribute, []).append((rank, entry))
        self._events = frozenset[str]().union(*(each.first_token_events for each in conventions))
        self.names = frozenset(self._entries)

    def candidates(self, attributes: Attributes, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
        """Yield each column that one of the named attributes can fill, and its value for it."""
        none: list[tuple[int, Field | Document]] = []
        ranked = [each for name in names for each in self._entries.get(name, none)]
        ranked.sort(key=itemgetter(0))
        for _, entry in ranked:
            if entry.where is not None and not entry.where(attributes):
                continue
            if isinstance(entry, Document):
                yield from entry.read(attributes[entry.attribute]).items()
            else:
                value = entry.convert(attributes[entry.attribute])
                if value is not None:
                    yield entry.column, value
                elif entry.fails(attributes[entry.attribute]):
                    yield UNUSABLE, True

    def first_token(self, events: Sequence[Event]) -> datetime | None:
        """Return when the answer began, if an event tells."""
        for event in events:
            if event.name in self._events:
                return _EPOCH + timedelta(microseconds=event.time_unix_nano // 1000)
        return None


def milliseconds_between(start: datetime, end: datetime) -> float | None:
    """Return the milliseconds from one time to a later one; None if it is not later."""
    return (end - start) / _MILLISECOND if end >= start else None
