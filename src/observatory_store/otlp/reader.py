"""The seam between the mapping of records and the two encodings they come in.

Protobuf messages and the structs of ``wire`` have the same attribute names, so that one mapping
serves both. What differs goes through a :class:`Reader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

from observatory_store.otlp.decoded import InvalidRecordError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from observatory_store.rows import Attributes, AttributeValue

Message: TypeAlias = Any
"""A protobuf message, or the struct of ``wire`` that has its fields."""

MAX_DEPTH = 128
"""Levels of arrays and maps that one value may have. (Protobuf's own limit is lower: 100 messages,
of which each level takes two.)"""


class Batch(NamedTuple):
    """Records that share a resource and a scope."""

    entry: Message
    """``ResourceSpans``, ``ResourceMetrics`` or ``ResourceLogs``, maybe without its children."""
    scope: Message
    """``ScopeSpans``, ``ScopeMetrics`` or ``ScopeLogs``, maybe without its children."""
    records: Iterable[Message]


class Reader(Protocol):
    """Reads what protobuf and JSON say differently."""

    def batches(self, body: bytes) -> Iterator[Batch]:
        """Parse a body; raise ``UndecodableError`` if nothing of it can be."""

    def text(self, value: str) -> str:
        """Return a text that PostgreSQL can store."""

    def attributes(self, pairs: Iterable[Message], depth: int = 0) -> Attributes:
        """Return a ``KeyValue`` list as a dict; of equal keys, which OTLP forbids, the last wins.

        Raises ``InvalidRecordError`` if a value is nested deeper than ``MAX_DEPTH``.
        """

    def value(self, value: Message, depth: int = 0) -> AttributeValue:
        """Return an ``AnyValue`` as a Python value; None if it is empty.

        ``string_value_strindex`` belongs to profiles, which have a table of strings, and is read as
        empty here. Raises like :meth:`attributes`.
        """

    def identifier(self, raw: Message, size: int) -> str | None:
        """Return an id in lower-case hex; "" if absent or all zero; None if it is not an id."""

    def optional(self, message: Message, field: str) -> Message | None:
        """Return a field that the sender may have left out, or None."""

    def choice(self, message: Message, oneof: str) -> str | None:
        """Return which field of a oneof is set."""


class Dissector(Protocol):
    """Takes a body apart level by level, so that one bad record can be told from its neighbours.

    The levels are 0 (the request), 1 (entry of a resource), 2 (entry of a scope) and 3 (record).
    """

    def split(self, raw: bytes, level: int) -> tuple[bytes, Iterator[bytes]]:
        """Return what is at a level, apart from its children, and the children one by one.

        Raises ``UndecodableError`` if the framing is broken.
        """

    def parse(self, raw: bytes, level: int) -> Message:
        """Parse one part; raise ``InvalidRecordError`` if that is impossible."""

    def points(self, raw: bytes) -> Iterator[bytes]:
        """Yield the points of a raw metric, each as a raw metric; of other records, nothing."""

    def keep(self, raw: bytes, points: Iterable[bytes]) -> bytes:
        """Return a raw metric with no other points than some that :meth:`points` gave."""


def too_deep() -> InvalidRecordError:
    """Return the error for a value that is nested over the limit."""
    return InvalidRecordError(f"a value is nested deeper than {MAX_DEPTH} levels")
